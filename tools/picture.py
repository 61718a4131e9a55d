# a script, not a package
"""Draw docs/images/demo.svg: what `fpgacnn demo digits` shows on a terminal. Usage: python tools/picture.py"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

COMMAND = "fpgacnn demo digits"
WIDTH = 100
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "demo.svg"
WITHOUT_WEB_FONTS = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
"""Rich's template loads fonts from a server; any monospaced font on the reader's machine will do."""


def on_terminal(command: list[str]) -> str:
    """What a command writes to a terminal of WIDTH columns, colours included; progress (stderr) is left out."""
    ours, theirs = pty.openpty()
    plain = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment = plain | {
        "COLUMNS": str(WIDTH),
        "TERM": "xterm-256color",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, env=environment) as child:  # noqa: S603  # our own command
        os.close(theirs)
        said = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    if child.returncode:
        sys.exit(f"{COMMAND}: exit status {child.returncode}")
    return said.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    """The next bytes; nothing once the command has ended, which Linux reports as an error."""
    try:
        return os.read(terminal, 1 << 16)
    except OSError:
        return b""


def main() -> None:
    """Run the demonstration and draw what it shows."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
    console.print(Text(f"$ {COMMAND}", style="bold"))
    console.print(Text.from_ansi(on_terminal(COMMAND.split())))
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(console.export_svg(title=COMMAND, code_format=WITHOUT_WEB_FONTS), encoding="utf-8")


if __name__ == "__main__":
    main()
