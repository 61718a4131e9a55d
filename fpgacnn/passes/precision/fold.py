"""Fold layers that only cast into the layer before them: the exact sum is cast once, to the last format.

hls4ml casts the accumulator of a layer to the type of its result. Where a quantizer behind the layer is the same cast,
its format becomes that type, and the layer of its own, with its FIFO of wide words, goes. A ReLU is the lower limit of
an unsigned format that saturates. `one_cast` decides whether a row of casts is one cast, for every value that is
possible; where it is not, nothing is folded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import CodeArray, Format, Overflow, Rounding, requantize, rescale
from fpgacnn.ir.hardware import HardwareModel
from fpgacnn.ir.source import MergeKind
from fpgacnn.passes.precision.narrowing.casts_first import CLAMPS, casts_first
from fpgacnn.passes.precision.plan import Decision, LayerPrecision, PrecisionPlan

FLOAT64_BITS = 53
"""`LayerPrecision.reach` is a float64: the ends of wider values are not known exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CastStep:
    """A layer that only casts: `max(x, 0)` where it `rectifies`, then a cast to `format`."""

    format: Format
    rectifies: bool = False

    def of(self, codes: CodeArray, fraction: int) -> CodeArray:
        """The codes of the result, from codes with `fraction` fraction bits."""
        return requantize(np.maximum(codes, 0) if self.rectifies else codes, fraction, self.format)


def one_cast(low: int, high: int, fraction: int, steps: Sequence[CastStep]) -> Format | None:
    """The format that gives, by one cast of every code from `low` to `high`, what all steps give; None if none does.

    It differs from the last step's format in the overflow mode at most.

    Proof. Let every step but the last be a clamp: it loses no fraction bit, and it limits, or every code fits. A ReLU
    is a clamp, too. All clamps together are one clamp h, f = g(h(x)) with the last cast g. If g is monotone and
    f and g are equal at both ends, they are equal between them: below the lower limit a of h, f(x) = g(a) = f(low) =
    g(low) <= g(x) <= g(a), in the same way above the upper one, and h(x) = x elsewhere.
    """
    ends = np.array([low, high], np.int64)
    values, places = ends, fraction
    for step in steps[:-1]:
        if step.format.fraction < places or not _clamps(_rectified(values, step), places, step.format):
            return None
        values, places = step.of(values, places), step.format.fraction
    last = steps[-1].format
    given = _rectified(values, steps[-1])
    if given.tolist() == [end << (places - fraction) for end in ends.tolist()]:
        return last  # no step before the last cast changes a value
    if not _clamps(given, places, last):
        return None
    wanted = requantize(given, places, last)
    for form in (last, replace(last, overflow=Overflow.SAT)):
        if _clamps(ends, fraction, form) and np.array_equal(requantize(ends, fraction, form), wanted):
            return form
    return None


def _rectified(codes: CodeArray, step: CastStep) -> CodeArray:
    return np.maximum(codes, 0) if step.rectifies else codes


def _clamps(ends: CodeArray, fraction: int, form: Format) -> bool:
    """Whether the cast to a format never decreases between two codes: it limits, or every code fits."""
    if form.overflow in CLAMPS:
        return True
    left = form.fraction - fraction
    moved = (
        [end << left for end in ends.tolist()] if left > 0 else rescale(ends, fraction, form.fraction, form.rounding)
    )
    return bool(moved[0] >= form.low and moved[1] <= form.high)


# --- the pass --------------------------------------------------------------------------------------------------------


def fold_casts(model: HardwareModel, plan: PrecisionPlan) -> tuple[HardwareModel, PrecisionPlan]:
    """The network without layers that only cast, where each is one cast with the layer before it.

    The node that remains has the name, the result and the readers of the last layer folded. Every decision is in the
    plan's reasons, that of a layer that stays too. Casts behind operations that only move values come first, where that
    saves bits (`casts_first`).
    """
    model, plan = casts_first(model, plan)
    folding = _Folding(model=model, plan=plan)
    for layer in model.layers:
        folding.add(layer)
    layers = tuple(folding.layers.values())
    return replace(model, layers=layers), PrecisionPlan(layers={one.name: folding.decided[one.name] for one in layers})


