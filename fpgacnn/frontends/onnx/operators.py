"""Which operator of which domain is read by what: the white list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from fpgacnn.errors import UnsupportedLayerError
from fpgacnn.frontends.onnx import linear, quant
from fpgacnn.frontends.onnx.call import Call
from fpgacnn.frontends.onnx.elementwise import ELEMENTWISE
from fpgacnn.frontends.onnx.fold import fold, stored
from fpgacnn.frontends.onnx.shaping import SHAPING
from fpgacnn.frontends.onnx.spatial import SPATIAL
from fpgacnn.frontends.onnx.values import Constant, Value
from fpgacnn.frontends.onnx.window import CHANNELS_LAST

Reader: TypeAlias = Callable[[Call], Value]

_STANDARD: Mapping[str, Reader] = {
    **ELEMENTWISE,
    **SPATIAL,
    **SHAPING,
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

_CHANNELS_LAST: Mapping[str, Reader] = {name: _STANDARD[name] for name in ("Conv", "MaxPool", "AveragePool", "BatchNormalization")}

_QUANTIZER_DOMAINS = ("qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas")

DOMAINS: Mapping[str, Mapping[str, Reader]] = {
    "": _STANDARD,
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
    "LogSoftmax": "; end the network with its logits, whose order is the same",
}


def read_operator(call: Call) -> Value:
    """What an operator makes of its inputs.

    Raises UnsupportedLayerError for operators that are not on the white list.
    """
    kind, domain = call.node.kind, call.node.domain
    reader = DOMAINS.get(domain, {}).get(kind)
    if domain == "" and kind == "Constant":
        return stored(call)
    given = [one for one in call.inputs if one is not None]
    constant = bool(given) and all(isinstance(one, Constant) for one in given)
    if domain == "" and constant and kind not in {"QuantizeLinear", "DequantizeLinear"}:
        return fold(call)
    if reader is None:
        shown = kind if domain == "" else f"{domain}.{kind}"
        raise UnsupportedLayerError(layer=call.name, kind=shown, why=HINTS.get(kind, ""))
    return reader(call)
