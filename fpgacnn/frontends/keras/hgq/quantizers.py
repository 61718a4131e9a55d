"""Quantizers of HGQ2 and HGQ: fixed point with separate trained widths for every weight and every value.

Widths are trained numbers of the file, rounded half to even.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import NonFiniteWeightsError, TrainedWidthsError, UnsupportedQuantizerError, WeightsError
from fpgacnn.frontends.keras.context import LayerContext, ParsedOperation
from fpgacnn.frontends.keras.layer_config import MAX_NUMBER, Json, class_of
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Rounding, round_whole
from fpgacnn.ir.source import FloatArray, Shape

MAX_WIDTH = 64
MAX_FREE = 48
"""Most fraction bits of values without a limit: with more, they would not be integers of float64."""
MANTISSA = 24
"""Bits of a float32."""
_WEIGHTS = ("weight", "bias")
OVERFLOWS = frozenset({"WRAP", "SAT", "SAT_SYM"})


class _Widths:
    """One quantizer: its options and its trained widths, as arrays that broadcast against `shape`."""

    def __init__(self, context: LayerContext, key: str, option: Json, shape: Shape) -> None:
        self.context, self.key, self.shape = context, key, shape
        config = option.get("config") if isinstance(option, dict) else None
        if not isinstance(option, dict) or class_of(option) != "QuantizerConfig" or not isinstance(config, dict):
            raise self.refuse("it is not a plain QuantizerConfig")
        self.options: Mapping[str, Json] = config

    def refuse(self, why: str) -> UnsupportedQuantizerError:
        """The error that names layer and quantizer."""
        return UnsupportedQuantizerError(layer=self.context.name, quantizer=f"{self.key} of HGQ2", why=why)

    def word(self, name: str) -> str:
        """A text option."""
        value = self.options.get(name)
        if not isinstance(value, str):
            raise self.refuse(f"{name}={value!r} is not supported")
        return value.upper()

    def array(self, name: str) -> FloatArray:
        """A trained array without the axis of events, checked."""
        return trained_widths(self.context, f"{self.key}/{name}", f"{name} of its quantizer {self.key}", self.shape)

    @property
    def is_free(self) -> bool:
        """A quantizer of weights that wraps only rounds: training keeps its weights in range."""
        stands = self.options.get("is_weight", self.options.get("place") in _WEIGHTS)
        trained = self.options.get("trainable", True) and self.context.settings.flag("trainable", default=True)
        return bool(stands and trained) and (self.options.get("q_type") == "kif" or self.rounding is Rounding.RND)

    @property
    def rounding(self) -> Rounding:
        """The mode; a stochastic mode rounds at inference like the mode without noise."""
        mode = self.word("round_mode").removeprefix("S_")
        if mode not in Rounding.__members__:
            raise self.refuse(f"round_mode {mode} is not supported")
        return Rounding(mode)

    def quantizer(self, values: FloatArray | None = None) -> src.Uniform | None:
        """The quantizer for integers, or None for one without effect; `values` are the weights, if it has weights."""
        kind = self.options.get("q_type")
        if kind == "dummy":
            return None
        if (
            kind not in ("kif", "kbi")
            or self.options.get("affine") is not None
            or self.options.get("bw_mapper") is not None
        ):
            raise self.refuse(f"q_type={kind!r}, affine or bw_mapper is not supported; use kif or kbi")
        scaler = self.options.get("scaler")
        if scaler is not None and (
            isinstance(scaler, bool) or not isinstance(scaler, int | float) or not 0 < scaler <= MAX_NUMBER
        ):
            raise self.refuse(f"scaler={scaler!r} is not a positive number")
        negative, integer = self.array("k"), np.rint(self.array("i"))
        fraction = np.rint(self.array("f")) if kind == "kif" else np.rint(self.array("b")) - integer
        scaler = float(np.float32(1.0 if scaler is None else scaler))
        overflow = self.word("overflow_mode")
        if overflow not in OVERFLOWS or not set(np.unique(negative)) <= {0.0, 1.0}:
            raise self.refuse(f"overflow_mode {overflow}, or its k, is not supported")
        if overflow == "WRAP" and self.is_free:
            return self._free(fraction, values, scaler)
        negative, integer, fraction = used_widths(negative, integer, fraction, self.rounding)
        refuse_wide(self.context, f"widths of its quantizer {self.key}", integer=integer, fraction=fraction)
        return fixed_point(negative, integer, fraction, overflow=overflow, rounding=self.rounding, scaler=scaler)

    def _free(self, fraction: FloatArray, values: FloatArray | None, scaler: float) -> src.Uniform:
        fraction = fraction if self.rounding is Rounding.TRN else np.maximum(fraction, -MAX_WIDTH)
        what = f"widths of its quantizer {self.key}"
        refuse_wide(self.context, what, fraction=fraction)
        fraction = (
            limited_fraction(self.context, what, fraction)
            if values is None
            else used_fraction(fraction, values / scaler)
        )
        return unlimited(fraction, self.rounding, scaler)


def trained_widths(context: LayerContext, key: str, what: str, shape: Shape) -> FloatArray:
    """Trained widths of a tensor of `shape`, without the axis of events, checked; `what` names them in errors.

    Raises WeightsError, NonFiniteWeightsError.
    """
    stored = context.arrays.get(key)
    file, layer = context.settings.file, context.name
    if stored is None:
        raise WeightsError(file=file, layer=layer, why=f"{what} is not in the file")
    values = stored.reshape((1,) * len(shape)) if stored.size == 1 else stored
    values = values[0] if values.ndim == len(shape) + 1 and values.shape[:1] == (1,) else values
    if values.ndim != len(shape) or any(one not in (1, size) for one, size in zip(values.shape, shape, strict=True)):
        raise WeightsError(file=file, layer=layer, why=f"{what} has shape {stored.shape}, data have {shape}")
    bad = int((~(np.abs(values) <= MAX_NUMBER)).sum())
    if bad:
        raise NonFiniteWeightsError(file=file, layer=layer, weight=key, count=bad, total=values.size)
    return values


def refuse_wide(context: LayerContext, what: str, *, fraction: FloatArray, integer: FloatArray | None = None) -> None:
    """Refuse more than 64 bits on one side of the binary point; `what` names the widths in errors.

    Raises TrainedWidthsError.
    """
    _refuse_above(context, what, fraction, MAX_WIDTH, "right of the point")
    if integer is not None:
        _refuse_above(context, what, integer, MAX_WIDTH, "left of the point")
    few = fraction < -MAX_WIDTH
    if np.any(few):
        why = f"are below -{MAX_WIDTH} bits right of the point; the smallest is {fraction.min():g}"
        raise _too_wide(context, what, few, why)


def _refuse_above(context: LayerContext, what: str, widths: FloatArray, most: int, side: str) -> None:
    if np.any(widths > most):
        raise _too_wide(context, what, widths > most, f"are above {most} bits {side}; the largest is {widths.max():g}")


def _too_wide(context: LayerContext, what: str, wrong: NDArray[np.bool_], why: str) -> TrainedWidthsError:
    count, total = int(wrong.sum()), wrong.size
    return TrainedWidthsError(
        file=context.settings.file, layer=context.name, count=count, total=total, what=what, why=why
    )


def used_widths(
    negative: FloatArray, integer: FloatArray, fraction: FloatArray, rounding: Rounding
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sign bit and bits on either side of the binary point, all 0 if the value is always 0.

    Training may leave any number in the widths of pruned values. A value is 0 without any bit, and also if its range
    ends below 2^-64, or if its step is above 2^64 and it is rounded to the nearest or toward 0.
    """
    negative, integer, fraction = np.broadcast_arrays(negative, integer, fraction)
    used = (negative + integer + fraction > 0) & (integer >= -MAX_WIDTH)
    if rounding is not Rounding.TRN:
        used &= fraction >= -MAX_WIDTH
    return np.where(used, negative, 0.0), np.where(used, integer, 0.0), np.where(used, fraction, 0.0)


