"""Quantizers: those of QONNX and Brevitas, and ONNX's own pairs of QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fpgacnn.errors import UnsupportedQuantizerError
from fpgacnn.frontends.onnx.fold import axis_of
from fpgacnn.frontends.onnx.graph_builder import GraphBuilder
from fpgacnn.frontends.onnx.op_args import OpArgs
from fpgacnn.frontends.onnx.protobuf.kinds import CODES, FLOAT, RANGES, REALS, SHORT_REALS
from fpgacnn.frontends.onnx.values import Coding, Constant, Grid, Numbers, TensorView, Value
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Rounding
from fpgacnn.ir.source import FloatArray

ROUNDINGS: Mapping[str, Rounding] = {
    "ROUND": Rounding.RND_CONV,
    "HALF_EVEN": Rounding.RND_CONV,
    "FLOOR": Rounding.TRN,
    "CEIL": Rounding.TRN,
    "DOWN": Rounding.TRN_ZERO,
    "HALF_UP": Rounding.RND_INF,
    "HALF_DOWN": Rounding.RND_ZERO,
}
"""QONNX' modes; CEIL is FLOOR of the negated value."""

MAX_BITS = 32


def _refused(call: OpArgs, why: str) -> UnsupportedQuantizerError:
    return UnsupportedQuantizerError(layer=call.name, quantizer=call.node.kind, why=why)


def _real(constant: Constant) -> FloatArray:
    return np.asarray(constant.plain, np.float64)


def _scale(call: OpArgs, number: int) -> FloatArray:
    scale = _real(call.constant(number, "scale"))
    if np.any(scale <= 0):
        raise _refused(call, "its scale is not positive")
    return scale


def quant(call: OpArgs) -> Value:
    """Quant (IntQuant): integers in the range of a bit width, times scale.

    Scale, zero point and bit width are constants that broadcast against the data. Constant data of any shape become a
    Constant whose grid has that shape; a computed tensor keeps its shape.

    Raises UnsupportedQuantizerError for a scale that is not positive, widths other than 1 to 32, other rounding modes,
    and zero points that would change the rounding of ties; BrokenArchitectureError without `signed` or `narrow`;
    ShapeError for what does not broadcast; UnsupportedOptionError for computed parameters and for data between
    QuantizeLinear and DequantizeLinear.
    """
    scale, zero, bits = _scale(call, 1), _real(call.constant(2, "zero point")), _real(call.constant(3, "bit width"))
    if np.any(bits != np.rint(bits)) or np.any(bits < 1) or np.any(bits > MAX_BITS):
        raise _refused(call, f"a bit width is not a whole number from 1 to {MAX_BITS}")
    mode = call.word("rounding_mode", "ROUND").upper()
    if mode not in ROUNDINGS:
        raise _refused(call, f"rounding_mode {mode} is not supported; supported: {', '.join(ROUNDINGS)}")
    if np.any(zero != np.rint(zero)) or (ROUNDINGS[mode] is not Rounding.TRN and np.any(zero % 2)):
        raise _refused(call, "an odd or fractional zero point would change the rounding of ties")
    if not (call.names("signed") and call.names("narrow")):
        raise call.broken("signed and narrow are not both given")
    signed, narrow = bool(call.integer("signed", 1)), call.integer("narrow", 0)
    if signed and np.any(bits == 1):
        if np.any(bits != 1) or np.any(zero):
            raise _refused(call, "one bit together with other widths, or with a zero point, is not supported")
        return _signs(call, scale)
    span = np.exp2(bits - 1) if signed else np.exp2(bits)
    low, high = (narrow - span if signed else 0.0 * span) - zero, span - 1.0 - (0 if signed else narrow) - zero
    if mode == "CEIL":
        scale, low, high = -scale, -high, -low
    return _quantized(call, call.value(0), scale, low, high, ROUNDINGS[mode])


def bipolar(call: OpArgs) -> Value:
    """BipolarQuant: -scale below 0, else scale, which is a constant that broadcasts against the data.

    Raises UnsupportedQuantizerError for a scale that is not positive, ShapeError for one that does not broadcast,
    UnsupportedOptionError for one that is computed.
    """
    return _signs(call, _scale(call, 1))


