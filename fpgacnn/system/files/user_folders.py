"""The user's folders for caches and data, as the XDG Base Directory Specification says."""

from __future__ import annotations

import errno
import os
import pwd
from pathlib import Path


def user_folder(variable: str, below_home: str) -> Path:
    """The folder that a variable names, else the one below the home folder; a relative path counts as no path.

    HOME may be empty or relative too: then the home folder is that of the user database. Raises FileNotFoundError where
    nothing names a folder.
    """
    given, home = Path(os.environ.get(variable, "")), Path(os.environ.get("HOME", ""))
    if given.is_absolute():
        return given
    if not home.is_absolute():
        try:
            home = Path(pwd.getpwuid(os.getuid()).pw_dir)
        except KeyError as error:
            raise FileNotFoundError(errno.ENOENT, f"neither {variable} nor HOME names a folder", "HOME") from error
    return home / below_home