def limited_fraction(context: LayerContext, what: str, fraction: FloatArray) -> FloatArray:
    """Fraction bits of values without a limit.

    Raises TrainedWidthsError if the values would not be integers of float64.
    """
    _refuse_above(context, what, fraction, MAX_FREE, "right of the point, of values that nothing limits")
    return fraction


def used_fraction(fraction: FloatArray, values: FloatArray) -> FloatArray:
    """Fraction bits without those that no weight has, if the integers would be beyond float64.

    A weight has the 24 bits of a float32, so that rounding to more bits changes nothing. One more bit stays, because
    float32 rounds an odd integer of 24 bits to an even one when it adds a half.
    """
    whole = np.abs(values) * np.exp2(fraction)
    if not np.any(whole >= src.UNLIMITED):
        return fraction
    mantissa, exponent = np.frexp(values.astype(np.float32).astype(np.float64))
    codes = np.abs(np.ldexp(mantissa, MANTISSA)).astype(np.int64)
    needed = np.where(codes == 0, 0, MANTISSA - exponent - np.log2(np.maximum(codes & -codes, 1)))
    return np.where(
        (whole >= 2.0**MANTISSA) | (values == 0), np.minimum(fraction, np.maximum(needed + 1, 0.0)), fraction
    )


def unlimited(fraction: FloatArray, rounding: Rounding, scaler: float = 1.0) -> src.Uniform:
    """Rounding to a number of fraction bits, for values that need no limit."""
    limit = np.full(fraction.shape, src.UNLIMITED)
    return src.Uniform(scale=scaler * np.exp2(-fraction), low=-limit, high=limit, rounding=rounding)


