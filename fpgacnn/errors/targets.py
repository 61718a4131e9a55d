"""Errors about parts and about what is estimated."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError


class UnknownPartError(FpgacnnError):
    """The part is not in fpgacnn's table, so nobody can say what it holds; `convert` does not need the table."""

    code = "FC120"
    message = "the part '{part}' is unknown; near names: {near}"
    cure = "give a full part name such as xcku115-flvb2104-2-i, or a board such as zcu102; fpgacnn/targets/devices.toml lists them"


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
