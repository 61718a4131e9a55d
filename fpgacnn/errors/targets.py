"""Errors about parts and about what is estimated."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError


class UnknownPartError(FpgacnnError):
    """The part is not in fpgacnn's table, so nobody can say what it holds, or it is made for tools that fpgacnn does not write projects for.

    `convert --unlisted-part` takes a part of AMD (Xilinx) that the table does not have: there is no estimate then, and the name is
    checked by the vendor's tool alone. A device without package and speed grade, as xcku115, is completed, and a note says so.
    """

    code = "FC120"
    message = "the part '{part}' {why}"
    cure = (
        "give a full part name such as xcku115-flvb2104-2-i, or a board such as zcu102; fpgacnn/hardware/devices/devices.toml lists them; "
        "convert --unlisted-part goes on without an estimate where an AMD part is missing there"
    )


class UnreadableProjectError(FpgacnnError):
    """A folder looks like an hls4ml project, but a file that says what the hardware is made of is missing or cannot be read."""

    code = "FC121"
    message = "{file}: {why}"
    cure = "give a folder that `fpgacnn convert` or `hls4ml convert` has written, with firmware/parameters.h and firmware/defines.h"


class ConfigFileError(FpgacnnError):
    """The file of `--config` is missing, no TOML, or says what no flag of the target can be."""

    code = "FC130"
    message = "{file}: {why}"
    cure = 'write flags as in: clock = 4.0, io = "stream", and [layers.conv1] with reuse = 4; docs/how-to.md has an example'


class TargetExistsError(FpgacnnError):
    """The file for a target exists and was not written by `fpgacnn fit`; it is not touched."""

    code = "FC131"
    message = "{file} exists and was not written by fpgacnn fit"
    cure = "choose another name with -o, or remove it"
