"""How compilers, vendor tools and other foreign programs are found: one rule for all of them."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSearch:
    """A program that is looked for.

    `chosen` is what a flag of the command line names; without it the environment variable `variable` counts; without
    that, `names` are tried in their order. A flag or a variable that names something missing is not replaced by
    another program.
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
        """What is found, as words of a command: the absolute path of a program and its arguments, best first.

        A name may be a path, also with blanks in it, or a command with arguments, as `ccache g++`.
        """
        for name in self.wanted:
            whole = shutil.which(name)
            if whole:
                yield (os.path.abspath(whole),)  # noqa: PTH100  # links stay: ccache goes by the name of its link
                continue
            try:
                first, *arguments = shlex.split(name)
            except ValueError:  # an open quotation mark, or nothing but blanks
                continue
            path = shutil.which(first)
            if path:
                yield (os.path.abspath(path), *arguments)  # noqa: PTH100  # as above
