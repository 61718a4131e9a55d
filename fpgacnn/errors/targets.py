"""Parts, target files and the projects that are estimated."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError


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


class UnreadableProjectError(FpgacnnError):
    """A folder looks like an hls4ml project, but a file that describes its layers is missing or cannot be read."""

    code = "FC121"
    message = "{file}: {why}"
    cure = (
        "give a folder that `fpgacnn convert` or `hls4ml convert` has written, "
        "with firmware/parameters.h and firmware/defines.h"
    )


class ConfigFileError(FpgacnnError):
    """The file of `--config` is missing, is not TOML, or has a key or a value that no flag of the target takes."""

    code = "FC130"
    message = "{file}: {why}"
    cure = (
        'write flags as in: clock = 4.0, io = "stream", and [layers.conv1] with reuse = 4; '
        "docs/how-to.md has an example"
    )


class TargetExistsError(FpgacnnError):
    """`fpgacnn fit -o FILE` names a file that exists and that `fpgacnn fit` did not write; it stays as it is."""

    code = "FC131"
    message = "{file} exists and was not written by fpgacnn fit"
    cure = "choose another name with -o, or remove the file"


class FifoFileError(FpgacnnError):
    """The file of `--fifo` is missing, is not JSON, or does not give a number of places for each FIFO that it names."""

    code = "FC133"
    message = "{file}: {why}"
    cure = (
        'write places by FIFO, as in {{"conv1": 16, "conv1:add": 64}}; '
        "`fpgacnn estimate MODEL --io stream --json` has the names under estimate.simulated.streams"
    )
