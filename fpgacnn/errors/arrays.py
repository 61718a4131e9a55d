"""Events and data sets."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError, way


class ArrayFileError(FpgacnnError):
    """The file is damaged, is not .npy or .npz, or holds Python objects, which would run code when they are read."""

    code = "FC050"
    message = "{file}: {why}"
    cure = "save with np.savez('x.npz', input_0=x) or np.save('x.npy', x), first axis events"
    ways = (
        way(
            "fpgacnn convert model.h5 --input events.txt",
            "the file is neither .npy nor .npz",
            file="events.txt",
            why="neither .npy nor .npz",
        ),
        way(
            "fpgacnn convert model.h5 --input events.npz",
            "an array holds Python objects or texts",
            file="events.npz",
            why="input_0 holds object, not numbers",
        ),
        way(
            "fpgacnn convert model.h5 --input events.npz",
            "an input of the network is not in the file",
            file="events.npz",
            why="it has no 'input_0', but image, labels",
        ),
        way(
            "fpgacnn convert model.h5 --input events.npz",
            "the arrays hold different numbers of events",
            file="events.npz",
            why="the inputs have different numbers of events",
        ),
        way(
            "fpgacnn convert model.h5 --input events.npz",
            "the labels are no whole numbers, one for each event",
            file="events.npz",
            why="labels must be 397 whole numbers, found float64 (397, 10)",
        ),
        way(
            "fpgacnn convert model.h5 --input events.npz",
            "a copy of the file was ended early",
            file="events.npz",
            why="input_0 announces 50816 bytes of data, but the file has 4096",
        ),
    )


class ArrayShapeError(FpgacnnError):
    """The shape of the events does not fit the network's input."""

    code = "FC051"
    message = "{file}: {name} has shape {seen}, expected (events, {expected})"
    cure = "the first axis counts events; images are (height, width, channels)"
    ways = (
        way(
            "fpgacnn convert model.h5 --input events.npy",
            "images are flat, or have no channel axis",
            file="events.npy",
            name="input_0",
            seen="(397, 64)",
            expected="8, 8, 1",
        ),
    )


class NonFiniteInputError(FpgacnnError):
    """The events hold NaN or infinite values, which no fixed-point input can represent."""

    code = "FC052"
    message = "{file}: {name} holds {count} NaN or infinite values, first at event {event}"
    cure = "remove or replace these events"
    ways = (
        way(
            "fpgacnn convert model.h5 --input events.npz",
            "events come from a division by zero, or have missing values",
            file="events.npz",
            name="input_0",
            count=3,
            event=17,
        ),
    )


class EventTypeError(FpgacnnError):
    """An event has a number that the input's element type in the model file, or its integer port, cannot represent."""

    code = "FC053"
    message = "input '{name}' is {holder}, which cannot hold {value} of the events"
    cure = "give events of the element type of the model file; a type that --input-type gives must hold them all"
    ways = (
        way(
            "fpgacnn convert model.onnx --input events.npz",
            "an input of the ONNX file holds whole numbers, and an event has another number",
            name="image",
            holder="uint8 in the model file",
            value="256",
        ),
    )


class DataPackageMissingError(FpgacnnError):
    """A demo, or a data set of the model zoo, is read from a Python package that is not installed."""

    code = "FC055"
    exit_status = 3
    message = "the demonstration data needs the package {package}"
    cure = "pip install 'fpgacnn[{extra}]'"
    remedy = "install the package that the hint names: the extra `demo` holds all of them"
    ways = (
        way(
            "fpgacnn demo km3net",
            "fpgacnn was installed without its extra `demo`",
            package="km3net-testdata",
            extra="demo",
        ),
    )


class DataChecksumError(FpgacnnError):
    """A data file of a package differs from the one that the published results were measured with."""

    code = "FC056"
    exit_status = 3
    message = "{file}: sha256 is {seen}, expected {expected}"
    cure = "install the pinned version: pip install 'fpgacnn[demo]'"
    ways = (
        way(
            "fpgacnn demo km3net",
            "another version of the data package is installed",
            file="hits.root",
            seen="9f2c41d0",
            expected="51b7e2aa",
        ),
        way(
            "fpgacnn demo km3net",
            "a file of the package was deleted",
            file="hits.root",
            seen="none (no such file)",
            expected="51b7e2aa",
        ),
    )
