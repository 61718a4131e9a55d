"""Which operator of which domain is read by what: the white list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from fpgacnn.errors import UnsupportedLayerError
from fpgacnn.frontends.onnx.fold import fold, stored
from fpgacnn.frontends.onnx.op_args import OpArgs
from fpgacnn.frontends.onnx.operations import linear, quant
from fpgacnn.frontends.onnx.operations.choose import CHOOSING
from fpgacnn.frontends.onnx.operations.elementwise import ELEMENTWISE, MERGES
from fpgacnn.frontends.onnx.operations.shaping import SHAPING
from fpgacnn.frontends.onnx.operations.spatial import SPATIAL
from fpgacnn.frontends.onnx.operations.whole import WHOLE, cast_of_constants, fitted
from fpgacnn.frontends.onnx.operations.window import CHANNELS_LAST
from fpgacnn.frontends.onnx.protobuf.kinds import BOOL, SHORT_REALS
from fpgacnn.frontends.onnx.values import Constant, TensorView, Value

Reader: TypeAlias = Callable[[OpArgs], Value | tuple[Value, ...]]

_STANDARD: Mapping[str, Reader] = {
    **ELEMENTWISE,
    **SPATIAL,
    **SHAPING,
    **WHOLE,
    **CHOOSING,
    "Conv": linear.convolution,
    "ConvTranspose": linear.transposed_convolution,
    "Gemm": linear.gemm,
    "MatMul": linear.matrix_product,
    "BatchNormalization": linear.normalization,
    "QLinearConv": linear.quantized_convolution,
    "QLinearMatMul": linear.quantized_matrix_product,
    "QuantizeLinear": quant.quantize_linear,
    "DequantizeLinear": quant.dequantize_linear,
}

QUANTIZERS: Mapping[str, Reader] = {
    "Quant": quant.quant,
    "IntQuant": quant.quant,
    "BipolarQuant": quant.bipolar,
    "Trunc": quant.truncation,
}

_CHANNELS_LAST: Mapping[str, Reader] = {
    name: _STANDARD[name] for name in ("Conv", "MaxPool", "AveragePool", "BatchNormalization")
}

_QUANTIZER_DOMAINS = ("qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas")

DOMAINS: Mapping[str, Mapping[str, Reader]] = {
    "": {**_STANDARD, **QUANTIZERS},  # some exporters leave the domain of quantizers out
    **{domain: {**QUANTIZERS, "MaxPoolNHWC": _STANDARD["MaxPoolNHWC"]} for domain in _QUANTIZER_DOMAINS},
    CHANNELS_LAST: _CHANNELS_LAST,
}

HINTS: Mapping[str, str] = {
    "MultiThreshold": "; give the QONNX file as it was before FINN streamlined it",
    "LSTM": "; recurrent networks are not supported",
    "GRU": "; recurrent networks are not supported",
    "RNN": "; recurrent networks are not supported",
    "If": "; what depends on the data cannot be hardware of fixed size",
    "Loop": "; what depends on the data cannot be hardware of fixed size",
    "Scan": "; what depends on the data cannot be hardware of fixed size",
    "DynamicQuantizeLinear": "; its scale depends on the data: quantize statically",
    "FloatQuant": "; floating-point codes have no fixed-point hardware",
    "Equal": "; comparisons of tensors are not supported",
    "Greater": "; comparisons of tensors are not supported",
    "Less": "; comparisons of tensors are not supported",
    "ReduceL2": "; square roots are not supported",
    "Sqrt": "; square roots are not supported",
    "LogSoftmax": "; end the network with its logits, whose order is the same",
}


_MOVING = frozenset(
    {
        "Cast",
        "Concat",
        "DepthToSpace",
        "Dropout",
        "Expand",
        "Flatten",
        "Gather",
        "Identity",
        "Reshape",
        "Shape",
        "Size",
        "Slice",
        "SpaceToDepth",
        "Split",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    }
)
"""Operators whose results are elements of their inputs, or sizes."""

_UNROUNDED = _MOVING | {
    "Abs",
    "Ceil",
    "Clip",
    "Floor",
    "GlobalMaxPool",
    "Max",
    "MaxPool",
    "Min",
    "Neg",
    "Pad",
    "ReduceMax",
    "ReduceMin",
    "Relu",
    "Resize",
    "Round",
    "Sign",
    "Upsample",
}
"""Operators whose results every type of real numbers holds that holds their inputs."""

_LINEAR = frozenset(
    {
        "AveragePool",
        "BatchNormalization",
        "Conv",
        "ConvTranspose",
        "Gemm",
        "GlobalAveragePool",
        "MatMul",
        "ReduceL1",
        "ReduceMean",
        "ReduceSum",
        "ReduceSumSquare",
    }
)
"""Operators that add elements of their input."""

_KEEPING = (_UNROUNDED - {"Cast", "Ceil", "Floor", "Round", "Sign"}) | set(MERGES) | {"Where"} | _LINEAR
"""Operators whose result is made from a quotient that float32 rounded, if their input is."""

_UNFOLDED = frozenset({"QuantizeLinear", "DequantizeLinear", *QUANTIZERS})

_MEANINGLESS: Mapping[str, frozenset[str]] = {
    "Cast": frozenset({"saturate", "round_mode"}),  # of float types of eight bits
    "MaxPool": frozenset({"storage_order"}),  # of the places of maxima, which are refused
    "MaxPoolNHWC": frozenset({"output_shape", "storage_order"}),
    "Dropout": frozenset({"ratio", "seed"}),
    "Gemm": frozenset({"beta"}),
}
"""Attributes that change no answer at inference, whatever they are."""

_REMNANT = "consumed_inputs"
"""An attribute of the first operator sets, about memory."""


def read_operator(call: OpArgs) -> tuple[Value, ...]:
    """What an operator makes of its inputs, one value for each output that it has.

    Raises UnsupportedLayerError for operators that are not on the white list, UnsupportedOptionError for attributes
    that nothing here gives a meaning to.
    """
    kind, domain = call.node.kind, call.node.domain
    reader = DOMAINS.get(domain, {}).get(kind)
    given = [one for one in call.inputs if one is not None]
    constant = bool(given) and all(isinstance(one, Constant) for one in given)
    _refuse_types(call)
    found: Value | tuple[Value, ...]
    if domain == "" and kind == "Constant":
        found = stored(call)
    elif domain == "" and constant and kind not in _UNFOLDED:
        found = fold(call, {"Cast": lambda one, values: cast_of_constants(one, values[0])})
    elif reader is None:
        shown = kind if domain == "" else f"{domain}.{kind}"
        raise UnsupportedLayerError(layer=call.name, kind=shown, why=HINTS.get(kind, ""))
    else:
        found = reader(call)
    left = set(call.node.attributes) - call.seen - _MEANINGLESS.get(kind, frozenset()) - {_REMNANT}
    if left:
        raise call.unsupported(
            f"the attribute {min(left)!r} of {kind} is not known",
            "export for a newer operator set, or remove it where it means nothing",
        )
    values = found if isinstance(found, tuple) else (found,)
    divided = kind in _KEEPING and any(one.divided for one in given if isinstance(one, TensorView))
    return tuple(_quotient(fitted(call, value)) if divided else fitted(call, value) for value in values)


def _quotient(value: Value) -> Value:
    return replace(value, divided=True) if isinstance(value, TensorView) else value


def _refuse_types(call: OpArgs) -> None:
    """Operators on element types in which they compute something else than the hardware would.

    Raises UnsupportedOptionError.
    """
    kinds = {one.kind for one in call.inputs if isinstance(one, TensorView)}
    if BOOL in kinds and call.node.kind not in _MOVING:
        raise call.unsupported("it computes on truth values (bool)", "cast them to numbers before it")
    if kinds & SHORT_REALS.keys() and call.node.kind not in _UNROUNDED:
        raise call.unsupported(
            "it computes in real numbers of 16 bits, which rounds every result", "export the model with float32"
        )
