"""Quantizers as QKeras writes them into a file: a dictionary or the text of a call, parsed, never evaluated."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping
from typing import Literal, TypeGuard

import numpy as np

from fpgacnn.errors import UnsupportedQuantizerError
from fpgacnn.frontends.keras.layer_config import MAX_NUMBER, Json, class_of
from fpgacnn.frontends.keras.serialized import array_of
from fpgacnn.ir.source import (
    Binary,
    FloatArray,
    PowerOfTwo,
    QuantizedBits,
    QuantizedRelu,
    QuantizedSigmoid,
    QuantizedTanh,
    Quantizer,
    Ternary,
)

MAX_TEXT = 1000
MAX_BITS = 32


class _Options:
    """The options of one quantizer, read with types and checked to be all known."""

    def __init__(self, layer: str, name: str, values: Mapping[str, Json]) -> None:
        self._layer, self._name, self._values = layer, name, dict(values)

    def refuse(self, why: str) -> UnsupportedQuantizerError:
        return UnsupportedQuantizerError(layer=self._layer, quantizer=self._name, why=why)

    def take(self, key: str, default: Json) -> Json:
        value = self._values.pop(key, default)
        return default if value is None else value

    def number(self, key: str, default: float) -> float:
        value = self.take(key, default)
        if not _is_finite(value):
            raise self.refuse(f"{key}={value!r} is not a number")
        return float(value)

    def integer(self, key: str, default: int, low: int, high: int) -> int:
        value = self.number(key, default)
        if not value.is_integer() or not low <= value <= high:
            raise self.refuse(f"{key}={value!r} is not a whole number from {low} to {high}")
        return int(value)

    def flag(self, key: str, *, default: bool) -> bool:
        return bool(self.integer(key, int(default), 0, 1))

    def finish(self) -> None:
        """Refuse what is left; drop what does nothing at inference."""
        if self.number("qnoise_factor", 1.0) != 1.0:
            raise self.refuse("qnoise_factor is not 1, so training mixes in unquantized values")
        for harmless in ("use_stochastic_rounding", "use_ste", "use_variables", "var_name", "name", "dtype"):
            self._values.pop(harmless, None)
        for unsupported in (
            "scale_axis",
            "post_training_scale",
            "elements_per_scale",
            "min_po2_exponent",
            "max_po2_exponent",
        ):
            if self._values.pop(unsupported, None) is not None:
                raise self.refuse(f"{unsupported} is not supported")
        if self._values:
            raise self.refuse(f"unknown options {sorted(self._values)}")


def _is_finite(value: Json) -> TypeGuard[float]:
    """A number that the framework's float32 can hold: whole numbers in files can be of any length."""
    return isinstance(value, int | float) and abs(value) <= MAX_NUMBER


def _alpha(options: _Options) -> float | FloatArray | Literal["auto", "auto_po2"] | None:
    value = options.take("alpha", None)
    if value is None:
        return None
    if value == "auto":
        return "auto"
    if value == "auto_po2":
        return "auto_po2"
    if _is_finite(value) and value != 0:
        return float(value)
    numbers = array_of(value)
    if numbers is not None and numbers.ndim == 1 and numbers.size:
        return numbers
    raise options.refuse(f"alpha={value!r} is neither a number, 'auto' nor 'auto_po2'")


def _quantized_bits(options: _Options) -> Quantizer:
    keep_negative = options.flag("keep_negative", default=True)
    alpha = _alpha(options)
    symmetric = options.flag("symmetric", default=False) or isinstance(alpha, str)
    return QuantizedBits(
        bits=options.integer("bits", 8, 1, MAX_BITS),
        integer=options.integer("integer", 0, -MAX_BITS, MAX_BITS),
        symmetric=symmetric,
        keep_negative=keep_negative,
        alpha=alpha,
    )


