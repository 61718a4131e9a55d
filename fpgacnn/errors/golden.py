"""Golden vectors that are missing, damaged, in the way or not to be trusted."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError


class GoldenMissingError(FpgacnnError):
    """The project was never frozen, or its golden vectors lie elsewhere."""

    code = "FC160"
    message = "{folder}: no golden vectors here"
    cure = "freeze the project first: fpgacnn freeze {project}"


class GoldenBrokenError(FpgacnnError):
    """The golden vectors were damaged, edited, or written by another version; nothing can be held against them."""

    code = "FC161"
    message = "{folder}: golden vectors that cannot be used: {why}"
    cure = "restore them from version control, or freeze again: fpgacnn freeze {project} --update"


class GoldenExistsError(FpgacnnError):
    """There are golden vectors already; they are replaced only where that is asked for."""

    code = "FC162"
    message = "{folder}: golden vectors exist"
    cure = "`fpgacnn verify {project} --locked` compares with them; `fpgacnn freeze {project} --update` replaces them"


class NotFreezableError(FpgacnnError):
    """C simulation and emulator disagree on the project, so neither answer is golden."""

    code = "FC163"
    exit_status = 1
    message = "{project} cannot be frozen: C simulation and emulator differ first at {where}"
    cure = "see `fpgacnn verify {project}`; convert the model again"
