"""Golden vectors that are missing, damaged or already there, and projects that cannot have any."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError, way


class GoldenMissingError(FpgacnnError):
    """The project was never frozen, or its golden vectors are in another folder."""

    code = "FC160"
    message = "{folder}: there are no golden vectors"
    cure = "freeze the project first: fpgacnn freeze {project}"
    remedy = "freeze the project first, or name the folder with --golden"
    ways = (
        way(
            "fpgacnn verify hls_projects/model --locked",
            "the project was never frozen",
            folder="hls_projects/model.golden",
            project="hls_projects/model",
        ),
    )


class GoldenBrokenError(FpgacnnError):
    """The golden vectors were damaged, edited, or written by another version; no project can be compared with them."""

    code = "FC161"
    message = "{folder}: the golden vectors cannot be used: {why}"
    cure = "restore them from version control, or freeze again: fpgacnn freeze {project} --update"
    remedy = "restore the vectors from version control, or freeze again with `fpgacnn freeze PROJECT --update`"
    ways = (
        way(
            "fpgacnn verify hls_projects/model --locked",
            "a file of the golden vectors was edited or is missing",
            folder="hls_projects/model.golden",
            why="golden.json is missing",
            project="hls_projects/model",
        ),
    )


class GoldenExistsError(FpgacnnError):
    """`fpgacnn freeze` was run without `--update` on a project that has golden vectors already."""

    code = "FC162"
    message = "{folder}: golden vectors exist"
    cure = "`fpgacnn verify {project} --locked` compares with them; `fpgacnn freeze {project} --update` replaces them"
    remedy = (
        "`fpgacnn verify PROJECT --locked` compares with the vectors; `fpgacnn freeze PROJECT --update` replaces them"
    )
    ways = (
        way(
            "fpgacnn freeze hls_projects/model",
            "the project was frozen before",
            folder="hls_projects/model.golden",
            project="hls_projects/model",
        ),
    )


class NotFreezableError(FpgacnnError):
    """Simulation and emulator give different answers for the project, so neither can be kept as right."""

    code = "FC163"
    exit_status = 1
    message = "{project} cannot be frozen: {simulation} and emulator differ first at {where}"
    cure = "see `fpgacnn verify {project}`; convert the model again"
    remedy = "`fpgacnn verify PROJECT` shows every difference; convert the model again"
    ways = (
        way(
            "fpgacnn freeze hls_projects/model",
            "the C++ of the project was edited",
            project="hls_projects/model",
            simulation="C simulation",
            where="conv1[0, 2, 3, 5]",
        ),
    )
