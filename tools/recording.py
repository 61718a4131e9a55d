# a script, not a package
"""Write docs/first-minutes.md: the first commands of a new user with what they show on a terminal of 80 columns.

Usage: python tools/recording.py
"""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "first-minutes.md"
COLUMNS = 80
HEAD = """# The first minutes

<!-- Written by tools/recording.py. -->

What the first commands show on a terminal of 80 columns, as recorded. Progress lines are left out; times depend on the
machine. `digits.h5` and `digits_float.h5` are in `models/digits`.
"""
STEPS: tuple[tuple[str, str, int], ...] = (
    ("A shipped network, from the file to a compared project.", "fpgacnn demo digits", 0),
    ("What is in a file?", "fpgacnn inspect digits.h5", 0),
    ("A float network has no bit widths. The error says what to do.", "fpgacnn convert digits_float.h5", 2),
    ("Every code has a page.", "fpgacnn explain 30", 0),
    ("A flag is misspelt: the hint names the help of the command.", "fpgacnn convert digits.h5 --clok 5", 2),
    ("Does it fit a smaller part, all values at once?", "fpgacnn estimate digits.h5 --part pynq-z2 --io parallel", 1),
    ("Which reuse factors fit, in 20 us?", "fpgacnn fit digits.h5 --part pynq-z2 --max-latency 20us -o target.toml", 0),
    ("Convert it for that target.", "fpgacnn convert digits.h5 --config target.toml --no-csim -o small", 0),
    ("What has changed?", "fpgacnn compare hls_projects/demo-digits small", 0),
    ("The report for a colleague.", "fpgacnn report hls_projects/demo-digits -o report.html", 0),
)
"""What the step is about, its command, and its exit status."""
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def on_terminal(words: list[str], folder: Path) -> tuple[str, int]:
    """What a command shows on a terminal, and its exit status. Errors are shown, progress is not."""
    ours, theirs = pty.openpty()
    variables = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    variables |= {"COLUMNS": str(COLUMNS), "TERM": "dumb", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "fpgacnn.cli.main", *words]
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, env=variables, cwd=folder) as child:  # noqa: S603  # our own command
        os.close(theirs)
        said = b"".join(iter(lambda: _read(ours), b""))
        assert child.stderr is not None
        errors = child.stderr.read()
    os.close(ours)
    text = _ESCAPES.sub("", (said + errors).decode().replace("\r\n", "\n"))
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n"), child.returncode


def _read(terminal: int) -> bytes:
    """The next bytes; nothing once the command has ended, which Linux reports as an error."""
    try:
        return os.read(terminal, 1 << 16)
    except OSError:
        return b""


def main() -> None:
    """Run the steps one after the other in a folder of their own, and write the page."""
    lines = [HEAD]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in ("digits.h5", "digits_float.h5"):
            shutil.copy(ROOT / "models" / "digits" / name, folder)
        for about, command, status in STEPS:
            shown, ended = on_terminal(command.split()[1:], folder)
            if ended != status:
                sys.exit(f"{command}: exit status {ended}, expected {status}\n{shown}")
            lines += [about, "", "```text", f"$ {command}", shown, "```", ""]
    PAGE.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
