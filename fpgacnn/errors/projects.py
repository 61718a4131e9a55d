"""Folders that are written or read."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError


class OutputExistsError(FpgacnnError):
    """The output folder exists and was not made by fpgacnn; it is not touched."""

    code = "FC060"
    message = "{folder} exists and is not an fpgacnn project"
    cure = "choose another folder with -o"


class WriteError(FpgacnnError):
    """Writing failed (full disk, read-only folder); nothing half-written is left."""

    code = "FC061"
    exit_status = 3
    message = "cannot write {file}: {why}"
    cure = "free space or choose another folder with -o; the old project, if any, is untouched"


class ProjectError(FpgacnnError):
    """The folder is no fpgacnn project, or files of it were changed or lost."""

    code = "FC062"
    message = "{folder}: {why}"
    cure = "make it again: fpgacnn convert MODEL -o {folder}"
