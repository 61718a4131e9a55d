"""Project folders that are written or read."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError


class OutputExistsError(FpgacnnError):
    """The output folder exists and is not a project of fpgacnn; it stays as it is."""

    code = "FC060"
    message = "{folder} exists and is not an fpgacnn project"
    cure = "choose another folder with -o"


class WriteError(FpgacnnError):
    """A file or folder cannot be written (full disk, read-only folder); nothing half-written is left."""

    code = "FC061"
    exit_status = 3
    message = "cannot write {file}: {why}"
    cure = "free space or choose another folder with -o; the old project, if any, is untouched"


class OutputStreamError(FpgacnnError):
    """The standard output cannot be written, as on a full disk; files that the command wrote are complete."""

    code = "FC064"
    exit_status = 3
    message = "cannot write to the standard output: {why}"
    cure = "free space, or send the output elsewhere; -q prints no tables"


class FileInTheWayError(FpgacnnError):
    """The output file exists and was not written by fpgacnn, or is a link, a pipe or a device; it stays as it is."""

    code = "FC063"
    message = "{file} exists and was not written by fpgacnn"
    cure = "choose another name, or remove it"


class ProjectError(FpgacnnError):
    """The folder is not a project of fpgacnn, or files of it were changed or are missing."""

    code = "FC062"
    message = "{folder}: {why}"
    cure = "write it again: fpgacnn convert MODEL -o {folder}"
