"""Events and data sets."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError


class ArrayFileError(FpgacnnError):
    """The array file cannot be read as .npy or .npz without running code."""

    code = "FC050"
    message = "{file}: {why}"
    cure = "save with np.savez('x.npz', input_0=x) or np.save('x.npy', x), first axis events"


class ArrayShapeError(FpgacnnError):
    """The events have not the shape of the network's input."""

    code = "FC051"
    message = "{file}: {name} has shape {seen}, expected (events, {expected})"
    cure = "the first axis counts events; images are (height, width, channels)"


class NonFiniteInputError(FpgacnnError):
    """The events hold NaN or infinite values, which no fixed-point input can carry."""

    code = "FC052"
    message = "{file}: {name} holds {count} NaN or infinite values, first at event {event}"
    cure = "remove or replace these events"


class DataPackageMissingError(FpgacnnError):
    """The demonstration data comes from a Python package that is not installed."""

    code = "FC055"
    exit_status = 3
    message = "the demonstration data needs the package {package}"
    cure = "pip install 'fpgacnn[{extra}]'"


class DataChecksumError(FpgacnnError):
    """A data file of a package differs from the one the figures were measured on."""

    code = "FC056"
    exit_status = 3
    message = "{file}: sha256 is {seen}, expected {expected}"
    cure = "install the pinned version: pip install 'fpgacnn[demo]'"
