"""One call of a template of hls4ml, by the names of its C++ configuration, as a layer of the estimate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import prod

from fpgacnn.design import Multiplier, Strategy
from fpgacnn.hardware.estimation.graph.graph import DEFAULT_WIRE, FixedType, Role, TemplateCall, WeightSummary
from fpgacnn.hardware.hls.da.adder_graph import AdderGraph

STARTS = (
    ("depthwise", Role.DEPTHWISE),
    ("global_pool", Role.GLOBAL_POOL),
    ("pool", Role.POOL),
    ("dense", Role.DENSE),
    ("conv", Role.CONVOLUTION),
    ("pointwise_conv", Role.CONVOLUTION),
    ("separable_conv", Role.CONVOLUTION),
    ("softmax", Role.SOFTMAX),
    ("argmax", Role.ARGMAX),
    ("normalize", Role.SCALE),
    ("prelu", Role.SCALE),
    ("leaky_relu", Role.SCALE),
    ("zeropad", Role.PAD),
    ("gru", Role.RECURRENT),
    ("lstm", Role.RECURRENT),
    ("simple_rnn", Role.RECURRENT),
    ("relu", Role.COMPARE),
    ("linear", Role.COMPARE),
    ("hard_", Role.COMPARE),
    ("thresholded_relu", Role.COMPARE),
    ("binary_tanh", Role.COMPARE),
    ("ternary_tanh", Role.COMPARE),
    ("clip", Role.COMPARE),
    ("sigmoid", Role.TABLE),
    ("tanh", Role.TABLE),
    ("elu", Role.TABLE),
    ("selu", Role.TABLE),
    ("softplus", Role.TABLE),
    ("softsign", Role.TABLE),
    ("unary_lut", Role.TABLE),
    ("multi_threshold", Role.THRESHOLDS),
    ("add", Role.MERGE),
    ("subtract", Role.MERGE),
    ("multiply", Role.MERGE),
    ("average", Role.MERGE),
    ("maximum", Role.MERGE),
    ("minimum", Role.MERGE),
    ("dot", Role.MERGE),
)
"""Prefix of a template's name -> its role; all other templates only move values."""

WINDOWED = frozenset({Role.CONVOLUTION, Role.DEPTHWISE, Role.POOL, Role.PAD})
WEIGHTED = frozenset({Role.DENSE, Role.CONVOLUTION, Role.DEPTHWISE, Role.RECURRENT})
GATES = {"lstm": 4, "gru": 3}
TABLE_ENTRIES = 1024


def role_of(function: str) -> Role:
    """The role of a template function, by its name."""
    name = function.lower()
    found = next((role for start, role in STARTS if name.startswith(start)), None)
    if found is None and ("quantize" in name or name.endswith("relu")):
        return Role.COMPARE
    return found or Role.MOVE


