"""Legalization: from the quantized network to operations that hardware has, with a format for every value.

One walk over the network. The exact interval of every node that is finished decides what the next one becomes: a scale
that makes every step exact, a table of a function, a mean with enough guard bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil, floor, log2

import numpy as np

from fpgacnn.errors import UnsupportedOptionError, WidthLimitError
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import interval as iv
from fpgacnn.ir import ranges
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import (
    MAX_WIDTH,
    Codes,
    Format,
    Overflow,
    Rounding,
    exact_codes,
    nearest_codes,
    rescale,
    smallest_format,
)
from fpgacnn.ir.model import QuantizedModel
from fpgacnn.ir.source import FloatArray, FunctionKind, MergeKind, PoolKind
from fpgacnn.passes.precision import (
    average_rounding,
    bounds,
    function_tables,
    reach,
    shorten,
    step_functions,
    threshold_scale,
    thresholds,
)
from fpgacnn.passes.precision.plan import PrecisionPlan, Walk
from fpgacnn.passes.precision.shorten import SCALE_PORT_BITS
from fpgacnn.passes.quantization.activations import hard_sigmoid_nodes
from fpgacnn.passes.quantization.names import Namer

TERNARY = Format(width=2, integer=2, rounding=Rounding.RND_CONV, overflow=Overflow.SAT_SYM)
_SATURATES = frozenset({Overflow.SAT, Overflow.SAT_SYM})


def legalize(model: QuantizedModel) -> tuple[QuantizedModel, PrecisionPlan]:
    """The network in operations that hardware has, and the lossless format of every value where there is one.

    Raises UnsupportedOptionError where a step function cannot be built, and WidthLimitError where a value needs more
    bits than the arithmetic has.
    """
    legalization = Legalization(model=model)
    for layer in model.layers:
        legalization.add(layer)
    return legalization.result()


@dataclass(slots=True, kw_only=True)
class Legalization:
    """The nodes of the hardware so far, in order, with what was planned for them."""

    model: QuantizedModel
    walk: Walk = field(default_factory=Walk)
    nodes: list[hw.Layer] = field(default_factory=list)
    waiting: dict[str, hw.Layer] = field(default_factory=dict)
    long: set[str] = field(default_factory=set)
    namer: Namer = field(init=False)
    chains: dict[str, tuple[hw.Layer, ...]] = field(init=False)
    chained: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.namer = Namer(layer.name for layer in self.model.layers)
        self.chains = step_functions.chains(self.model)
        self.chained = {layer.name for chain in self.chains.values() for layer in chain}

    def result(self) -> tuple[QuantizedModel, PrecisionPlan]:
        """The nodes so far as a network, and their plan."""
        decided = {layer.name: self.walk.decided[layer.name] for layer in self.nodes}
        return replace(self.model, layers=tuple(self.nodes)), PrecisionPlan(layers=decided)

    def emit(self, layer: hw.Layer) -> None:
        """Append a node that hardware has; where trained floats make it too wide, these or what they made are rounded."""
        try:
            self.walk.add(layer)
            found: tuple[hw.Layer, ...] = (layer,)
        except WidthLimitError as error:
            found = self._narrower(layer, error)
        self.nodes += found
        if shorten.is_long(layer, self.long):
            self.long.add(layer.name)

    def _narrower(self, layer: hw.Layer, error: WidthLimitError) -> tuple[hw.Layer, ...]:
        """The node with shorter constants, behind narrowed inputs, or both; raises the error where no float is to blame."""
        casts, behind = shorten.inputs(layer, self.walk, self.long)
        for cast in casts:
            self.walk.add(cast)
        short, short_behind = (shorten.constants(node, self.walk) for node in (layer, behind))
        shortest = shorten.constants(behind, self.walk, limited=True)
        for nodes in ((short,), (*casts, behind), (*casts, short_behind), (*casts, shortest)):
            try:
                self.walk.add(nodes[-1])
            except WidthLimitError:
                continue
            return nodes
        raise error

    def add(self, layer: hw.Layer) -> None:
        """Legalize one node; the parts of a step function wait for the last of them."""
        if layer.name in self.chains:
            self._step_function(self.chains[layer.name])
        elif layer.name not in self.chained:
            self._add(layer)

    def _step_function(self, chain: tuple[hw.Layer, ...]) -> None:
        """One exact node; where that has too many steps, without the scale in front, and else node by node."""
        first, last = chain[0], chain[-1]
        source = first.inputs[0]
        form = self.walk.decided[source].result.format
        exact = thresholds.build(step_functions.StepFunction.of(chain), self.walk.ranges[source], form, last.shape[-1])
        if exact is not None:
            self.emit(replace(last, operation=exact, inputs=(source,)))
        elif isinstance(first.operation, hw.Affine):
            self.emit(reach.without_constants(first, self.model, self.walk))
            self._step_function(chain[1:])
        else:
            for layer in chain:
                self._add(layer)

    def _add(self, layer: hw.Layer) -> None:
        """Legalize one node; a scale right before a cast waits for it."""
        layer = reach.without_constants(layer, self.model, self.walk)
        operation = layer.operation
        if isinstance(operation, hw.Affine) and self._only_cast_behind(layer):
            self.waiting[layer.name] = layer
        elif layer.inputs and layer.inputs[0] in self.waiting:
            self._fuse(self.waiting.pop(layer.inputs[0]), layer)
        elif isinstance(operation, hw.Ternary):
            self._ternary(layer, operation)
        elif isinstance(operation, hw.Round):
            self._round(layer, operation)
        elif isinstance(operation, hw.Wrap):
            self._wrap(layer, operation)
        elif isinstance(operation, hw.Function):
            self._function(layer, operation)
        elif isinstance(operation, hw.Linear) and operation.off is not None:
            self._float_layer(layer)
        elif isinstance(operation, hw.Pool | hw.GlobalPool):
            self.emit(replace(layer, operation=self._guarded(layer, operation)))
        else:
            self.emit(layer)

    def _only_cast_behind(self, layer: hw.Layer) -> bool:
        readers = self.model.consumers(layer.name)
        alone = layer.name not in self.model.outputs and len(readers) == 1
        return alone and (_cast_format(readers[0]) is not None or _takes_sign(readers[0]))

    def _fuse(self, scale: hw.Layer, cast: hw.Layer) -> None:
        """One node that scales, rounds and limits; by exact steps, or with constants that are exact anyway."""
        if _takes_sign(cast):
            self.emit(
                replace(scale, operation=self._sign_line(scale), is_result=False)
            )  # only its sign is the network's
            self.emit(cast)
            return
        form, operation = _cast_format(cast), scale.operation
        assert form is not None
        assert isinstance(operation, hw.Affine)
        source = self.walk.ranges[scale.inputs[0]]
        pair = None
        if any(bounds.constants_error(operation)) or operation.scale.format.width > SCALE_PORT_BITS:
            low, high = iv.per_channel(source.interval, scale.shape[-1])
            fraction = source.interval.fraction
            trained = operation.trained_scale, operation.trained_shift, operation.divisor
            if source.interval.low.shape[-1] in (1, scale.shape[-1]):
                stairs = (
                    threshold_scale.rounding_thresholds(low, high, fraction, trained, form)
                    if form.width <= MAX_STAIR_BITS
                    else None
                )
                pair = threshold_scale.solve(stairs, fraction, operation.real_scale, form) if stairs else None
        if pair is not None:
            fused = replace(operation, scale=pair.scale, shift=pair.shift, format=form, exact_steps=True)
        elif not any(bounds.constants_error(operation)):
            fused = replace(operation, format=form)
        elif (mean := average_rounding.on_grid(operation, source.interval, form)) is not None:
            self.emit(replace(scale, operation=mean, is_result=False))
            self.emit(cast)
            return
        else:
            self.emit(scale)
            self.emit(cast)
            return
        self.emit(replace(cast, operation=fused, inputs=scale.inputs))

    def _ternary(self, layer: hw.Layer, operation: hw.Ternary) -> None:
        """Steps at plus and minus the threshold as an exact scale before a two-bit cast."""
        source, channels = self.walk.ranges[layer.inputs[0]], layer.shape[-1]
        fraction = source.interval.fraction
        low, high = iv.per_channel(source.interval, channels)
        edge = min(float(np.ldexp(operation.threshold, fraction)), 2.0**MAX_WIDTH)
        begins = np.tile([int(np.floor(-edge)) + 1, ceil(edge)], (channels, 1))
        begins = np.clip(begins, low[:, None], high[:, None] + 1)
        stairs = threshold_scale.CodeThresholds(
            first=0, begins=begins, low=low, high=high, rising=np.ones(channels, np.bool_)
        )
        guess = np.full(channels, 0.5 / operation.threshold)
        pair = threshold_scale.solve(stairs, fraction, guess, TERNARY)
        if pair is None:
            raise UnsupportedOptionError(
                layer=layer.source, why="ternary steps need too many bits", do="quantize its input to fewer bits"
            )
        zero = np.zeros(channels)
        affine = hw.Affine(
            scale=pair.scale,
            shift=pair.shift,
            trained_scale=guess,
            trained_shift=zero,
            format=TERNARY,
            exact_steps=True,
        )
        self.emit(replace(layer, operation=affine))

    def _sign_line(self, layer: hw.Layer) -> hw.Affine:
        """`x - t` with the sign of `x * scale + shift`, exactly: `t` is the first code whose value is not negative."""
        operation = layer.operation
        assert isinstance(operation, hw.Affine)
        source = self.walk.ranges[layer.inputs[0]].interval
        fraction, (low, high) = source.fraction, source.bounds
        slopes, offsets = [], []
        for scale, shift in zip(operation.trained_scale, operation.trained_shift, strict=True):
            edge = (
                Fraction(float(-shift)) / Fraction(float(scale)) * operation.divisor * Fraction(2) ** fraction
                if scale
                else Fraction(0)
            )
            edge = min(max(edge, Fraction(low - 1)), Fraction(high + 1))  # no input comes beyond
            slopes.append(int(np.sign(scale)))
            offsets.append(
                -ceil(edge) if scale > 0 else floor(edge) if scale < 0 else -int(shift < 0) << max(fraction, 0)
            )
        scale = Codes(array=np.array(slopes, np.int64), format=smallest_format(min(slopes), max(slopes), 0))
        shift = Codes(array=np.array(offsets, np.int64), format=smallest_format(min(offsets), max(offsets), fraction))
        return replace(operation, scale=scale, shift=shift, exact_steps=True)

    def _round(self, layer: hw.Layer, operation: hw.Round) -> None:
        """A cast that the input's interval fits."""
        source = self.walk.ranges[layer.inputs[0]].interval
        low, high = (int(rescale(np.array([end]), source.fraction, 0, operation.rounding)[0]) for end in source.bounds)
        if operation.ends is not None and not operation.ends[0] <= low <= high <= operation.ends[1]:
            why = f"values may reach {low}..{high}, beyond {operation.ends[0]}..{operation.ends[1]}, the whole numbers of its element type"
            raise UnsupportedOptionError(
                layer=layer.source,
                why=why,
                do="limit them with Clip before it, or give the inputs fewer bits (--input-type)",
            )
        form = smallest_format(low, high, 0)
        self.emit(replace(layer, operation=hw.Cast(format=replace(form, rounding=operation.rounding))))

    def _wrap(self, layer: hw.Layer, operation: hw.Wrap) -> None:
        """Every channel's range shifted to the top of one format, which wraps, and back."""
        source = self.walk.ranges[layer.inputs[0]]
        low, high = iv.per_channel(source.interval, layer.shape[-1])
        if np.all(low >= operation.low) and np.all(high <= operation.high):
            self.emit(replace(layer, operation=hw.Cast(format=self.walk.decided[layer.inputs[0]].result.format)))
            return
        bits = np.array([int(span).bit_length() for span in operation.high - operation.low])
        width = int(bits.max())
        middle = operation.low + (np.int64(1) << np.maximum(bits - 1, 0)) * (bits > 0)
        up = np.where(bits > 0, np.exp2(width - bits), 0.0)
        down = np.where(bits > 0, np.exp2(bits - width), 0.0)
        before = replace(layer, name=f"{layer.name}_up", operation=_line(up, -middle * up), is_result=False)
        cast = replace(
            layer,
            name=f"{layer.name}_cast",
            operation=hw.Cast(format=Format(width=width, integer=width)),
            inputs=(before.name,),
            is_result=False,
        )
        self.emit(before)
        self.emit(cast)
        self.emit(replace(layer, operation=_line(down, middle.astype(np.float64)), inputs=(cast.name,)))

    def _function(self, layer: hw.Layer, operation: hw.Function) -> None:
        """A table, with a line beside it where the function rises without end; a hard sigmoid by lines and ReLUs."""
        function, source = operation.function, layer.inputs[0]
        if isinstance(function, src.Function) and function.kind is FunctionKind.HARD_SIGMOID:
            self._in_a_row(layer, hard_sigmoid_nodes(function, layer.shape))
            return
        given, form = self.walk.ranges[source], self.walk.decided[source].result.format
        table = function_tables.build(operation, given.interval, form, given.error, layer=layer.source)
        if table.index is not None:
            index = replace(
                layer, name=f"{layer.name}_index", operation=hw.Cast(format=table.index, is_index=True), is_result=False
            )
            self.emit(index)
            source = index.name
        if table.line is None:
            self.emit(replace(layer, operation=table.lookup, inputs=(source,)))
            return
        rest = self._unique(layer, "rest", table.lookup, source)
        line = self._line_above_zero(layer, table.line)
        self.emit(replace(layer, operation=hw.Merge(kind=MergeKind.ADD), inputs=(line, rest)))

    def _unique(self, layer: hw.Layer, hint: str, operation: hw.Operation, source: str) -> str:
        """Append a node that is a part of `layer`, and return its name."""
        name = self.namer.unique(f"{layer.name}_{hint}")
        self.emit(replace(layer, name=name, operation=operation, inputs=(source,), is_result=False))
        return name

    def _line_above_zero(self, layer: hw.Layer, slope: float) -> str:
        """Append `slope * max(x, 0)` of the input of `layer`, rounded to FLOAT_INPUT_BITS bits; the name of its last node."""
        source = self._unique(layer, "above", hw.Relu(), layer.inputs[0])
        if slope != 1.0:
            constant, channels = nearest_codes(np.array([slope]), SCALE_PORT_BITS), layer.shape[-1]
            scale = Codes(array=np.repeat(constant.array, channels), format=constant.format)
            none = Codes(array=np.zeros(channels, np.int64), format=Format(width=1, integer=1, signed=False))
            line = hw.Affine(
                scale=scale, shift=none, trained_scale=np.full(channels, slope), trained_shift=np.zeros(channels)
            )
            source = self._unique(layer, "line", line, source)
        if self.walk.decided[source].result.format.width > shorten.FLOAT_INPUT_BITS:
            narrow = shorten.narrow(layer, source, self.walk, place="_line")
            self.emit(narrow)
            source = narrow.name
        return source

    def _in_a_row(self, layer: hw.Layer, steps: Sequence[hw.Layer]) -> None:
        """The nodes one after the other; the last one has the name and the readers of `layer`."""
        source = layer.inputs[0]
        for step in steps[:-1]:
            name = self.namer.unique(f"{layer.source}_{step.name}")
            self._add(replace(step, name=name, source=layer.source, inputs=(source,), is_result=False))
            source = name
        self._add(replace(layer, operation=steps[-1].operation, inputs=(source,)))

    def _float_layer(self, layer: hw.Layer) -> None:
        """A float layer left over in a quantized network; what comes from other float layers is narrowed in front of it."""
        source = layer.inputs[0]
        if self.walk.decided[source].result.format.width > shorten.FLOAT_INPUT_BITS:
            narrow = shorten.narrow(layer, source, self.walk)
            self.emit(narrow)
            source = narrow.name
        self.emit(replace(layer, inputs=(source,)))

    def _guarded(self, layer: hw.Layer, operation: hw.Pool | hw.GlobalPool) -> hw.Pool | hw.GlobalPool:
        """Guard bits for a mean that no power of two divides: enough for every cast behind it, where only casts are.

        Two different sums over n cells are 1/n steps apart, and so is a sum from a half step that it does not meet;
        with ceil(log2 n) more bits than both points need, truncation cannot carry a mean across a half step.
        """
        counts = ranges.window_sizes(operation, self.walk.shapes[layer.inputs[0]])
        if operation.kind is PoolKind.MAX or all(count & (count - 1) == 0 for count in counts):
            return operation
        fraction = self.walk.ranges[layer.inputs[0]].interval.fraction
        formats = [_cast_format(reader) for reader in self.model.consumers(layer.name)]
        bits = max(ceil(log2(count)) for count in counts) + 1
        known = [form for form in formats if form is not None]
        if not known or len(known) < len(formats) or layer.name in self.model.outputs:
            return replace(operation, guard=hw.Guard(bits=bits + bounds.GUARD_BITS, exact_steps=False))
        finest = max(form.fraction for form in known)
        return replace(operation, guard=hw.Guard(bits=bits + max(finest + 1 - fraction, 0), exact_steps=True))


def _line(scale: FloatArray, shift: FloatArray) -> hw.Affine:
    """`x * scale + shift` with constants of few bits."""
    factor, offset = exact_codes(scale), exact_codes(shift)
    assert factor is not None
    assert offset is not None
    return hw.Affine(scale=factor, shift=offset, trained_scale=scale, trained_shift=shift)


MAX_STAIR_BITS = 12


def _takes_sign(layer: hw.Layer) -> bool:
    """Whether a node answers -1 below 0, else 0."""
    operation = layer.operation
    return isinstance(operation, hw.Cast) and (
        operation.format.width,
        operation.format.integer,
        operation.format.rounding,
    ) == (1, 1, Rounding.TRN)


def _cast_format(layer: hw.Layer) -> Format | None:
    """The format of a cast that rounds half to even and saturates, ReLUs among them; None for others."""
    operation = layer.operation
    form = operation.format if isinstance(operation, hw.Cast | hw.Relu) else None
    if form is None or form.rounding is not Rounding.RND_CONV or form.overflow not in _SATURATES:
        return None
    return None if isinstance(operation, hw.Relu) and form.signed else form
