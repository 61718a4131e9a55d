"""Networks that cannot be built, and widths that are missing."""

from __future__ import annotations

from enum import StrEnum
from typing import NoReturn

from fpgacnn.errors.base import FpgacnnError


class UnsupportedLayerError(FpgacnnError):
    """The layer's class is not on the white list. Unknown classes are refused by name, never executed."""

    code = "FC020"
    message = "layer '{layer}' is a {kind}, which cannot be converted{why}"
    cure = "replace or remove the layer; `fpgacnn inspect FILE` lists what each layer is"


class UnsupportedOptionError(FpgacnnError):
    """The layer is supported, but not with this option."""

    code = "FC021"
    message = "{layer}: {why}"
    cure = "{do}"


class UnsupportedQuantizerError(FpgacnnError):
    """The quantizer is unknown or has an option whose arithmetic is not defined for hardware."""

    code = "FC022"
    message = "layer '{layer}': quantizer {quantizer}: {why}"
    cure = "use quantized_bits(bits, integer, alpha=1) or quantized_relu(bits, integer); in QONNX, Quant with rounding_mode ROUND"


class CodeInFileError(FpgacnnError):
    """The layer carries Python code or names a function to call (Lambda, TFOpLambda). It is refused unread."""

    code = "FC023"
    message = "layer '{layer}' is a {kind}: it holds code, and code from a file is never run"
    cure = "replace the layer by a Keras layer that does the same, and save the model again"


class GraphError(FpgacnnError):
    """The layers do not form a graph that can be computed from inputs to outputs."""

    code = "FC024"
    message = "{file}: {why}"
    cure = "save the model again with model.save('x.h5'), or export it to ONNX again"


class ShapeError(FpgacnnError):
    """A layer's input has not the shape that the layer needs."""

    code = "FC025"
    message = "layer '{layer}': {why}"
    cure = "check the architecture; the batch size alone may be unknown (None)"


class WidthsNeededError(FpgacnnError):
    """A float layer has no quantizer, so nothing in the file says how many bits it may use."""

    code = "FC030"
    message = "layer '{layer}' has float {what} without a quantizer: bit widths are needed"
    cure = "add `--calibrate X.npz` (widths from real events) or `--bits 16`, or quantize the model with QKeras first"


class WidthLimitError(FpgacnnError):
    """A lossless value would need more bits than the 64-bit integers of the emulator leave for it (62)."""

    code = "FC031"
    message = "layer '{layer}': {what} needs {bits} bits, more than the limit of {limit}"
    cure = "use fewer bits for inputs or weights, or add a quantized activation before this layer"


class FormatTextError(FpgacnnError):
    """The text is not a fixed-point type."""

    code = "FC032"
    message = "'{text}' is not a fixed-point type"
    cure = "write for example ufixed<8,0>, fixed<16,6> or fixed<12,4,RND_CONV,SAT>"


class UnknownNameError(FpgacnnError):
    """A part, layer, engine or setting of that name does not exist."""

    code = "FC040"
    message = "unknown {what} '{name}'"
    cure = "known: {known}"


class NoReferenceError(FpgacnnError):
    """`--reference` names a framework that the file does not belong to, or that no installation has."""

    code = "FC200"
    message = "{file}: --reference {reference} cannot answer for a network of {framework}"
    cure = "leave out --reference: the framework that the file belongs to answers where it is installed"


class Choice(StrEnum):
    """Words of which one is chosen; any other raises UnknownNameError, which lists them."""

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in cls.__name__).strip()
        raise UnknownNameError(what=words, name=str(value), known=", ".join(cls))
