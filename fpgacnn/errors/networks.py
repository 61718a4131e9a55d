"""Layers, options and graphs that are not supported, and widths that are missing."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from fpgacnn.errors.base import FpgacnnError, way


class UnsupportedLayerError(FpgacnnError):
    """The file has a layer of a class that fpgacnn does not support. Classes from a file are never executed."""

    code = "FC020"
    message = "layer '{layer}' is a {kind}, which cannot be converted{why}"
    cure = "replace or remove the layer; `fpgacnn inspect FILE` lists what each layer is"
    ways = (
        way("fpgacnn convert model.h5", "a recurrent layer", layer="memory", kind="LSTM", why=""),
        way(
            "fpgacnn convert model.onnx",
            "an operator that only works on constants was left in the file",
            layer="node_12",
            kind="Range of constants",
            why="; simplify the graph before exporting it",
        ),
    )


class UnsupportedOptionError(FpgacnnError):
    """The class of the layer is supported, but one of its options, or the combination of them, is not."""

    code = "FC021"
    message = "{layer}: {why}"
    cure = "{do}"
    remedy = "change the option that the message names; the hint says to what"
    ways = (
        way(
            "fpgacnn convert model.h5 --io stream",
            "average pooling with padding, and streams",
            layer="pool",
            why="average pooling with padding cannot be streamed",
            do="use --io parallel, or padding='valid'",
        ),
        way(
            "fpgacnn convert model.h5 --io stream",
            "an input that no layer reads, and streams",
            layer="image",
            why="nothing reads this input, and its stream would never be emptied",
            do="remove the input from the network, or use `--io parallel`",
        ),
        way(
            "fpgacnn convert model.h5",
            "a softmax over one class",
            layer="probability",
            why="softmax over one class is always 1",
            do="use sigmoid, or more classes",
        ),
        way(
            "fpgacnn convert model.h5",
            "two outputs that are the same value",
            layer="logits",
            why="two outputs of the network are the same value",
            do="remove one of them",
        ),
        way(
            "fpgacnn convert model.onnx",
            "weights of a type that hardware cannot hold",
            layer="w",
            why="its element type COMPLEX64 is not supported",
            do="export the model with float32 or integer weights",
        ),
    )


class UnsupportedQuantizerError(FpgacnnError):
    """The quantizer is unknown or has an option whose arithmetic is not defined for hardware."""

    code = "FC022"
    message = "layer '{layer}': quantizer {quantizer}: {why}"
    cure = (
        "use quantized_bits(bits, integer, alpha=1) or quantized_relu(bits, integer); "
        "in QONNX, Quant with rounding_mode ROUND"
    )
    ways = (
        way(
            "fpgacnn convert model.h5",
            "a quantizer that fpgacnn has no arithmetic for",
            layer="conv1",
            quantizer="my_quantizer",
            why="unknown quantizer",
        ),
        way(
            "fpgacnn convert model.h5",
            "a quantizer that still mixes in unquantized values",
            layer="conv1",
            quantizer="quantized_bits",
            why="qnoise_factor is not 1, so training mixes in unquantized values",
        ),
        way(
            "fpgacnn convert hgq.keras",
            "an overflow of HGQ2 that hardware has no type for",
            layer="dense",
            quantizer="kq of HGQ2",
            why="overflow_mode SAT_ZERO, or its k, is not supported",
        ),
    )


class CodeInFileError(FpgacnnError):
    """The layer holds Python code or names a function to call (Lambda, TFOpLambda); the code is not even read."""

    code = "FC023"
    message = "layer '{layer}' is a {kind}: it holds code, and code from a file is never run"
    cure = "replace the layer by a Keras layer that does the same, and save the model again"
    ways = (way("fpgacnn convert model.h5", "a Lambda layer", layer="scale", kind="Lambda"),)


class GraphError(FpgacnnError):
    """The layers of the file do not form a graph from inputs to outputs: a cycle, a missing tensor, a name twice."""

    code = "FC024"
    message = "{file}: {why}"
    cure = "save the model again with model.save('x.h5'), or export it to ONNX again"
    ways = (
        way(
            "fpgacnn inspect model.h5",
            "the model was saved before it had an input",
            file="model.h5",
            why="the Sequential model has no input shape",
        ),
        way("fpgacnn inspect model.h5", "a name is used twice", file="model.h5", why="two layers have the same name"),
        way(
            "fpgacnn inspect model.onnx",
            "the exporter left an input without a shape",
            file="model.onnx",
            why="input 'image' has no shape, or is no tensor",
        ),
    )


class ShapeError(FpgacnnError):
    """The shape of a layer's input does not fit the layer or its weights."""

    code = "FC025"
    message = "layer '{layer}': {why}"
    cure = "check the architecture; the batch size alone may be unknown (None)"
    ways = (
        way(
            "fpgacnn inspect model.h5",
            "an image is smaller than a kernel",
            layer="conv3",
            why="a window of 3 does not fit into 2 values",
        ),
    )


