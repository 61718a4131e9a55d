"""Events and data sets."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError


class ArrayFileError(FpgacnnError):
    """The file is damaged, is not .npy or .npz, or holds Python objects, which would run code when they are read."""

    code = "FC050"
    message = "{file}: {why}"
    cure = "save with np.savez('x.npz', input_0=x) or np.save('x.npy', x), first axis events"


class ArrayShapeError(FpgacnnError):
    """The shape of the events does not fit the network's input."""

    code = "FC051"
    message = "{file}: {name} has shape {seen}, expected (events, {expected})"
    cure = "the first axis counts events; images are (height, width, channels)"


class NonFiniteInputError(FpgacnnError):
    """The events hold NaN or infinite values, which no fixed-point input can represent."""

    code = "FC052"
    message = "{file}: {name} holds {count} NaN or infinite values, first at event {event}"
    cure = "remove or replace these events"


class EventTypeError(FpgacnnError):
    """An event has a number that the input's element type in the model file, or its integer port, cannot represent."""

    code = "FC053"
    message = "input '{name}' is {holder}, which cannot hold {value} of the events"
    cure = "give events of the element type of the model file; a type that --input-type gives must hold them all"


class DataPackageMissingError(FpgacnnError):
    """A demo, or a data set of the model zoo, is read from a Python package that is not installed."""

    code = "FC055"
    exit_status = 3
    message = "the demonstration data needs the package {package}"
    cure = "pip install 'fpgacnn[{extra}]'"


class DataChecksumError(FpgacnnError):
    """A data file of a package differs from the one that the published results were measured with."""

    code = "FC056"
    exit_status = 3
    message = "{file}: sha256 is {seen}, expected {expected}"
    cure = "install the pinned version: pip install 'fpgacnn[demo]'"