def _signs(call: OpArgs, scale: FloatArray) -> Value:
    source = call.value(0)
    if isinstance(source, Constant):
        spread = _spread(call, source, scale)
        one = np.ones_like(spread)
        return Constant(
            values=source.plain, grid=Grid(scale=spread, low=-one, high=one, rounding=Rounding.RND_CONV, signs=True)
        )
    view, (factor,) = call.builder.by_channel(call.view(), [scale])
    alpha = np.asarray(_shortened(factor), np.float64)
    return call.elementwise(
        src.Activate(function=src.Binary(alpha=float(alpha[0]) if alpha.size == 1 else alpha)), view
    )


def _spread(call: OpArgs, source: Constant, array: Numbers) -> FloatArray:
    try:
        return np.broadcast_to(np.asarray(array, np.float64), source.values.shape)
    except ValueError as error:
        raise call.builder.shape_error(f"a scale of {array.shape} does not fit {source.values.shape}") from error


def _quantized(
    call: OpArgs, source: Value, scale: FloatArray, low: FloatArray, high: FloatArray, rounding: Rounding
) -> Value:
    if isinstance(source, Constant):
        call.constant(0, "constant")
        arrays = [_spread(call, source, array) for array in (scale, low, high)]
        return Constant(
            values=source.plain, grid=Grid(scale=arrays[0], low=arrays[1], high=arrays[2], rounding=rounding)
        )
    if source.coding is not None:
        raise call.unsupported(
            "it quantizes whole numbers between QuantizeLinear and DequantizeLinear", "export in QDQ form"
        )
    view, vectors = call.builder.by_channel(source, [scale, low, high])
    scale, low, high = (np.asarray(_shortened(one), np.float64) for one in vectors)
    return call.elementwise(
        src.Activate(function=src.Uniform(scale=scale, low=low, high=high, rounding=rounding)), view
    )


def _shortened(vector: Numbers) -> Numbers:
    """One number if all are equal."""
    return vector[:1] if np.all(vector == vector[0]) else vector


def truncation(call: OpArgs) -> TensorView:
    """Trunc of a computed tensor: integers lose their low bits; the first version keeps the scale, so it also divides.

    Scale and widths are constants of one element; the second version, of six inputs, has a scale for its result.

    Raises UnsupportedQuantizerError for a zero point, several or negative scales, several widths, and for CEIL and
    unknown rounding modes; UnsupportedOptionError for a constant input and for computed parameters.
    """
    if not call.has(5):
        call.meaningless("signed", "narrow")  # only in the second version
    view, scale, zero = call.view(), _scale(call, 1), _real(call.constant(2, "zero point"))
    widths = [_real(call.constant(number, "bit width")) for number in (3, 5 if call.has(5) else 4)]
    mode = call.word("rounding_mode", "FLOOR").upper()
    if (
        np.any(zero)
        or scale.size != 1
        or any(one.size != 1 for one in widths)
        or mode not in ROUNDINGS
        or mode == "CEIL"
    ):
        raise _refused(call, "a zero point, several scales, or this rounding mode is not supported")
    width = float(widths[1].reshape(-1)[0])
    unlimited, step = np.array([src.UNLIMITED]), scale.reshape(1)
    whole = call.elementwise(src.Activate(function=src.Uniform(scale=step, low=-unlimited, high=unlimited)), view)
    if not call.has(5):
        factor = np.exp2(widths[0].reshape(1) - width)
        cut = src.Uniform(scale=step * factor, low=-unlimited, high=unlimited, rounding=ROUNDINGS[mode])
        return _multiplied(call, call.elementwise(src.Activate(function=cut), whole), 1.0 / float(factor[0]))
    kept = _scale(call, 4).reshape(-1)
    factor = np.exp2(np.rint(np.log2(kept / step)))
    signed, narrow = call.integer("signed", 1), call.integer("narrow", 0)
    span = 2.0 ** (width - signed)
    low, high = np.array([(narrow - span) if signed else 0.0]), np.array([span - 1.0 - (0 if signed else narrow)])
    cut = src.Uniform(scale=step * factor, low=low, high=high, rounding=ROUNDINGS[mode])
    done = call.elementwise(src.Activate(function=cut), whole)
    return done if np.array_equal(step * factor, kept) else _multiplied(call, done, float(kept[0] / (step * factor)[0]))


