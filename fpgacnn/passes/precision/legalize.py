"""Legalization: from the quantized graph to operations that hardware has, with a format for every value.

One walk over the network. The exact interval of every node that is finished decides what the next one becomes: a scale
that makes every step exact, a table of a function, a mean with enough guard bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import assert_never

import numpy as np

from fpgacnn.errors import UnsupportedOptionError, WidthLimitError
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import interval as iv
from fpgacnn.ir import quantized as q
from fpgacnn.ir import ranges
from fpgacnn.ir import source as src
from fpgacnn.ir.hardware import HardwareModel
from fpgacnn.ir.quantized import QuantizedModel
from fpgacnn.ir.source import FunctionKind, MergeKind
from fpgacnn.passes.precision import function_tables, nodes, shorten
from fpgacnn.passes.precision.bounds import Bound
from fpgacnn.passes.precision.exact_steps import (
    average_rounding,
    constant_channels,
    guards,
    scales,
    step_functions,
    thresholds,
)
from fpgacnn.passes.precision.exact_steps.code_values import CodeValues
from fpgacnn.passes.precision.narrowing import forward_scales, short_scales, split_products
from fpgacnn.passes.precision.narrowing.attempts import kept_plan
from fpgacnn.passes.precision.narrowing.product_costs import Folding
from fpgacnn.passes.precision.narrowing.short_scales import Shortening
from fpgacnn.passes.precision.nodes import Guard, Node, PlannedCast, Purpose, node
from fpgacnn.passes.precision.plan import PrecisionPlan
from fpgacnn.passes.precision.planner import Planner
from fpgacnn.passes.precision.replacements import exact_for_steps, proportional, rounded, wrapping
from fpgacnn.passes.quantization.activations import hard_sigmoid_nodes
from fpgacnn.passes.quantization.names import Namer


def legalize(model: QuantizedModel, folding: Folding | None = None) -> tuple[HardwareModel, PrecisionPlan]:
    """The network in operations that hardware has, and the lossless format of every value where there is one.

    With `folding`, scales are multiplied into the weights behind them where these cost no more (`forward_scales`).
    Where an output of the network has an error anyway, scales without a quantizer behind them are short. The bounds of
    the outputs have to allow either (`attempts.kept_plan`).

    Raises UnsupportedOptionError where a step function cannot be built, and WidthLimitError where a value needs more
    bits than the arithmetic has.
    """
    return kept_plan(partial(_legalized, model), folding, model.outputs).result()


def _legalized(model: QuantizedModel, shortening: Shortening | None, folding: Folding | None) -> Legalization:
    legalization = Legalization(model=model, shortening=shortening, folding=folding)
    for layer in model.layers:
        legalization.add(layer)
    return legalization


@dataclass(slots=True, kw_only=True)
class Legalization:
    """The nodes of the hardware so far, in order, and what was planned for them.

    `waiting` are scales whose only reader is a quantizer, by name: the quantizer decides what becomes of both. `long`
    are nodes whose width comes from float constants. `chains` are the parts of step functions by the name of the last
    part, `chained` the names of all parts.

    `means` are bounds of exact means, and how codes of the truncated ones show them; `unread` are the readers of such
    a mean that take the truncated number instead.

    `shortening`: which scales get short constants, if any; `has_long_scales` if one has long ones. `lifted` are the
    fraction bits to which a ReLU truncates, by its name, since the scale before it adds half a step of them.

    `scaled` are the nodes from a scale to a linear layer that may take it, by the name of the latter, and `taken` the
    layers of the file whose scales are in its weights.
    """

    model: QuantizedModel
    shortening: Shortening | None = None
    folding: Folding | None = None
    has_long_scales: bool = False
    planner: Planner = field(default_factory=Planner)
    finished: list[Node] = field(default_factory=list)
    waiting: dict[str, tuple[q.Layer, q.Affine]] = field(default_factory=dict)
    long: set[str] = field(default_factory=set)
    namer: Namer = field(init=False)
    chains: dict[str, tuple[q.Layer, ...]] = field(init=False)
    chained: set[str] = field(init=False)
    means: dict[str, tuple[Bound, CodeValues]] = field(default_factory=dict)
    unread: dict[str, set[str]] = field(default_factory=dict)
    lifted: dict[str, int] = field(default_factory=dict)
    scaled: dict[str, tuple[q.Layer, ...]] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.namer = Namer(layer.name for layer in self.model.layers)
        self.chains = step_functions.chains(self.model)
        self.chained = {layer.name for chain in self.chains.values() for layer in chain}
        if self.folding is not None:
            self.scaled = forward_scales.chains(self.model, self.chained)
            self.chained |= {layer.name for chain in self.scaled.values() for layer in chain}

    def result(self) -> tuple[HardwareModel, PrecisionPlan]:
        """The nodes so far as a network, and their plan."""
        for name in [mean for mean, left in self.unread.items() if not left]:
            self.planner.decided[name] = exact_for_steps(self.planner.decided[name])
        legal = HardwareModel(
            name=self.model.name,
            source_digest=self.model.source_digest,
            layers=tuple(nodes.to_hardware(one, self.taken.get(one.name)) for one in self.finished),
            inputs=self.model.inputs,
            outputs=self.model.outputs,
            notes=self.model.notes,
        )
        return legal, PrecisionPlan(layers={one.name: self.planner.decided[one.name] for one in self.finished})

    def add(self, layer: q.Layer) -> None:
        """Legalize one node; the parts of a step function wait for the last of them, a scale for what may take it."""
        if layer.name in self.chains:
            self._step_function(self.chains[layer.name])
        elif layer.name in self.scaled:
            self._scaled_sums(self.scaled[layer.name])
        elif layer.name not in self.chained:
            self._add(layer)

    def add_each(self, chain: tuple[q.Layer, ...], line: q.Affine) -> None:
        """Legalize a scale, whose constants are those of `line`, and the nodes behind it, each by itself."""
        self._scale(chain[0], line, narrows=True)
        for layer in chain[1:]:
            self._add(layer)

    # --- append nodes ------------------------------------------------------------------------------------------------

    def _emit(self, made: Node) -> None:
        """Append a node. Where float constants make it too wide, the constants or the inputs are rounded."""
        try:
            self._place(made)
        except WidthLimitError as error:
            self.finished += self._narrower(made, error)
            self._note_long(made)

    def _place(self, made: Node) -> None:
        """Append a node as it is. Raises WidthLimitError; then nothing changes."""
        self.planner.add(made)
        self.finished.append(made)
        self._note_long(made)

    def _note_long(self, made: Node) -> None:
        if shorten.is_long(made, self.long):
            self.long.add(made.name)

    def _narrower(self, made: Node, error: WidthLimitError) -> tuple[Node, ...]:
        """The node with shorter constants, narrowed inputs, or both; raises the error if floats are not the cause."""
        casts, behind = shorten.inputs(made, self.planner, self.long, self.namer)
        for cast in casts:
            self.planner.add(cast)
        short, short_behind = (shorten.constants(one, self.planner) for one in (made, behind))
        shortest = shorten.constants(behind, self.planner, limited=True)
        for found in ((short,), (*casts, behind), (*casts, short_behind), (*casts, shortest)):
            try:
                self.planner.add(found[-1])
            except WidthLimitError:
                continue
            return found
        raise error

    def _part(self, layer: q.Layer, hint: str, operation: nodes.Operation, source: str) -> str:
        """Append a node that is a part of `layer`, and return its name."""
        name = self.namer.unique(f"{layer.name}_{hint}")
        self._emit(node(layer, operation, name=name, inputs=(source,), is_result=False))
        return name

    def _narrowed(self, layer: q.Layer, source: str, place: str = "") -> str:
        """The node `source`, or a cast of it where it has more than FLOAT_INPUT_BITS bits; the name of either."""
        if self.planner.decided[source].result.format.width <= shorten.FLOAT_INPUT_BITS:
            return source
        cast = shorten.narrow(layer, source, self.planner, self.namer, place=place)
        self._emit(cast)
        return cast.name

    # --- one node after the other ------------------------------------------------------------------------------------

    def _step_function(self, chain: tuple[q.Layer, ...]) -> None:
        """One exact node; where that has too many steps, the scale in front stays a node, or every part does."""
        first, last = chain[0], chain[-1]
        source = first.inputs[0]
        form = self.planner.decided[source].result.format
        function = step_functions.StepFunction.of(chain)
        given, values = self.means.get(source, (self.planner.bounds[source], None))
        if values is not None and not values.holds(form.width):
            given, values = self.planner.bounds[source], None
        exact = thresholds.build(function, given, form, last.shape[-1], values)
        if exact is not None:
            self._emit(node(last, exact, inputs=(source,)))
            if values is not None:
                self.unread[source].discard(first.name)
        elif isinstance(first.operation, q.Affine):
            line = constant_channels.without_constants(first, first.operation, self.model, self.planner)
            self._scale(first, line, narrows=False)
            self._step_function(chain[1:])
        else:
            for layer in chain:
                self._add(layer)

    def _add(self, layer: q.Layer) -> None:
        """Legalize one node that is no part of a step function."""
        if layer.inputs and layer.inputs[0] in self.waiting:
            self._quantizer_behind(*self.waiting.pop(layer.inputs[0]), layer)
            return
        operation = layer.operation
        if isinstance(operation, nodes.Unchanged):
            self._emit(node(layer, operation))
            return
        match operation:
            case q.Affine():
                line = constant_channels.without_constants(layer, operation, self.model, self.planner)
                if guards.only_quantizer_behind(self.model, layer):
                    self.waiting[layer.name] = layer, line
                else:
                    self._scale(layer, line, narrows=True)
            case q.Linear():
                source = layer.inputs[0] if operation.errors is None else self._narrowed(layer, layer.inputs[0])
                self._emit(node(layer, operation, inputs=(source,)))
                self.finished, self.planner = split_products.split(
                    self.finished, self.planner, self.model, self.folding, self.namer
                )
            case q.Cast():
                cast = PlannedCast(format=operation.format, through_hard_sigmoid=operation.through_hard_sigmoid)
                self._emit(node(layer, cast))
            case q.Ternary():
                self._ternary(layer, operation)
            case q.Round():
                interval = self.planner.bounds[layer.inputs[0]].interval
                self._emit(node(layer, rounded(operation, interval, layer.source)))
            case q.Wrap():
                self._wrap(layer, operation)
            case q.Function():
                self._function(layer, operation)
            case hw.Pool() | hw.GlobalPool():
                guard = guards.guard(self.model, self.planner, layer, operation)
                self._emit(node(layer, nodes.PlannedPool(pooling=operation, guard=guard)))
                self._keep_mean(layer, operation, guard)
            case q.Relu() if layer.name in self.lifted:
                fraction = self.lifted.pop(layer.name)
                self._truncated(layer, self._part(layer, "positive", operation, layer.inputs[0]), fraction)
            case q.LeakyRelu() | q.Relu():
                self._emit(node(layer, operation))
            case _:
                assert_never(operation)

    def _scaled_sums(self, chain: tuple[q.Layer, ...]) -> None:
        """A scale, and the linear layer behind with the scale in its weights; each by itself where that costs less."""
        first, last = chain[0], chain[-1]
        assert isinstance(first.operation, q.Affine)
        assert self.folding is not None
        line = constant_channels.without_constants(first, first.operation, self.model, self.planner)
        products = self.folding.of(first, last)
        if products is None:
            self.add_each(chain, line)
            return
        separate = copy(self)
        separate.planner, separate.finished, separate.long = self.planner.copy(), [], set(self.long)
        separate.add_each(chain, line)
        whole = scales.with_constants(line)
        both = forward_scales.PlannedNodes(nodes=separate.finished, planner=separate.planner)
        found = forward_scales.joined(chain, whole, self.planner, both, products, self.shortening)
        self.planner, self.has_long_scales = (found or both).planner, separate.has_long_scales
        self.finished += (found or both).nodes
        if found is None:
            self.long = separate.long
            return
        self.taken[last.name] = first.source
        for one in found.nodes:
            self._note_long(one)
        if last.name in separate.long:
            self.long.add(last.name)

    def _scale(self, layer: q.Layer, line: q.Affine, *, narrows: bool) -> None:
        """A scale that no quantizer behind it makes exact; `narrows`: its result may lose fraction bits."""
        whole = scales.with_constants(line)
        given, behind = self.planner.bounds[layer.inputs[0]], guards.only_reader(self.model, layer)
        relu = behind if behind is not None and behind.operation == q.Relu() else None
        last = guards.only_reader(self.model, behind) if behind is not None and relu else behind
        narrows = narrows and (last is None or not guards.rounds(last.operation))
        short = short_scales.shortened(whole, given, layer.shape[-1], self.shortening, narrows=narrows)
        if short is None or short.fraction is None:
            self.has_long_scales |= short is None and short_scales.is_long(whole)
            self._emit(node(layer, whole if short is None else short.operation))
            return
        name = layer.name if relu else self.namer.unique(f"{layer.name}_product")
        try:
            self._place(node(layer, short.operation, name=name, is_result=layer.is_result and relu is not None))
        except WidthLimitError:
            self._emit(node(layer, whole))
            return
        if relu:
            self.lifted[relu.name] = short.fraction
        else:
            self._truncated(layer, name, short.fraction)

    def _truncated(self, layer: q.Layer, source: str, fraction: int) -> None:
        """Append the cast that takes all but `fraction` fraction bits off a node that is half a step too large."""
        form = short_scales.truncated(self.planner.bounds[source].interval, fraction)
        self._emit(node(layer, PlannedCast(format=form, purpose=Purpose.NARROWING, centred=True), inputs=(source,)))

    def _quantizer_behind(self, scale: q.Layer, line: q.Affine, cast: q.Layer) -> None:
        """One exact node for a scale and the quantizer behind it; where there is none, one after the other."""
        source = self.planner.bounds[scale.inputs[0]]
        form = scales.quantizer_format(cast.operation)
        if form is None:
            assert scales.takes_sign(cast.operation)
            self._emit(node(scale, scales.sign_line(line, source.interval), is_result=False))
            self._add(cast)
            return
        one = scales.fused(line, source, form, scale.shape[-1])
        if one is not None:
            self._emit(node(cast, one, inputs=scale.inputs))
            return
        mean = average_rounding.on_grid(line, source.interval, form)
        if mean is not None:
            self._emit(node(scale, mean, is_result=False))
        else:
            self._scale(scale, line, narrows=False)
        self._add(cast)

    def _ternary(self, layer: q.Layer, operation: q.Ternary) -> None:
        steps = scales.ternary(operation, self.planner.bounds[layer.inputs[0]], layer.shape[-1])
        if steps is None:
            raise UnsupportedOptionError(
                layer=layer.source, why="ternary steps need too many bits", do="quantize its input to fewer bits"
            )
        self._emit(node(layer, steps))

    def _wrap(self, layer: q.Layer, operation: q.Wrap) -> None:
        """Three nodes that shift every channel's range to the top of one format, which wraps, and back."""
        source = layer.inputs[0]
        low, high = iv.per_channel(self.planner.bounds[source].interval, layer.shape[-1])
        if np.all(low >= operation.low) and np.all(high <= operation.high):
            self._emit(node(layer, PlannedCast(format=self.planner.decided[source].result.format)))
            return
        up, cast, down = wrapping(operation)
        shifted, wrapped = self.namer.unique(f"{layer.name}_up"), self.namer.unique(f"{layer.name}_cast")
        self._emit(node(layer, up, name=shifted, is_result=False))
        self._emit(node(layer, cast, name=wrapped, inputs=(shifted,), is_result=False))
        self._emit(node(layer, down, inputs=(wrapped,)))

    def _function(self, layer: q.Layer, operation: q.Function) -> None:
        """A table, with a line beside it where the function rises without end; a hard sigmoid by lines and ReLUs."""
        function, source = operation.function, layer.inputs[0]
        if isinstance(function, src.Function) and function.kind is FunctionKind.HARD_SIGMOID:
            self._in_a_row(layer, hard_sigmoid_nodes(function, layer.shape))
            return
        given, form = self.planner.bounds[source], self.planner.decided[source].result.format
        table = function_tables.build(operation, given.interval, form, given.error, layer=layer.source)
        if table.index is not None:
            index = PlannedCast(format=table.index, purpose=Purpose.INDEX)
            source = self._part(layer, "index", index, source)
        if table.line is None:
            self._emit(node(layer, table.lookup, inputs=(source,)))
            return
        rest = self._part(layer, "rest", table.lookup, source)
        line = self._line_above_zero(layer, table.line)
        self._emit(node(layer, hw.Merge(kind=MergeKind.ADD), inputs=(line, rest)))

    def _line_above_zero(self, layer: q.Layer, slope: float) -> str:
        """Append `slope * max(x, 0)` of the input of `layer` in at most FLOAT_INPUT_BITS bits, and return its name."""
        source = self._part(layer, "above", q.Relu(), layer.inputs[0])
        if slope != 1.0:
            source = self._part(layer, "line", proportional(slope, layer.shape[-1]), source)
        return self._narrowed(layer, source, place="_line")

    def _in_a_row(self, layer: q.Layer, steps: Sequence[q.Layer]) -> None:
        """The nodes one after the other; the last one has the name and the readers of `layer`."""
        source = layer.inputs[0]
        for step in steps[:-1]:
            name = self.namer.unique(f"{layer.source}_{step.name}")
            self._add(replace(step, name=name, source=layer.source, inputs=(source,), is_result=False))
            source = name
        self._add(replace(layer, operation=steps[-1].operation, inputs=(source,)))

    def _keep_mean(self, layer: q.Layer, operation: hw.Pool | hw.GlobalPool, guard: Guard | None) -> None:
        """Note which exact means the codes of a truncated mean stand for, if all windows have one size."""
        counts = ranges.window_sizes(operation, self.planner.shapes[layer.inputs[0]])
        if guard is None or guard.exact_steps or len(counts) > 1:
            return
        fraction = self.planner.decided[layer.name].result.format.fraction
        exact = replace(self.planner.bounds[layer.name], error=self.planner.bounds[layer.inputs[0]].error)
        self.means[layer.name] = exact, CodeValues(fraction=fraction, count=counts[0], guard=guard.bits)
        outside = {"(output)"} if layer.name in self.model.outputs else set()
        self.unread[layer.name] = outside | {reader.name for reader in self.model.consumers(layer.name)}