def fixed_point(
    negative: FloatArray,
    integer: FloatArray,
    fraction: FloatArray,
    *,
    overflow: str,
    rounding: Rounding,
    scaler: float = 1.0,
) -> src.Uniform:
    """A sign bit and bits on both sides of the binary point; without any bit the value is 0."""
    negative, integer, fraction = np.broadcast_arrays(negative, integer, fraction)
    alive = negative + integer + fraction > 0
    span = np.where(alive, np.exp2(np.maximum(integer + fraction, 0.0)), 1.0)
    low = np.where(alive, -negative * (span - (overflow == "SAT_SYM")), 0.0)
    coarsest = float(np.exp2(-fraction[alive]).max()) if alive.any() else 1.0
    scale = scaler * np.where(alive, np.exp2(-fraction), coarsest)
    return src.Uniform(
        scale=scale, low=low, high=span - 1.0, rounding=rounding, wraps=overflow == "WRAP" and bool(alive.any())
    )


def cast(
    context: LayerContext, key: str, option: Json, shape: Shape, number: int | None = None
) -> list[ParsedOperation]:
    """A quantizer of values as a step."""
    quantizer = _Widths(context, key, option, shape).quantizer()
    return (
        []
        if quantizer is None
        else [ParsedOperation(operation=src.Activate(function=quantizer), shape=shape, reads=number)]
    )


def quantized_weight(context: LayerContext, key: str, values: FloatArray) -> src.Weight:
    """Quantized weights."""
    return as_float32_rounds(
        values, _Widths(context, key, context.settings.get(f"{key}_conf"), values.shape).quantizer(values)
    )


def as_float32_rounds(values: FloatArray, quantizer: src.Uniform | None) -> src.Weight:
    """Quantized weights; where float32 rounds differently from exact arithmetic, the float32 result is stored."""
    if quantizer is None or quantizer.rounding is not Rounding.RND:
        return src.Weight(values=values, quantizer=quantizer)
    scaled = values.astype(np.float32) / quantizer.scale.astype(np.float32)
    theirs = np.floor(scaled + np.float32(0.5)).astype(np.float64)
    differs = theirs != round_whole(values / quantizer.scale, Rounding.RND)
    return src.Weight(values=np.where(differs, theirs * quantizer.scale, values), quantizer=quantizer)
