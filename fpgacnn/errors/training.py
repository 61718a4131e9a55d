"""Quantizing of float networks, and data for it."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError


class AlreadyQuantizedError(FpgacnnError):
    """The network has quantizers already, but `fpgacnn quantize` starts from a float network."""

    code = "FC140"
    message = "layer '{layer}' has a quantizer already: {quantizer}"
    cure = "give the float network; `fpgacnn convert FILE` converts a quantized one as it is"


class NotExportableError(FpgacnnError):
    """QKeras has no layer that computes and trains the same as this layer of the float network."""

    code = "FC141"
    message = "layer '{layer}' is a {kind}, which QKeras has no layer for: {why}"
    cure = "replace the layer, or convert without training: fpgacnn convert FILE --bits W"


class LabelsError(FpgacnnError):
    """The labels of the training data do not fit the network's output."""

    code = "FC142"
    message = "{data}: {why}"
    cure = (
        "labels are whole numbers, one for each event, for a network of one output; "
        "without labels the quantized network learns the answers of the float network"
    )


class TooFewEventsError(FpgacnnError):
    """There are too few events, or too few groups of events, to split them for training, validation and test."""

    code = "FC143"
    message = "{data}: {events} events in {groups} groups are too few to split"
    cure = "give more events; copies of one event, and events of one group, are never separated"


class DivergedError(FpgacnnError):
    """The loss became infinite or NaN during training; the weights after that are useless."""

    code = "FC144"
    exit_status = 1
    message = "training diverged in epoch {epoch}: the loss is {loss}"
    cure = "train with a smaller --learning-rate"


class DataFolderMissingError(FpgacnnError):
    """The data set is read from a package of the operating system or from a folder, and a file of it is missing."""

    code = "FC145"
    exit_status = 3
    message = "{name}: there is no file {file}"
    cure = "{do}"


class BudgetError(FpgacnnError):
    """The value of `--budget` cannot be read, or no network can be fitted to it."""

    code = "FC146"
    message = "--budget {budget}: {why}"
    cure = "write ebops=NUMBER, lut=NUMBER, both also in % of uniform --bits, or accuracy-drop=PERCENT%"