def _multiplied(call: OpArgs, view: TensorView, factor: float) -> TensorView:
    return call.elementwise(_line(view.layer_shape[-1], factor, 0.0), view)


def _line(channels: int, factor: float, offset: float) -> src.BatchNormalization:
    """`x * factor + offset`."""
    plain = {
        name: src.Weight(values=np.full(channels, value))
        for name, value in (("gamma", factor), ("beta", offset), ("mean", 0.0), ("variance", 1.0))
    }
    return src.BatchNormalization(statistics=src.Statistics(**plain, epsilon=0.0))


def _coding(call: OpArgs, scale_at: int, zero_at: int, rank: int, axis: int) -> tuple[Coding, int]:
    """Scale and zero point, along `axis` if there are several, and the integer type."""
    scale = _scale(call, scale_at)
    if call.constant(scale_at, "scale").kind in SHORT_REALS:
        raise _refused(call, "a scale of 16 bits: decoded numbers are rounded to its type")
    zero_point = call.constant(zero_at, "zero point") if call.has(zero_at) else None
    named = call.integer("output_dtype", 0) if call.node.kind == "QuantizeLinear" else 0
    kind = (named or 2) if zero_point is None else zero_point.kind
    zero = np.zeros(scale.shape) if zero_point is None else _real(zero_point)
    if call.integer("block_size", 0) or call.integer("precision", 0):
        raise _refused(call, "scales for blocks, or a precision of its own, are not supported")
    call.meaningless("saturate", "output_dtype")  # for 8-bit float types only; results are real numbers here
    if named and zero_point is not None and named != zero_point.kind:
        raise _refused(call, "output_dtype and the zero point name different element types")
    if zero.shape not in {scale.shape, (), (1,)}:
        raise _refused(call, f"a zero point of {zero.shape} does not fit a scale of {scale.shape}")
    if scale.size > 1:
        if scale.ndim != 1:
            raise _refused(call, f"a scale of {scale.shape} is not supported")
        tail = (1,) * (rank - 1 - axis_of(call, axis, rank))
        scale, zero = scale.reshape(-1, *tail), np.broadcast_to(zero, scale.shape).reshape(-1, *tail)
    return Coding(scale=scale, zero=zero), kind


def quantize_linear(call: OpArgs) -> Value:
    """QuantizeLinear: the layer has the decoded values, the view stores scale and zero point.

    Constant data become the codes, int64, in the same shape. Scale and zero point are () or (n,) along `axis`.

    Raises UnsupportedQuantizerError for what `CODES` does not list, scales that are not positive, of 16 bits, in blocks
    or of several axes, and zero points that do not fit them; ShapeError, UnsupportedOptionError for computed
    parameters, BrokenArchitectureError for an axis that the data do not have.
    """
    source = call.value(0)
    rank = source.values.ndim if isinstance(source, Constant) else len(source.shape)
    coding, kind = _coding(call, 1, 2, rank, call.integer("axis", 1))
    found = _integers(call, source, coding, kind)
    if isinstance(found, Constant):
        return Constant(values=np.asarray(np.rint(found.plain / coding.scale) + coding.zero, np.int64), kind=kind)
    return replace(found, coding=coding)


def _integers(call: OpArgs, source: Value, coding: Coding, kind: int) -> Value:
    if kind not in CODES:
        raise _refused(call, f"element type {kind} is not supported; use int8, uint8, int16 or uint16")
    low, high = RANGES[kind]
    return _quantized(call, source, coding.scale, low - coding.zero, high - coding.zero, Rounding.RND_CONV)


