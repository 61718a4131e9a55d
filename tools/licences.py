# ruff: noqa: T201  # a script, not a package
"""Write docs/licences.md: every locked package of the image with its version and licence, as its own metadata has them.

Usage: python tools/licences.py [--check]   in an environment into which requirements/runtime.txt was installed.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, files, metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "licences.md"
HEAD = """# Licences

fpgacnn is Apache-2.0. These packages are installed with it (`requirements/runtime.txt`: core, the extra `demo`, and what
the tests of the image need); each is named with the licence that its own metadata states. `tools/licences.py` writes this
page. Projects contain headers of hls4ml (Apache-2.0) and of its `ap_types` (Apache-2.0).

| package | version | licence |
|---|---|---|
"""


def locked() -> dict[str, str]:
    """Names and versions of the lock."""
    text = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^\s\\;]+)", text, re.MULTILINE))


def licence(name: str) -> str:
    """A package's licence: its expression, its classifiers, or the first line of what it wrote."""
    try:
        about = metadata(name)
    except PackageNotFoundError:
        sys.exit(f"{name} is not installed: pip install --no-deps --require-hashes -r requirements/runtime.txt")
    expression = about.get("License-Expression")
    if expression:
        return str(expression)
    classifiers = [
        line.rsplit(" :: ", 1)[-1] for line in about.get_all("Classifier") or [] if line.startswith("License :: ")
    ]
    written = (str(about.get("License") or "").strip().splitlines() or [""])[0][:60].replace("UNKNOWN", "")
    return "; ".join(sorted(set(classifiers) - {"OSI Approved"})) or written or _first_line(name) or "not stated"


def _first_line(name: str) -> str:
    """The title of the licence file that a package brings."""
    found = [path for path in files(name) or [] if re.fullmatch(r"LICEN[CS]E.*", path.name)]
    lines = found[0].read_text().strip().splitlines() if found else []
    return lines[0].strip() if lines else ""


def main() -> int:
    """Write the page, or say whether it is what would be written."""
    rows = [f"| {name} | {version} | {licence(name)} |" for name, version in sorted(locked().items())]
    page = HEAD + "\n".join(rows) + "\n"
    unknown = [row for row in rows if row.endswith("| not stated |")]
    if unknown:
        print("\n".join(unknown), file=sys.stderr)
        return 1
    if "--check" in sys.argv:
        same = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page
        print(
            "docs/licences.md is up to date" if same else "docs/licences.md is behind the lock: run tools/licences.py"
        )
        return 0 if same else 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