_PLACED = re.compile(r"\bnnet::product::mult_(dsp|lut)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallText:
    """A call as it was read; `numbers`, `types` by hls4ml's names; `packs`: values in a word of the streams in and out.

    `reuse` and `strategy` are those of the matrix product inside, where a convolution has one. `label` is the layer's
    name in the comment behind the call, `streams` are the variables that it reads before aliases and copies are
    resolved.
    """

    name: str
    function: str
    inputs: tuple[str, ...]
    numbers: Mapping[str, int]
    types: Mapping[str, FixedType] = field(default_factory=dict)
    packs: tuple[int | None, int | None] = (None, None)
    reuse: int = 1
    recurrent_reuse: int = 1
    strategy: str = ""
    weights: WeightSummary | None = None
    zero_biases: int = 0
    label: str = ""
    streams: tuple[str, ...] = ()
    adder_graph: AdderGraph | None = None
    multiplier: Multiplier = Multiplier.AUTO

    def number(self, *names: str, default: int) -> int:
        """The first of some numbers that is given and positive."""
        return next((self.numbers[name] for name in names if self.numbers.get(name, 0) > 0), default)


def placed_multiplier(configurations: Iterable[str]) -> Multiplier:
    """What makes the products of a call, if one of its configurations names a product of `nnet_placed_mult.h`."""
    found = _PLACED.search("".join(configurations))
    return Multiplier(found.group(1)) if found else Multiplier.AUTO


def layer_of(call: CallText, before: TemplateCall | None) -> TemplateCall:
    """The layer of a call; `before` is the layer that writes its first input."""
    role = role_of(call.function)
    arriving = call.types.get("in") or (before.output if before else DEFAULT_WIRE)
    leaving = call.types.get("out") or arriving
    in_shape, out_shape = shapes(call, role, before)
    weight = call.types.get("weight_t") or call.types.get("scale_t") or call.types.get("param_t")
    return TemplateCall(
        name=call.name,
        role=role,
        what=call.function,
        inputs=call.inputs,
        in_shape=in_shape,
        out_shape=out_shape,
        window=(
            call.number("pool_height", "filt_height", default=1),
            call.number("pool_width", "filt_width", default=1),
        ),
        strides=(call.number("stride_height", default=1), call.number("stride_width", default=1)),
        reuse=max(1, call.reuse),
        recurrent_reuse=max(1, call.recurrent_reuse),
        strategy=_strategy(call.strategy.lower()),
        partitions=call.number("n_partitions", default=out_shape[0] * out_shape[1])
        if role in {Role.CONVOLUTION, Role.DEPTHWISE}
        else 1,
        input=arriving,
        output=leaving,
        weight=weight or (DEFAULT_WIRE if role in WEIGHTED else None),
        accumulator=call.types.get("accum_t") or leaving,
        table=_table(call, role),
        table_entries=call.number("exp_table_size", "table_size", default=TABLE_ENTRIES),
        weights=call.weights,
        stated_zeros=call.numbers.get("n_zeros") if call.weights is None else None,
        zero_biases=call.zero_biases,
        steps=call.number("n_sequence", default=1),
        gates=next((gates for start, gates in GATES.items() if call.function.startswith(start)), 1),
        label=call.label,
        streams=call.streams,
        borders=_borders(call, role),
        adder_graph=call.adder_graph,
        multiplier=call.multiplier,
        blocks=call.number("n_blocks", default=1),
        groups=call.number("n_groups", default=1),
    )


def _strategy(stated: str) -> Strategy:
    if "distributed" in stated:
        return Strategy.DA
    return Strategy.RESOURCE if "resource" in stated else Strategy.LATENCY


def _borders(call: CallText, role: Role) -> tuple[int, int, int, int]:
    """What is padded or cut off: top, bottom, left, right."""
    kind = "pad" if role is Role.PAD else "crop" if call.function.startswith("cropping") else ""
    top, bottom, left, right = (
        max(0, call.numbers.get(f"{kind}_{side}", 0)) for side in ("top", "bottom", "left", "right")
    )
    return top, bottom, left, right


def _table(call: CallText, role: Role) -> FixedType | None:
    if role is Role.SOFTMAX:
        return call.types.get("exp_table_t") or FixedType(width=18, integer=8)
    return call.types.get("table_t") or FixedType(width=18, integer=8) if role is Role.TABLE else None


def shapes(
    call: CallText, role: Role, before: TemplateCall | None
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Rows, columns and channels before and after.

    Elementwise layers have only a number of values; the packing of their streams, or the layer before, says the
    channels.
    """
    if role in WINDOWED or call.function.startswith("cropping"):
        return _windowed(call, role)
    if role is Role.GLOBAL_POOL:
        channels = call.number("n_filt", "n_chan", default=1)
        return (call.number("in_height", default=1), call.number("in_width", "n_in", default=1), channels), (
            1,
            1,
            channels,
        )
    if role is Role.DENSE:
        inputs = call.number("n_in", default=1)
        pack = call.packs[0] if call.packs[0] and call.packs[0] <= inputs else inputs
        return (1, max(1, inputs // pack), pack), (1, 1, call.number("n_out", default=1))
    if role is Role.RECURRENT:
        return (1, call.number("n_sequence", default=1), call.number("n_in", default=1)), (
            1,
            call.number("n_sequence_out", default=1),
            call.number("n_state", "n_out", default=1),
        )
    if "new_width" in call.numbers:
        after = (
            call.number("new_height", default=1),
            call.number("new_width", default=1),
            call.number("n_chan", default=1),
        )
        own = (call.number("height", default=1), call.number("width", default=0), after[2])
        return (own if own[1] else before.out_shape if before else after), after
    if call.function.startswith("concatenate"):
        return _joined(call)
    values = call.number("n_in", "n_elem", default=prod(before.out_shape) if before else 1)
    arriving, leaving = (one or other or values for one, other in (call.packs, call.packs[::-1]))
    if (
        before
        and prod(before.out_shape) == values
        and arriving == leaving
        and arriving in {values, before.out_shape[2]}
    ):
        return before.out_shape, before.out_shape
    return (1, max(1, values // arriving), arriving), (1, max(1, values // leaving), leaving)


def _windowed(call: CallText, role: Role) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    filters = call.number("n_filt", "n_chan", default=1)
    channels = filters if role in {Role.POOL, Role.DEPTHWISE} else call.number("n_chan", "n_filt", default=1)
    before = (call.number("in_height", default=1), call.number("in_width", "n_in", default=1), channels)
    after = (
        call.number("out_height", default=1),
        call.number("out_width", "n_out", default=1),
        channels if role in {Role.PAD, Role.MOVE} else filters,
    )
    return before, after


def _joined(call: CallText) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Two arrays of up to three dimensions, joined along the axis in which they may differ."""
    sides = [
        tuple(call.numbers[name] for name in (f"n_elem{side}_{axis}" for axis in range(3)) if call.numbers.get(name))
        for side in (1, 2)
    ]
    first, second = ((1, 1, 1, *side)[-3:] for side in sides)
    axis = max(0, call.number("axis", default=len(sides[0])) - 1) + 3 - len(sides[0])
    joined = [
        one + other if place == axis else one for place, (one, other) in enumerate(zip(first, second, strict=True))
    ]
    return (first[0], first[1], first[2]), (joined[0], joined[1], joined[2])