def quantized_result(call: OpArgs, view: TensorView, scale_at: int, zero_at: int) -> TensorView:
    """The rounding that ends an operator on integers; scale and zero point are its inputs of these numbers.

    Raises what `quantize_linear` raises.
    """
    coding, kind = _coding(call, scale_at, zero_at, len(view.shape), 1)
    found = _integers(call, view, coding, kind)
    assert isinstance(found, TensorView)
    return replace(found, coding=coding)


def dequantize_linear(call: OpArgs) -> Value:
    """DequantizeLinear: of stored integers, of results of QuantizeLinear, or of an integer input.

    Stored integers become a float64 Constant of the same shape; a computed tensor keeps its shape.

    Raises UnsupportedQuantizerError for a scale or zero point other than those of the QuantizeLinear before it, several
    scales for an integer input, and what `quantize_linear` refuses of scales; BrokenArchitectureError, ShapeError,
    UnsupportedOptionError for computed parameters.
    """
    source = call.value(0)
    if isinstance(source, Constant):
        return decoded(call, call.constant(0, "weights"), 1, 2, axis=call.integer("axis", 1))
    coding, _ = _coding(call, 1, 2, len(source.shape), call.integer("axis", 1))
    if source.coding is not None:
        if not (np.array_equal(source.coding.scale, coding.scale) and np.array_equal(source.coding.zero, coding.zero)):
            raise _refused(call, "its scale or zero point is not that of the QuantizeLinear before it")
        return replace(source, coding=None, kind=_decoded_kind(call))
    if coding.single is None:
        raise _refused(call, "several scales for an input of integers are not supported")
    scale, zero = coding.single
    view = _shifted(call, source, -zero) if zero else source
    return replace(_multiplied(call, view, scale), kind=_decoded_kind(call))


def coded_result(builder: GraphBuilder, view: TensorView) -> TensorView | None:
    """The whole numbers of an output that nothing decodes: its quantizer, then a scale, then one with a step of 1.

    The scale comes behind the quantizer, because `x / s` and `x * (1 / s)` differ where a value lies between two steps.
    The shape stays. None where another layer than one quantizer of all channels makes the output.

    Raises TooLargeError and ShapeError as every new layer does.
    """
    coding, layer = view.coding, builder.layer(view.layer)
    function = layer.operation.function if isinstance(layer.operation, src.Activate) else None
    if coding is None or coding.single is None or not isinstance(function, src.Uniform):
        return None
    (scale, zero), channels = coding.single, view.layer_shape[-1]
    whole = src.Activate(function=replace(function, scale=np.ones(1)))
    made = builder.emit(_line(channels, 1.0 / scale, 0.0), (layer.name,), layer.shape)
    made = builder.emit(whole, (made,), layer.shape)
    made = builder.emit(_line(channels, 1.0, zero), (made,), layer.shape) if zero else made
    return replace(view, layer=made, coding=None, exclusive=True)


def _decoded_kind(call: OpArgs) -> int:
    """The element type of decoded numbers: that of their scale."""
    kind = call.constant(1, "scale").kind
    return kind if kind in REALS else FLOAT


def _shifted(call: OpArgs, view: TensorView, offset: float) -> TensorView:
    return call.elementwise(_line(view.layer_shape[-1], 1.0, offset), view)


def decoded(call: OpArgs, stored: Constant, scale_at: int, zero_at: int, *, axis: int) -> Constant:
    """Stored integers as decoded numbers, float64 of the same shape, with their quantizer.

    Raises UnsupportedQuantizerError for stored real numbers, for types that `CODES` does not list and for integers that
    have a quantizer already; ShapeError for a scale that does not broadcast; what `quantize_linear` raises for scales.
    """
    coding, _ = _coding(call, scale_at, zero_at, stored.values.ndim, axis)
    if stored.kind not in CODES or stored.grid is not None:
        raise _refused(call, f"stored numbers of element type {stored.kind} are not supported")
    low, high = RANGES[stored.kind]
    scale, zero = _spread(call, stored, coding.scale), _spread(call, stored, coding.zero)
    grid = Grid(scale=scale, low=low - zero, high=high - zero, rounding=Rounding.RND_CONV)
    return Constant(values=(stored.values - zero) * scale, grid=grid)
