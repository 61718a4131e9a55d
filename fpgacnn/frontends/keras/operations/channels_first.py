"""Layers with `data_format='channels_first'`: the same layer with channels last, between two permutations.

The `activation` of a layer is computed behind the second one, because Keras computes it on channels first: a softmax
runs along the last axis there, which is one of space.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fpgacnn.errors import ShapeError
from fpgacnn.frontends.keras.context import LayerContext, ParsedOperation, Parser
from fpgacnn.ir import source as src
from fpgacnn.ir.source import Shape

CHANNELS_FIRST = "channels_first"


def is_channels_first(context: LayerContext) -> bool:
    """Whether the layer has its channels before the axes of space."""
    return context.settings.get("data_format") == CHANNELS_FIRST


def parse(context: LayerContext, parser: Parser) -> list[ParsedOperation]:
    """The operations of a layer of one input with channels first."""
    shape = context.input
    axes = (*range(1, len(shape)), 0)
    turned = tuple(shape[axis] for axis in axes)
    settings = context.settings.with_value("data_format", "channels_last")
    try:
        steps = parser(replace(context, settings=settings, inputs=(turned,)))
    except ShapeError as error:
        raise context.shape_error(f"{error.data['why']} (channels last)") from error
    if context.keras != 2:  # the version
        for step in steps:
            _refuse_bias(context, step)
    count = next((number for number, one in enumerate(steps) if isinstance(one.operation, src.Activate)), len(steps))
    before = [ParsedOperation(operation=src.Permute(axes=axes), shape=turned), *steps[:count]]
    last = before[-1].shape
    behind = [replace(one, shape=_first(one.shape)) for one in steps[count:]]
    if len(last) == 1:
        return [*before, *behind]
    back = (len(last) - 1, *range(len(last) - 1))
    return [*before, ParsedOperation(operation=src.Permute(axes=back), shape=_first(last)), *behind]


def _refuse_bias(context: LayerContext, step: ParsedOperation) -> None:
    """Refuse a bias that Keras 3 with TensorFlow adds along another axis than the other backends.

    Its `add` takes a vector that is as long as the last axis for a bias of this axis; a file does not say which backend
    trained it.
    """
    bias = getattr(step.operation, "bias", None)
    if bias is None or len(step.shape) < 2 or step.shape[-1] != step.shape[-2] or not np.ptp(bias.values):  # space, too
        return
    why = (
        f"its result has {step.shape[-1]} channels and rows of as many values, where Keras 3 adds the bias along the"
        " rows on TensorFlow and along the channels on JAX and PyTorch"
    )
    raise context.settings.unsupported(why, "use another number of filters, or use_bias=False and BatchNormalization")


def _first(shape: Shape) -> Shape:
    """A shape with its last axis first."""
    return (shape[-1], *shape[:-1])
