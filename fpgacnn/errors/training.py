"""Quantizing float networks and the data for it."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError


class AlreadyQuantizedError(FpgacnnError):
    """The network has quantizers already; `quantize` starts from a float network."""

    code = "FC140"
    message = "layer '{layer}' has a quantizer already: {quantizer}"
    cure = "give the float network; `fpgacnn convert FILE` converts a quantized one as it is"


class NotExportableError(FpgacnnError):
    """The layer has no QKeras twin that computes and trains the same."""

    code = "FC141"
    message = "layer '{layer}' is a {kind}, which has no QKeras twin: {why}"
    cure = "replace the layer, or convert without training: fpgacnn convert FILE --bits W"


class LabelsError(FpgacnnError):
    """The labels do not fit the network's output."""

    code = "FC142"
    message = "{data}: {why}"
    cure = "labels are whole numbers, one an event, for a network of one output; without labels the float network itself is imitated"


class TooFewEventsError(FpgacnnError):
    """There are not enough events for a training, a validation and a test part."""

    code = "FC143"
    message = "{data}: {events} events in {groups} groups are too few for three parts"
    cure = "give more events; copies of one event, and events of one group, go to the same part"


class DivergedError(FpgacnnError):
    """The loss became infinite or NaN during training; the weights are worthless from there on."""

    code = "FC144"
    exit_status = 1
    message = "training diverged in epoch {epoch}: the loss is {loss}"
    cure = "train with a smaller --learning-rate"


class DataFolderMissingError(FpgacnnError):
    """The data set comes from a package of the operating system, or a folder, that is not there."""

    code = "FC145"
    exit_status = 3
    message = "{name}: no file {file}"
    cure = "{do}"


class BudgetError(FpgacnnError):
    """The budget is not one that a network can be fitted to."""

    code = "FC146"
    message = "--budget {budget}: {why}"
    cure = "write ebops=NUMBER, lut=NUMBER, either with % (of uniform --bits), or accuracy-drop=PERCENT%"