def _quantized_relu(options: _Options) -> Quantizer:
    slope = options.number("negative_slope", 0.0)
    if slope < 0 or slope > 1 or (slope and not np.log2(slope).is_integer()):
        raise options.refuse(f"negative_slope={slope:g} is no power of two up to 1")
    quantizer = QuantizedRelu(
        bits=options.integer("bits", 8, 1, MAX_BITS),
        integer=options.integer("integer", 0, -MAX_BITS, MAX_BITS),
        use_sigmoid=options.flag("use_sigmoid", default=False),
        negative_slope=slope,
        relu_upper_bound=options.number("relu_upper_bound", 0.0) or None,
        is_quantized_clip=options.flag("is_quantized_clip", default=True),
    )
    if quantizer.use_sigmoid and quantizer.negative_slope:
        raise options.refuse("use_sigmoid together with negative_slope is not supported")
    return quantizer


def _quantized_linear(options: _Options) -> Quantizer:
    """qkeras-v3's successor of quantized_bits: the scale divides before rounding, so a power of two moves the point."""
    alpha = _alpha(options)
    if isinstance(alpha, str) or (
        alpha is not None and (not isinstance(alpha, float) or not np.log2(abs(alpha)).is_integer() or alpha < 0)
    ):
        raise options.refuse("alpha must be a power of two or None")
    bits = options.integer("bits", 8, 2, MAX_BITS)
    shift = 0 if alpha is None else int(np.log2(alpha))
    return QuantizedBits(
        bits=bits,
        integer=options.integer("integer", 0, -MAX_BITS, MAX_BITS) + shift,
        symmetric=options.flag("symmetric", default=True),
        keep_negative=options.flag("keep_negative", default=True),
        alpha=1.0,
    )


def _simple_alpha(options: _Options) -> float | Literal["auto", "auto_po2"] | None:
    alpha = _alpha(options)
    if isinstance(alpha, np.ndarray):
        raise options.refuse("alpha per channel is not supported here")
    return alpha


def _binary(options: _Options) -> Quantizer:
    return Binary(use_01=options.flag("use_01", default=False), alpha=_simple_alpha(options))


def _stochastic_binary(options: _Options) -> Quantizer:
    options.take("temperature", 0.0)
    options.take("use_real_sigmoid", 1)
    return Binary(alpha=_simple_alpha(options))


def _ternary(options: _Options) -> Quantizer:
    threshold = options.take("threshold", None)
    alpha = _simple_alpha(options)
    if threshold is not None and (isinstance(alpha, str) or not _is_finite(threshold) or not threshold > 0):
        raise options.refuse(f"threshold={threshold!r} is not supported with alpha={alpha!r}")
    return Ternary(
        alpha=alpha,
        threshold=float(threshold) if isinstance(threshold, int | float) else None,
        unrolls=options.integer("number_of_unrolls", 5, 1, 100),
    )


def _stochastic_ternary(options: _Options) -> Quantizer:
    options.take("temperature", 0.0)
    options.take("use_real_sigmoid", 1)
    return _ternary(options)


def _power_of_two(options: _Options, *, relu: bool = False) -> Quantizer:
    limit = options.take("max_value", None)
    if limit is not None and (not _is_finite(limit) or not limit > 0):
        raise options.refuse(f"max_value={limit!r} is not a positive number")
    rounding = options.take("log2_rounding", "rnd")
    if rounding not in ("rnd", "floor"):
        raise options.refuse(f"log2_rounding={rounding!r} is neither 'rnd' nor 'floor'")
    bits = options.integer("bits", 8, 2, 8)
    return PowerOfTwo(
        bits=bits,
        max_value=float(limit) if isinstance(limit, int | float) else None,
        quadratic=options.flag("quadratic_approximation", default=False),
        floor=rounding == "floor",
        relu=relu,
        negative_slope=options.number("negative_slope", 0.0) if relu else 0.0,
    )


def _relu_power_of_two(options: _Options) -> Quantizer:
    return _power_of_two(options, relu=True)


def _quantized_tanh(options: _Options) -> Quantizer:
    return QuantizedTanh(
        bits=options.integer("bits", 8, 2, MAX_BITS),
        symmetric=options.flag("symmetric", default=False),
        real=options.flag("use_real_tanh", default=False),
    )


