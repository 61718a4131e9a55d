"""The reasons for which a test of `make test` may be skipped: nobody sees what a silent skip no longer shows."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

LISTED = (
    r"this machine (runs no kernels of|does not run) ",  # kinds of processors
    r"FPGACNN_EMULATE_ARM is not set",
    r"FPGACNN_(SYNTHESIS|WILD) names no",  # networks and reports of others
    r"fuzzing led by coverage is not part of the tests that always run",
    r"this Python was built for kernels before",
    r"an exponential has no table so large",  # one of all combinations of parameters
    r"this network cannot be built so",
    r"only root can give ",
    r"root may write everywhere",
    r"cannot mount ",
    r"only \d+ files may be open here",
    r"pip \S+ cannot be downloaded",
    r"clang is not installed",  # 371 MB; a script that answers as clang does is in its place
)
"""What a machine is or lets us do, data of others, combinations that do not exist. `make test` installs all else."""

NOT_INSTALLED = Path(sys.prefix) / "not-installed"
"""A line for each program that the Makefile could not install on this machine."""


def unlisted(reasons: Iterable[str], missing: Iterable[str]) -> list[str]:
    """The reasons that are neither listed nor name a program that could not be installed here."""
    allowed = re.compile("|".join((*LISTED, *(re.escape(name) for name in missing))), re.IGNORECASE)
    return sorted({reason for reason in reasons if not allowed.search(reason)})


def not_installed(file: Path = NOT_INSTALLED) -> list[str]:
    """The names in that file; none where there is no such file."""
    return file.read_text(encoding="utf-8").split() if file.is_file() else []
