"""Whether other users can change what lies in a folder: the rule of OpenSSH's StrictModes, for every folder on the way.

Only root and the user may write in the folder and in the folders above it. Above it, a folder with the sticky bit
(/tmp) is safe too: there, users can neither rename nor remove files of others. A group whose only member is the user
counts as the user: many systems give every user such a group, and let it write by default.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path


def why_not_strict(folder: Path, *, sticky_end: bool = False) -> str | None:
    """Why code in a folder could be that of another user; None where it cannot.

    Links are resolved first. Folders of other users are refused too, but for the owner of `/`, who can replace every
    program. `sticky_end` and errors: see `why_others_write`.
    """
    return why_others_write(folder, sticky_end=sticky_end) or _why_of_others(folder)


def why_others_write(folder: Path, *, sticky_end: bool = False) -> str | None:
    """Which folder on the way other users can write; None where there is none.

    `sticky_end`: the folder itself may have the sticky bit, as those above it may. Raises OSError where a folder on the
    way is missing or cannot be examined.
    """
    real = Path(os.path.realpath(folder, strict=True))
    for place in (real, *real.parents):
        state = place.stat()
        if state.st_mode & stat.S_ISVTX and (sticky_end or place != real):
            continue
        if state.st_mode & stat.S_IWOTH or (state.st_mode & stat.S_IWGRP and not _is_own_group(state.st_gid)):
            return f"other users can write in {place}"
    return None


def _why_of_others(folder: Path) -> str | None:
    trusted = {0, os.geteuid(), Path("/").stat().st_uid}
    real = Path(os.path.realpath(folder, strict=True))
    for place in (real, *real.parents):
        owner = place.stat().st_uid
        if owner not in trusted:
            return f"{place} belongs to another user ({owner})"
    return None


def _is_own_group(number: int) -> bool:
    """Whether a group is private: it has the user's name, is the first group of the user, and lists no other member."""
    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(number)
    except KeyError:  # a user or a group that is only a number
        return False
    return group.gr_gid == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