def _quantized_sigmoid(options: _Options) -> Quantizer:
    bits = options.integer("bits", 8, 1, MAX_BITS)
    return QuantizedSigmoid(
        bits=bits,
        symmetric=float(
            options.integer("symmetric", 0, 0, (1 << bits) - 1)
        ),  # any number of steps, as in quantized_sigmoid(10,4)
        real=options.flag("use_real_sigmoid", default=False),
    )


_PARSERS: Mapping[str, tuple[tuple[str, ...], Callable[[_Options], Quantizer]]] = {
    "quantized_bits": (
        ("bits", "integer", "symmetric", "keep_negative", "alpha", "use_stochastic_rounding"),
        _quantized_bits,
    ),
    "quantized_relu": (
        ("bits", "integer", "use_sigmoid", "negative_slope", "use_stochastic_rounding"),
        _quantized_relu,
    ),
    "quantized_linear": (
        ("bits", "integer", "symmetric", "keep_negative", "alpha", "use_stochastic_rounding"),
        _quantized_linear,
    ),
    "binary": (("use_01", "alpha", "use_stochastic_rounding"), _binary),
    "stochastic_binary": (("alpha", "temperature", "use_real_sigmoid"), _stochastic_binary),
    "ternary": (("alpha", "threshold", "use_stochastic_rounding", "number_of_unrolls"), _ternary),
    "stochastic_ternary": (
        ("alpha", "threshold", "temperature", "use_real_sigmoid", "number_of_unrolls"),
        _stochastic_ternary,
    ),
    "quantized_po2": (("bits", "max_value", "use_stochastic_rounding", "quadratic_approximation"), _power_of_two),
    "quantized_relu_po2": (
        ("bits", "max_value", "negative_slope", "use_stochastic_rounding", "quadratic_approximation"),
        _relu_power_of_two,
    ),
    "quantized_tanh": (("bits", "use_stochastic_rounding", "symmetric", "use_real_tanh"), _quantized_tanh),
    "quantized_sigmoid": (("bits", "symmetric", "use_real_sigmoid", "use_stochastic_rounding"), _quantized_sigmoid),
}


def is_quantizer(value: Json) -> bool:
    """Whether a JSON value names one of the quantizers."""
    name, _ = _split(value)
    return name in _PARSERS


def _split(value: Json) -> tuple[str, Json]:
    """Name and options (dictionary or text) of a serialized quantizer; an empty name where it is none."""
    if isinstance(value, str):
        return value.split("(", 1)[0].strip(), value
    if isinstance(value, dict):
        config = value.get("config")
        if isinstance(value.get("class_name"), str):
            return class_of(value), config if isinstance(config, dict) else {}
    return "", None


def parse_quantizer(value: Json, *, layer: str) -> Quantizer | None:
    """A quantizer from its JSON; None for null.

    Raises UnsupportedQuantizerError for unknown ones and for options that have no hardware meaning.
    """
    if value is None:
        return None
    name, options = _split(value)
    known = _PARSERS.get(name)
    if known is None:
        raise UnsupportedQuantizerError(layer=layer, quantizer=name or value, why="unknown quantizer")
    names, parser = known
    if isinstance(options, str):
        options = _call_arguments(options, names, layer=layer)
    reader = _Options(layer, name, options if isinstance(options, dict) else {})
    quantizer = parser(reader)
    reader.finish()
    return quantizer


def _call_arguments(text: str, names: tuple[str, ...], *, layer: str) -> dict[str, Json]:
    """Arguments of a call written as text, literals only: `quantized_bits(6, 0, alpha=1)`."""
    refusal = UnsupportedQuantizerError(layer=layer, quantizer=text, why="not a call with plain numbers or words")
    if "(" not in text:
        return {}
    if len(text) > MAX_TEXT:
        raise refusal
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `1for` is a number and a word to Python, with a warning
            call = ast.parse(text.strip(), mode="eval").body
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and len(call.args) <= len(names)):
            raise refusal
        if any(word.arg is None for word in call.keywords):
            raise refusal
        values = dict(zip(names, map(ast.literal_eval, call.args), strict=False))
        return values | {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg}
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise refusal from error
