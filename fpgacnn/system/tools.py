"""Find compilers, vendor tools and other foreign programs, all by the same rule."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSearch:
    """A search for a program.

    `chosen` is the value of a command-line flag; without it the environment variable `variable` counts; without that,
    `names` are tried in order. If a flag or a variable names a missing program, no other program replaces it.
    """

    variable: str
    names: tuple[str, ...]
    chosen: str | None = None

    @property
    def wanted(self) -> tuple[str, ...]:
        """The names that are tried, for a message."""
        named = self.chosen or os.environ.get(self.variable)
        return (named,) if named else self.names

    def commands(self) -> Iterator[tuple[str, ...]]:
        """All programs found, as words of a command: absolute path and arguments, best first.

        A name may be a path, also with blanks in it, or a command with arguments, as `ccache g++`.
        """
        for name in self.wanted:
            whole = shutil.which(name)
            if whole:
                yield (os.path.abspath(whole),)  # noqa: PTH100  # links stay: ccache goes by the name of its link
                continue
            try:
                first, *arguments = shlex.split(name)
            except ValueError:  # an open quotation mark, or only blanks
                continue
            path = shutil.which(first)
            if path:
                yield (os.path.abspath(path), *arguments)  # noqa: PTH100  # as above
