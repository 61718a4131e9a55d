"""Layers, options and graphs that are not supported, and widths that are missing."""

from __future__ import annotations

from enum import StrEnum
from typing import NoReturn

from fpgacnn.errors.base import FpgacnnError


class UnsupportedLayerError(FpgacnnError):
    """The file has a layer of a class that fpgacnn does not support. Classes from a file are never executed."""

    code = "FC020"
    message = "layer '{layer}' is a {kind}, which cannot be converted{why}"
    cure = "replace or remove the layer; `fpgacnn inspect FILE` lists what each layer is"


class UnsupportedOptionError(FpgacnnError):
    """The class of the layer is supported, but one of its options, or the combination of them, is not."""

    code = "FC021"
    message = "{layer}: {why}"
    cure = "{do}"


class UnsupportedQuantizerError(FpgacnnError):
    """The quantizer is unknown or has an option whose arithmetic is not defined for hardware."""

    code = "FC022"
    message = "layer '{layer}': quantizer {quantizer}: {why}"
    cure = (
        "use quantized_bits(bits, integer, alpha=1) or quantized_relu(bits, integer); "
        "in QONNX, Quant with rounding_mode ROUND"
    )


class CodeInFileError(FpgacnnError):
    """The layer holds Python code or names a function to call (Lambda, TFOpLambda); the code is not even read."""

    code = "FC023"
    message = "layer '{layer}' is a {kind}: it holds code, and code from a file is never run"
    cure = "replace the layer by a Keras layer that does the same, and save the model again"


class GraphError(FpgacnnError):
    """The layers of the file do not form a graph from inputs to outputs: a cycle, a missing tensor, a name twice."""

    code = "FC024"
    message = "{file}: {why}"
    cure = "save the model again with model.save('x.h5'), or export it to ONNX again"


class ShapeError(FpgacnnError):
    """The shape of a layer's input does not fit the layer or its weights."""

    code = "FC025"
    message = "layer '{layer}': {why}"
    cure = "check the architecture; the batch size alone may be unknown (None)"


class WidthsNeededError(FpgacnnError):
    """A layer has no quantizer, so that the file does not define its bit widths, and no flag gives them."""

    code = "FC030"
    message = "layer '{layer}' has float {what} without a quantizer: bit widths are needed"
    cure = "add `--calibrate X.npz` (widths from real events) or `--bits 16`, or quantize the model with QKeras first"


class WidthLimitError(FpgacnnError):
    """An exact value needs more than 62 bits, which is the most that the 64-bit integers of the emulator allow."""

    code = "FC031"
    message = "layer '{layer}': {what} needs {bits} bits, more than the limit of {limit}"
    cure = "use fewer bits for inputs or weights, or add a quantized activation before this layer"


class FormatTextError(FpgacnnError):
    """A flag or a file holds a text where a fixed-point type such as fixed<16,6> is expected."""

    code = "FC032"
    message = "'{text}' is not a fixed-point type"
    cure = "write for example ufixed<8,0>, fixed<16,6> or fixed<12,4,RND_CONV,SAT>"


class InputTypeError(FpgacnnError):
    """The fixed-point type has values that the input's element type in the model file does not have."""

    code = "FC033"
    message = "input '{name}' is {element} in the model file, which cannot hold every value of {format}"
    cure = "give --input-type '{own}' or fewer bits of it, or leave it out: then each input has a type that fits"


class UnknownNameError(FpgacnnError):
    """A part, layer, engine or setting of that name does not exist."""

    code = "FC040"
    message = "unknown {what} '{name}'"
    cure = "known: {known}"


class NoReferenceError(FpgacnnError):
    """`--reference` names a framework that cannot load this kind of file."""

    code = "FC200"
    message = "{file}: --reference {reference} cannot run a network of {framework}"
    cure = "leave out --reference: the framework that wrote the file is used where it is installed"


class Choice(StrEnum):
    """A choice between fixed words; another word raises UnknownNameError, which lists them."""

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in cls.__name__).strip()
        raise UnknownNameError(what=words, name=str(value), known=", ".join(cls))
