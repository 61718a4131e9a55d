"""Project folders that are written or read."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError, way


class OutputExistsError(FpgacnnError):
    """The output folder exists and is not a project of fpgacnn; it stays as it is."""

    code = "FC060"
    message = "{folder} exists and is not an fpgacnn project"
    cure = "choose another folder with -o"
    ways = (way("fpgacnn convert model.h5 -o thesis", "the folder holds other files", folder="thesis"),)


class WriteError(FpgacnnError):
    """A file or folder cannot be written (full disk, read-only folder); nothing half-written is left."""

    code = "FC061"
    exit_status = 3
    message = "cannot write {file}: {why}"
    cure = "free space or choose another folder with -o; the old project, if any, is untouched"
    ways = (
        way(
            "fpgacnn convert model.h5 -o /data/model",
            "the disk is full",
            file="/data/model",
            why="No space left on device",
        ),
        way(
            "fpgacnn convert model.h5 -o /usr/model",
            "the folder may not be written",
            file="/usr/model",
            why="Permission denied",
        ),
    )


class OutputStreamError(FpgacnnError):
    """The standard output cannot be written, as on a full disk; files that the command wrote are complete."""

    code = "FC064"
    exit_status = 3
    message = "cannot write to the standard output: {why}"
    cure = "free space, or send the output elsewhere; -q prints no tables"
    ways = (way("fpgacnn explain > /data/errors.txt", "the disk is full", why="No space left on device"),)


class FileInTheWayError(FpgacnnError):
    """The output file exists and was not written by fpgacnn, or is a link, a pipe or a device; it stays as it is."""

    code = "FC063"
    message = "{file} exists and was not written by fpgacnn"
    cure = "choose another name, or remove it"
    ways = (way("fpgacnn simulate model.h5 --input x.npy -o notes.txt", "the file exists", file="notes.txt"),)


class ModelGivenError(FpgacnnError):
    """A command that works on a project folder got the file of a model."""

    code = "FC065"
    message = "{file} is the file of a model, and this command needs the folder of a project"
    cure = "fpgacnn convert {file} -o PROJECT   (writes the folder PROJECT)"
    remedy = "convert the model first: fpgacnn convert MODEL -o PROJECT"
    ways = (
        way("fpgacnn verify model.h5", "the file of the model is given", file="model.h5"),
        way("fpgacnn compare old_project model.keras", "one of two projects is a model", file="model.keras"),
    )


class ProjectError(FpgacnnError):
    """The folder is not a project of fpgacnn, or files of it were changed or are missing."""

    code = "FC062"
    message = "{folder}: {why}"
    cure = "write it again: fpgacnn convert MODEL -o {folder}"
    remedy = "write the project again: fpgacnn convert MODEL -o FOLDER"
    ways = (
        way(
            "fpgacnn verify thesis",
            "the folder is no project",
            folder="thesis",
            why="not an fpgacnn project (fpgacnn.json is missing)",
        ),
        way(
            "fpgacnn verify hls_projects/model",
            "its record was edited or is cut short",
            folder="hls_projects/model",
            why="fpgacnn.json is damaged",
        ),
        way(
            "fpgacnn simulate hls_projects/model --input x.npy",
            "its design was edited",
            folder="hls_projects/model",
            why="its design cannot be read (strides)",
        ),
    )