@dataclass(slots=True, kw_only=True)
class _Folding:
    """The nodes so far by name, in order, and their formats. `gone` are nodes that are folded already."""

    model: HardwareModel
    plan: PrecisionPlan
    layers: dict[str, hw.Layer] = field(default_factory=dict)
    decided: dict[str, LayerPrecision] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def add(self, layer: hw.Layer) -> None:
        """One more node, with the casts behind it folded into it."""
        if layer.name in self.gone:
            return
        layer = self._with_limit(layer)
        row, exact = self._row(layer), exact_fraction(layer, self.plan)
        for count in range(len(row), 0, -1):
            form = self._one_cast(layer, exact, row[:count]) if exact is not None else None
            if form is not None:
                node = self._fold(layer, row[:count], form)
                if count < len(row):
                    self._explain(node)
                return
        self._keep(layer, self.decided.get(layer.name) or self.plan.layers[layer.name])
        if exact is not None:
            self._explain(layer)

    def _keep(self, layer: hw.Layer, precision: LayerPrecision) -> None:
        self.layers[layer.name], self.decided[layer.name] = layer, precision

    def _with_limit(self, layer: hw.Layer) -> hw.Layer:
        """A node that only moves the values of a folded one has its format, whose overflow mode may be another."""
        if not isinstance(layer.operation, src.Moving | hw.Cast) or isinstance(layer.operation, src.Concatenate):
            return layer
        name, own = layer.inputs[0], self.decided.get(layer.name) or self.plan.layers[layer.name]
        if name not in self.decided or own.result.format != self.plan.layers[name].result.format:
            return layer
        form = self.decided[name].result.format
        if form != own.result.format:
            self.decided[layer.name] = replace(own, result=replace(own.result, format=form))
        return replace(layer, operation=hw.Cast(format=form)) if isinstance(layer.operation, hw.Cast) else layer

    def _row(self, layer: hw.Layer) -> list[hw.Layer]:
        """The casts behind a node, each the only reader of the one before."""
        found: list[hw.Layer] = []
        while (behind := self._only_reader(layer)) is not None and _step(behind, self.plan) is not None:
            found.append(behind)
            layer = behind
        return found

    def _only_reader(self, layer: hw.Layer) -> hw.Layer | None:
        readers = self.model.consumers(layer.name)
        return readers[0] if len(readers) == 1 and layer.name not in self.model.outputs else None

    def _one_cast(self, layer: hw.Layer, exact: int, row: Sequence[hw.Layer]) -> Format | None:
        ends = _codes(self.plan.layers[layer.name], exact)
        steps = [step for one in row if (step := _step(one, self.plan)) is not None]
        form = None if ends is None else one_cast(*ends, exact, steps)
        return form if form is None or all(_is_cast_by(*one, form) for one in _cast_values(layer, self.plan)) else None

    def _fold(self, layer: hw.Layer, row: Sequence[hw.Layer], form: Format) -> hw.Layer:
        """One node in the place of `layer`, named like the last of the row."""
        last, parts = row[-1], (layer, *row)
        plans = [self.plan.layers[one.name] for one in parts]
        negative = (plans[0].reach or (-1.0, 0.0))[0] < 0
        rectifies = negative and any(isinstance(one.operation, hw.Relu) for one in row)
        what = "accumulator" if isinstance(layer.operation, hw.Linear) else "exact result"
        limit = ", whose limit at 0 is the ReLU" if rectifies else ""
        reason = f"{plans[-1].result.reason}; one cast of the {what} of {layer.name}{limit}"
        node = replace(
            last,
            operation=_casting(layer.operation, form),
            inputs=layer.inputs,
            folded=tuple(dict.fromkeys(name for name in _sources(parts) if name != last.source)),
            rectifies=rectifies,
            weights_of=layer.weights_of,
        )
        self.gone.update(one.name for one in row)
        precision = replace(
            plans[-1],
            result=Decision(format=form, reason=reason),
            accumulator=plans[0].accumulator,
            loss="; ".join(dict.fromkeys(one.loss for one in plans if one.loss)),
            rounds_in_float32=any(one.rounds_in_float32 for one in plans),
        )
        self._keep(node, precision)
        return node

    def _explain(self, layer: hw.Layer) -> None:
        """Why the casts behind a node stay."""
        for reader in self.model.consumers(layer.name):
            if _step(reader, self.plan) is None:
                continue
            if layer.name in self.model.outputs:
                why = f"{layer.name} is an output of the network"
            elif self._only_reader(layer) is None:
                why = f"{layer.name} has {len(self.model.consumers(layer.name))} readers"
            else:
                why = f"no single cast of {layer.name} gives the same values"
            own = self.plan.layers[reader.name]
            reason = f"{own.result.reason}; a layer of its own: {why}"
            self.decided[reader.name] = replace(own, result=replace(own.result, reason=reason))


