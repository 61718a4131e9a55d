"""Where what was built is kept: below XDG_CACHE_HOME or ~/.cache."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def cache_folder(name: str) -> Path:
    """The folder of one kind of builds."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fpgacnn" / name


def is_ours(file: Path) -> bool:
    """Whether a file of the cache may be run: a plain file of the user's own that nobody else can write.

    A cache may lie where others can write (a shared XDG_CACHE_HOME); what they put there is not run.
    """
    try:
        state = file.stat(follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISREG(state.st_mode) and state.st_uid == os.geteuid() and not state.st_mode & 0o022
