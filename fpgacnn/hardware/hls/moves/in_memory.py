"""Which resize layers and transposes of a stream keep their values in memories, and the sizes of their templates.

hls4ml's template of a resize layer writes all copies of a row in one unrolled loop, and that of a transpose splits the
whole frame into registers. Tools stop at 4,096 of either. Where that is passed, templates of fpgacnn's own
(`nnet_in_memory.h`) write one word a cycle, or one in `n_groups` cycles, from memories.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from fpgacnn.ir.source import Shape

MOST_UNROLLED = 4096
"""Repetitions of a loop that tools unroll."""

MOST_REGISTERS = 4096
"""Elements of an array that tools split into registers."""

MOST_MEMORIES = 1024
"""Memories that an array is split into. Vitis HLS takes long to split it into more."""

AXES = 3
"""Rows, columns and channels."""

HEADER = "nnet_in_memory.h"
RESIZE, PIXELS, BANKS = "resize_by_lines", "transpose_pixels", "transpose_by_banks"
FUNCTIONS = frozenset({RESIZE, PIXELS, BANKS})
"""The functions of the header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InMemory:
    """The function of a layer, and the numbers of its configuration."""

    function: str
    numbers: Mapping[str, int]


def resize(before: Shape, after: Shape) -> InMemory | None:
    """A resize layer of (rows, columns, channels) or (columns, channels); None where hls4ml's template is unrolled."""
    (rows, columns, channels), (new_rows, new_columns, _) = (1, *before)[-3:], (1, *after)[-3:]
    if new_rows // rows * new_columns * channels <= MOST_UNROLLED:
        return None
    numbers = {"height": rows, "width": columns, "n_chan": channels, "new_height": new_rows, "new_width": new_columns}
    return InMemory(function=RESIZE, numbers={"n_in": prod(before), **numbers})


def transpose(shape: Shape, axes: tuple[int, ...]) -> InMemory | None:
    """A transpose of a stream of words with all channels; None where its values fit into registers.

    Also None for an order of more than two axes of pixels that no block of rows and columns gives.
    """
    if prod(shape) <= MOST_REGISTERS or len(shape) == 1:
        return None
    fixed = next((place for place, axis in enumerate(axes) if place != axis), len(axes) - 1)
    if axes[-1] == len(axes) - 1:
        fixed = min(fixed, len(axes) - 2)
    blocks, inner = prod(shape[:fixed]), shape[fixed:]
    order = tuple(axis - fixed for axis in axes[fixed:])
    if order[-1] == len(order) - 1:
        return _pixels(blocks, inner, order)
    return _banks(blocks, inner, order)


def _pixels(blocks: int, shape: Shape, order: tuple[int, ...]) -> InMemory | None:
    """Words that stay as they are, in another order."""
    if order == (0, 1):  # no axis moves
        rows, columns, channels = 1, *shape
    elif order == (1, 0, 2):
        rows, columns, channels = shape
    else:
        return None
    numbers = {"n_blocks": blocks, "n_rows": rows, "n_cols": columns, "n_chan": channels}
    return InMemory(function=PIXELS, numbers={"n_in": blocks * prod(shape), **numbers})


def _banks(blocks: int, shape: Shape, order: tuple[int, ...]) -> InMemory | None:
    """An axis of pixels becomes the channels. `order` does not begin with 0."""
    if len(shape) > AXES:
        return None
    rows, columns, channels = (1, *shape)[-3:]
    axis = order[-1] + 3 - len(shape)
    size, others = ((rows, columns), (columns, rows))[axis]
    banks = max(one for one in range(1, size + 1) if size % one == 0 and (one == 1 or one * channels <= MOST_MEMORIES))
    numbers = {
        "n_blocks": blocks,
        "n_others": others,
        "n_banks": banks,
        "n_groups": size // banks,
        "n_chan": channels,
        "from_rows": int(axis == 0),
        "channels_first": int(order[0] == len(shape) - 1),
    }
    return InMemory(function=BANKS, numbers={"n_in": blocks * prod(shape), **numbers})
