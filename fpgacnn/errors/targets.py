"""Parts, target files, boards, and the projects that are estimated."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError, way


class UnknownPartError(FpgacnnError):
    """The part is not in fpgacnn's table of parts, or it belongs to tools that fpgacnn does not write projects for.

    `convert --unlisted-part` takes a part of AMD (Xilinx) that is not in the table: there is no estimate then, and only
    the vendor's tool checks the name. A device without package and speed grade, as xcku115, is completed with a note.
    """

    code = "FC120"
    message = "the part '{part}' {why}"
    cure = (
        "give a full part name such as xcku115-flvb2104-2-i, or a board such as zcu102; "
        "fpgacnn/hardware/devices/devices.toml lists them; "
        "convert --unlisted-part goes on without an estimate where an AMD part is missing there"
    )
    ways = (
        way(
            "fpgacnn convert model.h5 --part xcku15",
            "the name is misspelt",
            part="xcku15",
            why="is unknown; near names: xcku115-flvb2104-2-i",
        ),
        way(
            "fpgacnn convert model.h5 --part xcku115-zzz9",
            "the device is known, its package is not",
            part="xcku115-zzz9",
            why="has a package or speed grade that cannot be read; near names: xcku115-flvb2104-2-i",
        ),
    )


class UnreadableProjectError(FpgacnnError):
    """A folder looks like an hls4ml project, but a file that describes its layers is missing or cannot be read."""

    code = "FC121"
    message = "{file}: {why}"
    cure = (
        "give a folder that `fpgacnn convert` or `hls4ml convert` has written, "
        "with firmware/parameters.h and firmware/defines.h"
    )
    ways = (
        way(
            "fpgacnn estimate my_hls4ml_project",
            "the project has no C++ of hls4ml",
            file="my_hls4ml_project/firmware",
            why="no C++ file that calls hls4ml's templates",
        ),
        way(
            "fpgacnn estimate my_hls4ml_project",
            "the weights were edited",
            file="firmware/weights/w2.h",
            why="not a list of numbers",
        ),
    )


class OtherToolProjectError(UnreadableProjectError):
    """hls4ml wrote the project with a backend for a tool of another vendor, whose templates cost something else.

    The estimate counts the templates of Vivado HLS and Vitis HLS. Its numbers would be wrong for any other tool.
    """

    code = "FC117"
    message = "{folder} is a project for {tool}, and only projects for Vivado HLS and Vitis HLS are estimated"
    cure = "give the model file to fpgacnn estimate, or write the project with hls4ml's backend Vivado or Vitis"
    ways = (
        way(
            "fpgacnn estimate my_catapult_project",
            "the project was written with the backend Catapult",
            folder="my_catapult_project",
            tool="Siemens Catapult",
        ),
        way(
            "fpgacnn estimate my_quartus_project --part zcu102",
            "the project was written with the backend Quartus",
            folder="my_quartus_project",
            tool="Intel Quartus HLS",
        ),
    )


class ConfigFileError(FpgacnnError):
    """The file of `--config` is missing, is not TOML, or has a key or a value that no flag of the target takes."""

    code = "FC130"
    message = "{file}: {why}"
    cure = (
        'write flags as in: clock = 4.0, io = "stream", and [layers.conv1] with reuse = 4; '
        "docs/how-to.md has an example"
    )
    ways = (
        way(
            "fpgacnn convert model.h5 --config target.toml",
            "a key is misspelt",
            file="target.toml",
            why="'reuse_factor' of layer 'conv1' is none of reuse, strategy",
        ),
        way(
            "fpgacnn convert model.h5 --config target.toml",
            "a value has another type",
            file="target.toml",
            why="reuse must be a whole number",
        ),
        way(
            "fpgacnn convert model.h5 --config missing.toml",
            "the file does not exist",
            file="missing.toml",
            why="No such file or directory",
        ),
    )


class TargetExistsError(FpgacnnError):
    """`fpgacnn fit -o FILE` names a file that exists and that `fpgacnn fit` did not write; it stays as it is."""

    code = "FC131"
    message = "{file} exists and was not written by fpgacnn fit"
    cure = "choose another name with -o, or remove the file"
    ways = (way("fpgacnn fit model.h5 -o pyproject.toml", "a file of the user has this name", file="pyproject.toml"),)


class FifoFileError(FpgacnnError):
    """The file of `--fifo` is missing, is not JSON, or does not give a number of places for each FIFO that it names."""

    code = "FC133"
    message = "{file}: {why}"
    cure = (
        'write a JSON object with the places of each FIFO, such as "conv1": 16, "conv1:add": 64; '
        "`fpgacnn estimate MODEL --io stream --json` has the names under estimate.simulated.streams"
    )
    ways = (
        way(
            "fpgacnn convert model.h5 --fifo depths.json",
            "a depth is no whole number",
            file="depths.json",
            why="the depth of 'conv1' is no whole number between 1 and 1,048,576",
        ),
        way(
            "fpgacnn convert model.h5 --fifo depths.json",
            "the file holds a list",
            file="depths.json",
            why="is no object with a number of places for each FIFO",
        ),
    )


class BoardRefusedError(FpgacnnError):
    """The board cannot run this project: it is for an older tool, RTL for a card, or its events are too long."""

    code = "FC230"
    message = "{what}: {why}"
    cure = "docs/board.md lists the boards, the tools and the limits"
    ways = (
        way(
            "fpgacnn board my_project --board pynq-z2",
            "the project is for Vivado HLS",
            what="a project for Vivado HLS on pynq-z2",
            why="the wrapper needs Vitis HLS 2021.1 to 2025.2; convert with --backend vitis",
        ),
        way(
            "fpgacnn convert model.h5 --backend rtl --board alveo-u50",
            "RTL projects have no kernel for cards",
            what="an RTL project on alveo-u50",
            why="kernels of cards read the memory of the card, and only the wrapper of HLS projects does;"
            " convert with --backend vitis, or for a board with a processor or a serial line",
        ),
    )


class WrapperFormError(FpgacnnError):
    """The top function of the project does not have the ports of its design, so that no wrapper can be written."""

    code = "FC231"
    message = "{file} has other ports than the design: {why}"
    cure = "convert the model again: files of the project were changed by hand"
    ways = (
        way(
            "fpgacnn board my_project --board pynq-z2",
            "an argument of the top function was taken out",
            file="firmware/myproject.h",
            why="it has 1 ports, not 2",
        ),
    )


class WrapperFrameError(FpgacnnError):
    """The wrapper of a board answered with broken frames in simulation: a wrong status, TLAST, TKEEP or length."""

    code = "FC232"
    exit_status = 1
    message = "the wrapper of {board} answers with broken frames: {why}"
    cure = "write it again: fpgacnn board PROJECT --board {board}"
    remedy = "write the files of the board again: fpgacnn board PROJECT --board NAME"
    ways = (
        way(
            "fpgacnn verify my_project",
            "the wrapper was changed by hand",
            board="pynq-z2",
            why="TLAST of word 3 is 1",
        ),
    )


class BoardMissingError(FpgacnnError):
    """The project has no files for this board, or they are damaged."""

    code = "FC233"
    message = "{folder}: {why}"
    cure = "write them: fpgacnn board PROJECT --board NAME"
    ways = (
        way(
            "fpgacnn board my_project --report",
            "no files were written for a board",
            folder="my_project/board",
            why="there are no files for any board",
        ),
        way(
            "fpgacnn verify my_project",
            "the C++ was changed after the files of the board were written",
            folder="my_project/board/pynq-z2",
            why="its wrapper belongs to other C++ than that of the project now",
        ),
    )


class CalibrationFileError(FpgacnnError):
    """The local file with the user's own synthesized designs, which correct estimates, cannot be read or written."""

    code = "FC135"
    message = "{file}: {why}"
    cure = (
        "remove the file and run `fpgacnn estimate --learn FOLDER...` again; FPGACNN_CALIBRATION=none estimates without"
    )
    ways = (
        way(
            "fpgacnn estimate model.h5",
            "the file was edited by hand",
            file="~/.local/share/fpgacnn/calibration.json",
            why="damaged: design 0, reported: LUT is no number from 0 to 1e+100",
        ),
    )


class NothingLearnedError(FpgacnnError):
    """`fpgacnn estimate --learn` was given no folder with a project and its reports of C synthesis."""

    code = "FC136"
    message = "nothing to learn: {why}"
    cure = "give project folders that were synthesized: `fpgacnn synth FOLDER` runs the tool and keeps its reports"
    ways = (
        way(
            "fpgacnn estimate --learn my_project",
            "the project was never synthesized",
            why="my_project: no report of C synthesis of the top function",
        ),
    )
