"""Quantizing of float networks, and data for it."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError, way


class AlreadyQuantizedError(FpgacnnError):
    """The network has quantizers already, but `fpgacnn quantize` starts from a float network."""

    code = "FC140"
    message = "layer '{layer}' has a quantizer already: {quantizer}"
    cure = "give the float network; `fpgacnn convert FILE` converts a quantized one as it is"
    ways = (
        way(
            "fpgacnn quantize q.h5 --data digits -o q2.h5",
            "the file is the result of an earlier run",
            layer="conv1",
            quantizer="quantized_bits(6,0,0,alpha=1)",
        ),
    )


class NotExportableError(FpgacnnError):
    """QKeras has no layer that computes and trains the same as this layer of the float network."""

    code = "FC141"
    message = "layer '{layer}' is a {kind}, which QKeras has no layer for: {why}"
    cure = "replace the layer, or convert without training: fpgacnn convert FILE --bits W"
    ways = (
        way(
            "fpgacnn quantize float.h5 --data digits -o q.h5",
            "a layer that QKeras does not have",
            layer="up",
            kind="Conv1DTranspose",
            why="QKeras has no transposed convolution of one dimension",
        ),
    )


class LabelsError(FpgacnnError):
    """The labels of the training data do not fit the network's output."""

    code = "FC142"
    message = "{data}: {why}"
    cure = (
        "labels are whole numbers, one for each event, for a network of one output; "
        "without labels the quantized network learns the answers of the float network"
    )
    ways = (
        way(
            "fpgacnn quantize float.h5 --data events.npz -o q.h5",
            "the labels count from 1, or belong to another data set",
            data="events.npz",
            why="labels from 1 to 10 do not fit an output of 10 classes: expected 0 to 9",
        ),
        way(
            "fpgacnn quantize float.h5 --data events.npz --test test.npz -o q.h5",
            "the test set has no labels",
            data="events.npz",
            why="only some of the files have labels",
        ),
    )


class TooFewEventsError(FpgacnnError):
    """There are too few events, or too few groups of events, to split them for training, validation and test."""

    code = "FC143"
    message = "{data}: {events} events in {groups} groups are too few to split"
    cure = "give more events; copies of one event, and events of one group, are never separated"
    ways = (
        way(
            "fpgacnn quantize float.h5 --data events.npz -o q.h5",
            "all events belong to one group",
            data="events.npz",
            events=4000,
            groups=1,
        ),
    )


class DivergedError(FpgacnnError):
    """The loss became infinite or NaN during training; the weights after that are useless."""

    code = "FC144"
    exit_status = 1
    message = "training diverged in epoch {epoch}: the loss is {loss}"
    cure = "train with a smaller --learning-rate"
    ways = (
        way(
            "fpgacnn quantize float.h5 --data digits --learning-rate 5 -o q.h5",
            "the learning rate is too large",
            epoch=2,
            loss="nan",
        ),
    )


class DataFolderMissingError(FpgacnnError):
    """The data set is read from a package of the operating system or from a folder, and a file of it is missing."""

    code = "FC145"
    exit_status = 3
    message = "{name}: there is no file {file}"
    cure = "{do}"
    remedy = "the hint says how the data set is installed"
    ways = (
        way(
            "fpgacnn quantize float.h5 --data fashion -o q.h5",
            "the package of the data set is not installed",
            name="Fashion-MNIST",
            file="/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz",
            do="sudo apt-get install dataset-fashion-mnist   (or put the four files into a folder and set"
            " FPGACNN_FASHION_MNIST to it)",
        ),
    )


class BudgetError(FpgacnnError):
    """The value of `--budget` cannot be read, or no network can be fitted to it."""

    code = "FC146"
    message = "--budget {budget}: {why}"
    cure = "write ebops=NUMBER, lut=NUMBER, both also in % of uniform --bits, or accuracy-drop=PERCENT%"
    ways = (
        way(
            "fpgacnn quantize float.h5 --data digits --budget small -o q.h5",
            "the budget has another form",
            budget="small",
            why="not understood",
        ),
        way(
            "fpgacnn quantize float.h5 --data digits --budget ebops=-5 -o q.h5",
            "the limit is not positive",
            budget="ebops=-5",
            why="the limit must be positive",
        ),
    )
