"""Write the digests of hls4ml's templates: fpgacnn/hardware/estimation/graph/template_digests.json.

Usage: python tools/template_digests.py VERSION...     such as 0.3.0 0.4.0 ... 1.3.0

The wheels of these versions come from PyPI. Only digests are kept, no text.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from fpgacnn.hardware.estimation.graph.template_digests import DATA, digest_of

TARGET = Path(__file__).parents[1] / "fpgacnn/hardware/estimation/graph" / DATA
BACKENDS = frozenset({"vivado", "vitis"})


def digests(wheel: Path) -> dict[str, set[str]]:
    """The digests of the headers for Vivado HLS and Vitis HLS in one wheel, by their names."""
    found: dict[str, set[str]] = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            parts = PurePosixPath(name).parts
            if name.endswith(".h") and "nnet_utils" in parts and BACKENDS.intersection(parts):
                text = archive.read(name).decode("utf-8", "replace")
                found.setdefault(parts[-1], set()).add(digest_of(text))
    return found


def main(versions: list[str]) -> None:
    """Download the wheels and write the file."""
    found: dict[str, set[str]] = {}
    for version in versions:
        with TemporaryDirectory() as folder:
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                f"hls4ml=={version}",
                "-d",
                folder,
            ]
            subprocess.run(command, check=True)  # noqa: S603  # pip, with versions from our own command line
            for wheel in Path(folder).glob("*.whl"):
                for name, new in digests(wheel).items():
                    found.setdefault(name, set()).update(new)
    lines = {name: sorted(found[name]) for name in sorted(found)}
    TARGET.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