class WidthsNeededError(FpgacnnError):
    """A layer has no quantizer, so that the file does not define its bit widths, and no flag gives them."""

    code = "FC030"
    message = "layer '{layer}' has float {what} without a quantizer: bit widths are needed"
    cure = "add `--calibrate X.npz` (widths from real events) or `--bits 16`, or quantize the model with QKeras first"
    ways = (
        way("fpgacnn convert model.h5", "a network that was trained in float", layer="conv1", what="kernel weights"),
    )


class WidthLimitError(FpgacnnError):
    """An exact value needs more than 62 bits, which is the most that the 64-bit integers of the emulator allow."""

    code = "FC031"
    message = "layer '{layer}': {what} needs {bits} bits, more than the limit of {limit}"
    cure = "use fewer bits for inputs or weights, or add a quantized activation before this layer"
    ways = (
        way(
            "fpgacnn convert model.h5 --bits 32",
            "wide weights, wide inputs and many products",
            layer="fc",
            what="a sum of products",
            bits=71,
            limit=62,
        ),
    )


class FormatTextError(FpgacnnError):
    """A flag or a file holds a text where a fixed-point type such as fixed<16,6> is expected."""

    code = "FC032"
    message = "'{text}' is not a fixed-point type"
    cure = "write for example ufixed<8,0>, fixed<16,6> or fixed<12,4,RND_CONV,SAT>"
    ways = (way("fpgacnn convert model.h5 --input-type 8bit", "a type is written in another way", text="8bit"),)


class InputTypeError(FpgacnnError):
    """The fixed-point type has values that the input's element type in the model file does not have."""

    code = "FC033"
    message = "input '{name}' is {element} in the model file, which cannot hold every value of {format}"
    cure = "give --input-type '{own}' or fewer bits of it, or leave it out: then each input has a type that fits"
    remedy = "give the type that the hint names or fewer bits of it, or leave --input-type out"
    ways = (
        way(
            "fpgacnn convert model.onnx --input-type 'fixed<16,6>'",
            "an input of the ONNX file holds whole numbers",
            name="image",
            element="uint8",
            format="fixed<16,6>",
            own="ufixed<8,8>",
        ),
    )


class UnknownNameError(FpgacnnError):
    """A part, layer, engine or setting of that name does not exist."""

    code = "FC040"
    message = "unknown {what} '{name}'"
    cure = "known: {known}"
    remedy = "use one of the names that the hint lists"
    ways = (
        way(
            "fpgacnn convert model.h5 --set conv9.reuse=4",
            "a layer of that name does not exist",
            what="layer",
            name="conv9",
            known="conv1, conv2, logits",
        ),
        way(
            "fpgacnn simulate model.h5 --input x.npy --engine gpu",
            "an engine of that name does not exist",
            what="engine",
            name="gpu",
            known="emulator, csim, rtl",
        ),
        way(
            "fpgacnn demo cats",
            "a demonstration of that name does not exist",
            what="demo",
            name="cats",
            known="digits, km3net",
        ),
        way(
            "fpgacnn explain FC999",
            "an error code does not exist",
            what="error code",
            name="FC999",
            known="`fpgacnn explain` lists all codes",
        ),
        way(
            "fpgacnn convert model.h5 --softmax soft",
            "a flag has a value that it does not take",
            what="softmax choice",
            name="soft",
            known="keep, argmax, logits",
        ),
    )


class NoReferenceError(FpgacnnError):
    """`--reference` names a framework that cannot load this kind of file."""

    code = "FC200"
    message = "{file}: --reference {reference} cannot run a network of {framework}"
    cure = "leave out --reference: the framework that wrote the file is used where it is installed"
    ways = (
        way(
            "fpgacnn convert model.h5 --reference onnx",
            "a framework is named that cannot load the file",
            file="model.h5",
            reference="onnx",
            framework="Keras 2",
        ),
    )


class Choice(StrEnum):
    """A choice between fixed words, in any case; another word raises UnknownNameError, which lists them."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        if isinstance(value, str) and value != value.lower() and value.lower() in set(cls):
            return cls(value.lower())
        words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in cls.__name__).strip()
        raise UnknownNameError(what=words, name=str(value), known=", ".join(cls))