def _sources(parts: Sequence[hw.Layer]) -> list[str]:
    """The layers of the file that nodes compute, in their order."""
    return [name for one in parts for name in (*one.folded, one.source)]


def _step(layer: hw.Layer, plan: PrecisionPlan) -> CastStep | None:
    """What a layer does if it only casts; None for all others."""
    form = plan.layers[layer.name].result.format
    match layer.operation:
        case hw.Relu():
            return CastStep(format=form, rectifies=True)
        case hw.Cast() | hw.Saturate():
            return CastStep(format=form)
        case hw.Affine(scale=scale, shift=shift) if (scale.values == 1).all() and not shift.array.any():
            return CastStep(format=form)
        case _:
            return None


def _codes(precision: LayerPrecision, fraction: int) -> tuple[int, int] | None:
    """The smallest and largest exact result as codes, if the planned format holds both; else None."""
    form = precision.result.format
    if precision.reach is None or form.width > FLOAT64_BITS or form.fraction < fraction:
        return None
    low, high = (int(np.ldexp(end, fraction)) for end in precision.reach)
    fits = form.low <= low << (form.fraction - fraction) and high << (form.fraction - fraction) <= form.high
    return (low, high) if fits else None


def exact_fraction(layer: hw.Layer, plan: PrecisionPlan) -> int | None:
    """Fraction bits of the exact result that hls4ml casts to the type of the result; None where it casts no such one.

    The templates: `nnet::cast` of the accumulator in every dense, convolution and depthwise kernel, the product plus
    the bias in `normalize`, the sum, product or chosen value in `nnet_merge`, the values in `concatenate`, and
    `datareg` or its product in the ReLUs.
    """
    given = [plan.layers[name].result.format.fraction for name in layer.inputs]
    operation = layer.operation
    match operation:
        case hw.Convolution() | hw.Depthwise() | hw.Dense():
            accumulator = plan.layers[layer.name].accumulator
            return None if accumulator is None else accumulator.format.fraction
        case hw.Affine(format=None):
            return max(given[0] + operation.scale.format.fraction, operation.shift.format.fraction)
        case hw.Merge(kind=MergeKind.MULTIPLY):
            return given[0] + given[1]
        case hw.Merge(kind=MergeKind.AVERAGE):
            return max(given) + 1
        case hw.Merge() | src.Concatenate():
            return max(given)
        case hw.Relu(format=None) | hw.ThresholdRelu():
            return given[0]
        case hw.LeakyRelu():
            return given[0] + max(operation.slope.format.fraction, 0)
        case _:
            return None


def _cast_values(layer: hw.Layer, plan: PrecisionPlan) -> tuple[tuple[int, int], ...]:
    """Width and fraction bits of the values that the C++ casts, where they may be narrower than the exact result."""
    given = [plan.layers[name].result.format for name in layer.inputs]
    match layer.operation:
        case hw.LeakyRelu(slope=slope):  # a value, or its product with the slope
            (one,), own = given, slope.format
            return ((one.width, one.fraction), (one.width + own.width, one.fraction + own.fraction))
        case src.Concatenate() | hw.Merge(kind=MergeKind.MAXIMUM | MergeKind.MINIMUM) | hw.Relu() | hw.ThresholdRelu():
            return tuple((one.width, one.fraction) for one in given)
        case _:
            return ()


def _is_cast_by(width: int, fraction: int, form: Format) -> bool:
    """Whether `ap_types` can cast: C simulation aborts where a rounding mode drops more bits than the value has."""
    return form.rounding is Rounding.TRN or fraction - form.fraction <= width


def _casting(operation: hw.Operation, form: Format) -> hw.Operation:
    """The operation with the format in its own record, where it has one."""
    return replace(operation, format=form) if isinstance(operation, hw.Affine | hw.Relu) else operation
