"""Model files that cannot be read, or that are refused."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError


class FileMissingError(FpgacnnError):
    """The named file does not exist or may not be read."""

    code = "FC010"
    message = "{file}: {why}"
    cure = "check the path and its permissions"


class NotAModelError(FpgacnnError):
    """The content of the file is in none of the formats that fpgacnn reads; the suffix does not matter."""

    code = "FC011"
    message = "{file}: not a model file that fpgacnn reads: {seen}"
    cure = "give a file that model.save('x.h5') wrote, a .keras or .onnx file, or JSON with --weights x.h5"


class BrokenFileError(FpgacnnError):
    """The file has a known format, but it is cut short or damaged, or its library crashes on it."""

    code = "FC012"
    message = "{file}: damaged or cut short: {why}"
    cure = "copy or save the file again"


class HostileFileError(FpgacnnError):
    """The file points outside itself (external, virtual or linked data). Such files are never followed."""

    code = "FC013"
    message = "{file}: {where}: {seen} is refused, because it reads data from outside the file"
    cure = "save the model again with model.save('x.h5'), or onnx.save(model, 'x.onnx') with all weights inside"


class TooLargeError(FpgacnnError):
    """A part of the file is larger than in any network that fits an FPGA; it is refused before memory is used."""

    code = "FC014"
    message = "{file}: {where} is too large: {seen} (limit {limit})"
    cure = "check the file; fpgacnn reads networks that can fit an FPGA"


class BrokenArchitectureError(FpgacnnError):
    """The architecture inside the file is not what Keras, or an exporter to ONNX, writes."""

    code = "FC015"
    message = "{file}: {where}: {why}"
    cure = "save the model again with model.save('x.h5'), or export it to ONNX again"


class WeightsError(FpgacnnError):
    """The weights of a layer are missing or have another shape than the architecture needs."""

    code = "FC016"
    message = "{file}: layer '{layer}': {why}"
    cure = "save architecture and weights from the same model"


class NonFiniteWeightsError(FpgacnnError):
    """A weight is NaN or infinite, as after a training that diverged; no hardware can compute with it."""

    code = "FC017"
    message = "{file}: layer '{layer}': {count} of {total} values of {weight} are NaN or infinite in float32"
    cure = "train again from a checkpoint before the loss became NaN"


class TrainedWidthsError(FpgacnnError):
    """Trained widths of HGQ are larger than any that can be built.

    Nothing kept them small while the network trained.
    """

    code = "FC018"
    message = "{file}: layer '{layer}': {count} of {total} {what} {why}"
    cure = "limit the widths in training: constraints fc, ic and bc of a QuantizerConfig of HGQ2, bw_clip of HGQ"
