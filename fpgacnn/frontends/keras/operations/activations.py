"""Activations: as layers, as options of layers, and as quantizers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fpgacnn.frontends.keras.context import LayerContext, ParsedOperation
from fpgacnn.frontends.keras.layer_config import Json, LayerConfig, class_of
from fpgacnn.frontends.keras.operations.quantizers import is_quantizer, parse_quantizer
from fpgacnn.ir import source as src
from fpgacnn.ir.source import Function, FunctionKind, Shape

_FIFTH = float(np.float32(0.2))

_NAMED: Mapping[str, src.Activation] = {
    "relu": src.Relu(),
    "relu6": src.Relu(max_value=6.0),
    "leaky_relu": src.Relu(negative_slope=_FIFTH),
    "softmax": src.Softmax(),
    "sigmoid": Function(kind=FunctionKind.SIGMOID),
    "tanh": Function(kind=FunctionKind.TANH),
    "softplus": Function(kind=FunctionKind.SOFTPLUS),
    "softsign": Function(kind=FunctionKind.SOFTSIGN),
    "elu": Function(kind=FunctionKind.ELU),
    "selu": Function(kind=FunctionKind.SELU),
    "exponential": Function(kind=FunctionKind.EXPONENTIAL),
    "swish": Function(kind=FunctionKind.SWISH),
    "silu": Function(kind=FunctionKind.SWISH),
    "gelu": Function(kind=FunctionKind.GELU),
    "mish": Function(kind=FunctionKind.MISH),
    "hard_swish": Function(kind=FunctionKind.HARD_SWISH, by_sixths=True),
    "hard_silu": Function(kind=FunctionKind.HARD_SWISH, by_sixths=True),
    "hard_tanh": Function(kind=FunctionKind.HARD_TANH),
}
"""Keras' own names, except the hard sigmoid."""

_HARD_SIGMOID = {2: _FIFTH, 3: float(np.float32(1 / 6))}
"""Its slope in each version of Keras."""

_QKERAS: Mapping[str, src.Activation] = {
    "hard_sigmoid": Function(kind=FunctionKind.HARD_SIGMOID, alpha=0.5),
    "smooth_sigmoid": Function(kind=FunctionKind.HARD_SIGMOID, alpha=0.1875),
    "hard_tanh": Function(kind=FunctionKind.HARD_TANH),
}
"""Meaning of the same names in the layers of QKeras."""

LAYERS = frozenset({"ReLU", "LeakyReLU", "ThresholdedReLU", "ELU", "Softmax", "PReLU"})
"""Keras layers that are activations."""


def embedded(context: LayerContext, shape: Shape) -> list[ParsedOperation]:
    """The `activation` option of a layer as a step of its own."""
    function = parse_activation(context.settings.get("activation"), context)
    return [] if function is None else [ParsedOperation(operation=src.Activate(function=function), shape=shape)]


def parse_activation(value: Json, context: LayerContext) -> src.Activation | None:
    """An activation from its JSON; None for linear.

    Raises UnsupportedOptionError for functions that are not supported.
    """
    if isinstance(value, dict) and class_of(value) == "function":
        value = value.get("config")
    config, kind = (value.get("config"), class_of(value)) if isinstance(value, dict) else (None, None)
    if kind in LAYERS and isinstance(config, dict):
        return _layer(kind, replace(context.settings, values=config))
    if value is None or value == "linear":
        return None
    if is_quantizer(value):
        return parse_quantizer(value, layer=context.name)
    known = {**_NAMED, **_QKERAS} if context.kind.startswith("Q") else _NAMED
    if isinstance(value, str) and value in known:
        return known[value]
    if value == "hard_sigmoid":
        return _hard_sigmoid(context)
    text = kind if isinstance(value, dict) and "class_name" in value else value
    raise context.settings.unsupported(
        f"activation {text!r} is not supported", f"use one of {', '.join(_NAMED)}, hard_sigmoid, or a QKeras quantizer"
    )


def _hard_sigmoid(context: LayerContext) -> Function:
    if context.keras not in _HARD_SIGMOID:
        why = "hard_sigmoid differs between Keras 2 and 3, and the file does not say which one wrote it"
        raise context.settings.unsupported(why, 'save the whole model again with model.save("model.h5")')
    return Function(kind=FunctionKind.HARD_SIGMOID, alpha=_HARD_SIGMOID[context.keras], by_sixths=context.keras == 3)


def _layer(kind: str, settings: LayerConfig) -> src.Activation:
    """Keras' activation layers without weights."""
    match kind:
        case "ReLU":
            limit = settings.get("max_value")
            slope = settings.number("negative_slope", 0.0)
            threshold = settings.number("threshold", 0.0)
            if slope and threshold:
                raise settings.unsupported(
                    "a threshold together with a negative slope is not supported", "use one of them"
                )
            return src.Relu(
                max_value=None if limit is None else settings.number("max_value", 0.0),
                negative_slope=slope,
                threshold=threshold,
            )
        case "LeakyReLU":
            key = "negative_slope" if "negative_slope" in settings.values else "alpha"
            return src.Relu(negative_slope=settings.number(key, 0.3))
        case "ThresholdedReLU":
            return src.Relu(threshold=settings.number("theta", 1.0))
        case "ELU":
            return Function(kind=FunctionKind.ELU, alpha=settings.number("alpha", 1.0))
        case "Softmax":
            if settings.get("axis", -1) not in (-1, [-1]):
                raise settings.unsupported("softmax over another axis than the last is not supported", "use axis=-1")
            return src.Softmax()
        case _:
            raise settings.unsupported(f"activation {kind} is not supported", "use ReLU, LeakyReLU, ELU or Softmax")


def activation_layer(context: LayerContext) -> list[ParsedOperation]:
    """Activation, QActivation, ReLU, LeakyReLU, ThresholdedReLU, ELU, Softmax."""
    if context.kind in LAYERS:
        function: src.Activation | None = _layer(context.kind, context.settings)
    else:
        function = parse_activation(context.settings.get("activation"), context)
    return [] if function is None else [ParsedOperation(operation=src.Activate(function=function), shape=context.input)]


def prelu(context: LayerContext) -> list[ParsedOperation]:
    """PReLU, whose trained slopes may be shared along axes.

    Keras takes `axis - 1` as an index of Python, so that 0 is the last axis and -1 the one before it.
    """
    shared, rank = context.settings.get("shared_axes"), len(context.input)
    axes = [shared] if isinstance(shared, int) else shared or []
    if not isinstance(axes, list) or not all(isinstance(axis, int) and -rank < axis <= rank for axis in axes):
        raise context.settings.broken("shared_axes", f"expected axes, found {shared!r}")
    places = {(axis - 1) % rank for axis in axes if isinstance(axis, int)}
    shape = tuple(1 if place in places else size for place, size in enumerate(context.input))
    slope = context.weight("alpha", shape)
    return [ParsedOperation(operation=src.Activate(function=src.PRelu(slope=slope.values)), shape=context.input)]
