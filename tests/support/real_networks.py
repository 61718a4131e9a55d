"""Small random hardware networks with real numbers.

What exact arithmetic on the trained numbers makes of inexact inputs.

Codes stand for real numbers that are off by at most a stated error. The network is refined and planned as in a
conversion, hardware's codes come from the int64 reference, and the real values from the definitions below, which share
nothing with either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from fpgacnn.design import Design, Target
from fpgacnn.ir import graph
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import quantized as q
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, Format, Overflow, quantize_values, to_values
from fpgacnn.ir.functions import evaluate
from fpgacnn.ir.quantized import QuantizedModel
from fpgacnn.ir.source import FloatArray, MergeKind, PoolKind, Shape
from fpgacnn.passes.precision import bounds
from fpgacnn.passes.precision.bounds import Bound
from fpgacnn.passes.precision.legalize import Legalization
from fpgacnn.sim.emulator import ReferenceEmulator
from tests.support.planned import quantized
from tests.support.random_networks import random_inputs, random_network

EVENTS = 48
FINEST = 2.0**-6
"""Errors are multiples of this share of an input's step, so that float64 computes the real values without rounding."""

FUNCTIONS = (
    *(
        src.Function(kind=kind)
        for kind in (src.FunctionKind.TANH, src.FunctionKind.SELU, src.FunctionKind.SWISH, src.FunctionKind.SOFTPLUS)
    ),
    src.QuantizedTanh(bits=4, real=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A network as it was made, its hardware, what was claimed of every node, and one real value for every code."""

    design: Design
    ranges: Mapping[str, Bound]
    codes: Mapping[str, Codes]
    reals: Mapping[str, FloatArray]


def case(seed: int) -> Case:
    """A random network with inexact inputs and constants, padding on every side, and sometimes tables and a softmax."""
    random = np.random.default_rng([7, seed])
    kind = random.random()
    if kind < 0.15:
        return solved(_pooled(random), random, seed)
    if kind < 0.25:
        return solved(_scored(random), random, seed)
    if kind < 0.3:
        return solved(_floating(random), random, seed)
    if kind < 0.4:
        return solved(_related(random), random, seed)
    return solved(_varied(quantized(random_network(seed, int(random.integers(1, 6)))), random), random, seed)


def solved(model: QuantizedModel, random: np.random.Generator, seed: int) -> Case:
    """A network planned with inputs that are off, and run."""
    found, errors = Legalization(model=model), dict[str, float]()
    for layer in model.layers:
        found.add(layer)
        if isinstance(layer.operation, hw.Input):
            errors[layer.name] = (
                float(random.choice([0.0, 5 * FINEST, 0.5, 1.0, 3 + FINEST])) * layer.operation.format.step
            )
            planner = found.planner
            planner.bounds[layer.name] = bounds.ranged(planner.bounds[layer.name].interval, errors[layer.name])
            planner.decided[layer.name] = replace(planner.decided[layer.name], error=errors[layer.name])
    legal, planned = found.result()
    design = Design(model=legal, plan=planned, target=Target())
    codes = random_inputs(legal, EVENTS, seed)
    answers = ReferenceEmulator(design).run(codes, trace=True)
    reals: dict[str, FloatArray] = {}
    given = dict(zip(model.inputs, codes, strict=True))
    for layer in model.layers:
        if isinstance(layer.operation, hw.Input):
            off = random.integers(-1, 2, size=given[layer.name].array.shape) * errors[layer.name]
            reals[layer.name] = given[layer.name].values + off
        else:
            step = found.planner.decided[layer.name].result.format.step if layer.name in found.planner.decided else 0.0
            reals[layer.name] = real(layer, [reals[name] for name in layer.inputs], step, random)
    return Case(design=design, ranges=found.planner.bounds, codes={**answers.trace, **answers.outputs}, reals=reals)


def _varied(model: QuantizedModel, random: np.random.Generator) -> QuantizedModel:
    """The network with trained numbers beside its codes, padding at the front, and perhaps a function at the end."""
    layers = [replace(layer, operation=_inexact(layer.operation, random)) for layer in model.layers]
    end = layers[-1]
    if random.random() < 0.3:
        cast = replace(
            end,
            name="narrow",
            operation=q.Cast(format=Format(width=int(random.choice([9, 14])), integer=4, overflow=Overflow.SAT)),
            inputs=(end.name,),
        )
        function = FUNCTIONS[int(random.integers(len(FUNCTIONS)))]
        layers += [cast, replace(end, name="function", operation=q.Function(function=function), inputs=("narrow",))]
    elif random.random() < 0.4:
        cast = replace(
            end,
            name="logits",
            operation=q.Cast(format=Format(width=8, integer=4, overflow=Overflow.SAT)),
            inputs=(end.name,),
        )
        kind = hw.SoftmaxKind.TABLES if random.random() < 0.7 else hw.SoftmaxKind.ARGMAX
        layers += [cast, replace(end, name="softmax", operation=hw.Softmax(kind=kind), inputs=("logits",))]
    return replace(model, layers=tuple(layers), outputs=(layers[-1].name,))


def _pooled(random: np.random.Generator) -> QuantizedModel:
    """A pool of any window with any padding, and a dense layer behind."""
    size, strides = (tuple(map(int, random.integers(1, most, size=2))) for most in (5, 3))
    pads = tuple(int(random.integers(0, size[place // 2])) for place in range(4))
    rows, columns = (int(random.integers(size[axis], 6)) for axis in range(2))
    positions = [
        (length + pads[2 * axis] + pads[2 * axis + 1] - size[axis]) // strides[axis] + 1
        for axis, length in enumerate((rows, columns))
    ]
    kind = PoolKind.MAX if random.random() < 0.2 else PoolKind.AVERAGE
    kernel = random.integers(-4, 4, size=(positions[0] * positions[1] * 2, 2))
    dense = hw.Dense(
        kernel=Codes(array=kernel, format=Format(width=3, integer=1)),
        bias=Codes(array=np.zeros(2, np.int64), format=Format(width=1, integer=1)),
    )
    steps: list[tuple[str, q.Operation, Shape]] = [
        ("x", hw.Input(format=Format(width=5, integer=2)), (rows, columns, 2)),
        ("pool", hw.Pool(kind=kind, size=size, strides=strides, pads=pads), (*positions, 2)),
        ("flat", src.Reshape(), (positions[0] * positions[1] * 2,)),
        ("dense", q.Linear(sums=dense), (2,)),
    ]
    return _chain(steps)


def _scored(random: np.random.Generator) -> QuantizedModel:
    """A softmax of two to four classes."""
    kind = hw.SoftmaxKind.TABLES if random.random() < 0.8 else hw.SoftmaxKind.ARGMAX
    shape = (int(random.integers(2, 5)),)
    form = Format(width=int(random.integers(3, 8)), integer=3)
    return _chain([("x", hw.Input(format=form), shape), ("softmax", hw.Softmax(kind=kind), shape)])


def _floating(random: np.random.Generator) -> QuantizedModel:
    """A dense layer of a few weights that are off, so few that some event meets the worst case."""
    inputs, (bits, bias) = int(random.integers(1, 3)), (Format(width=4, integer=2), Format(width=1, integer=1))
    kernel = Codes(array=random.integers(-8, 8, size=(inputs, 2)), format=bits)
    off = q.WeightErrors(kernel=FINEST * float(random.integers(0, 5)), bias=FINEST * float(random.integers(0, 5)))
    dense = hw.Dense(kernel=kernel, bias=Codes(array=np.zeros(2, np.int64), format=bias))
    return _chain(
        [
            ("x", hw.Input(format=Format(width=3, integer=2)), (inputs,)),
            ("dense", q.Linear(sums=dense, errors=off), (2,)),
        ]
    )


def _related(random: np.random.Generator) -> QuantizedModel:
    """Sums and differences of multiples of one tensor and another."""
    x: q.Layer = graph.Node(
        name="x", source="x", operation=hw.Input(format=Format(width=4, integer=2)), inputs=(), shape=(2,)
    )
    layers = [x, replace(x, name="y", source="y")]
    for number in range(int(random.integers(1, 4))):
        scale = Codes(array=np.full(2, random.integers(-8, 8)), format=Format(width=4, integer=2))
        zero = Codes(array=np.zeros(2, np.int64), format=Format(width=1, integer=1))
        off = FINEST * float(random.integers(0, 2))
        line = q.Affine(scale=scale, shift=zero, trained=q.Line(scale=scale.values + off, shift=np.zeros(2)))
        pair = tuple(str(random.choice([layer.name for layer in layers])) for _ in range(2))
        kind = MergeKind(str(random.choice([MergeKind.ADD, MergeKind.SUBTRACT, MergeKind.AVERAGE])))
        layers.append(replace(x, name=f"a{number}", source=f"a{number}", operation=line, inputs=pair[:1]))
        others = (f"a{number}", pair[1]) if random.random() < 0.5 else (pair[1], f"a{number}")
        layers.append(replace(x, name=f"m{number}", source=f"m{number}", operation=hw.Merge(kind=kind), inputs=others))
    return QuantizedModel(
        name="related", source_digest="0", layers=tuple(layers), inputs=("x", "y"), outputs=(layers[-1].name,)
    )


def _chain(steps: list[tuple[str, q.Operation, Shape]]) -> QuantizedModel:
    names = [name for name, _, _ in steps]
    layers = tuple(
        graph.Node(
            name=name,
            source=name,
            operation=operation,
            inputs=tuple(names[place - 1 : place]) if place else (),
            shape=shape,
        )
        for place, (name, operation, shape) in enumerate(steps)
    )
    return QuantizedModel(name="chain", source_digest="0", layers=layers, inputs=(names[0],), outputs=(names[-1],))


def _inexact(operation: q.Operation, random: np.random.Generator) -> q.Operation:
    """Trained numbers a little beside the codes, in half of the nodes."""
    if isinstance(operation, hw.Pool):
        top, bottom, left, right = operation.pads
        return replace(operation, pads=(bottom, top, right, left)) if random.random() < 0.5 else operation
    if isinstance(operation, hw.Merge) and random.random() < 0.5:
        return hw.Merge(kind=MergeKind(str(random.choice(list(MergeKind)))))
    if random.random() < 0.5:
        return operation
    if isinstance(operation, q.Affine):
        off = random.integers(-4, 5, size=(2, operation.scale.array.size)) * FINEST
        trained = q.Line(scale=operation.scale.values + off[0], shift=operation.shift.values + off[1])
        return replace(operation, trained=trained)
    if isinstance(operation, q.LeakyRelu):
        return replace(operation, trained=operation.slope.values + FINEST * float(random.integers(-4, 5)))
    if isinstance(operation, q.Linear):
        return replace(
            operation,
            errors=q.WeightErrors(
                kernel=FINEST * float(random.integers(0, 3)), bias=FINEST * float(random.integers(0, 3))
            ),
        )
    return operation


# --- operations on real numbers, (events, ...shape) ----------------------------------------------------------------


def real(layer: q.Layer, given: list[FloatArray], step: float, random: np.random.Generator) -> FloatArray:
    """A node's exact answer; a limit above is one step of the result below the next power of two."""
    x, operation = given[0], layer.operation
    match operation:
        case q.Linear():
            return _linear(operation, x, random)
        case q.Affine():
            return x * operation.trained.slope + operation.trained.shift
        case q.Cast():
            return rounded(x, operation.format)
        case q.Relu():
            return np.maximum(x, 0) if operation.format is None else rounded(np.maximum(x, 0), operation.format)
        case hw.Saturate():
            return np.clip(x, -(2.0 ** (operation.integer - 1)), 2.0 ** (operation.integer - 1) - step)
        case q.LeakyRelu():
            return np.where(x > 0, x, operation.trained * x)
        case hw.ThresholdRelu():
            return np.where(x > operation.threshold.values, x, 0.0)
        case q.Function():
            return evaluate(operation.function, x)
        case hw.Pool():
            reduce = np.max if operation.kind is PoolKind.MAX else np.mean
            return _windows(
                x, operation.size, operation.strides, operation.pads, np.nan, lambda cells: _over_cells(reduce, cells)
            )
        case hw.GlobalPool():
            cells = x.reshape(len(x), -1, x.shape[-1])
            return cells.max(axis=1) if operation.kind is PoolKind.MAX else cells.mean(axis=1)
        case hw.Merge():
            return MERGES[operation.kind](x, given[1])
        case hw.Softmax():
            return _softmax(operation.kind, x)
        case _:
            return _moved(operation, given, layer.shape)


MERGES: Mapping[MergeKind, Callable[[FloatArray, FloatArray], FloatArray]] = {
    MergeKind.ADD: np.add,
    MergeKind.SUBTRACT: np.subtract,
    MergeKind.MULTIPLY: np.multiply,
    MergeKind.AVERAGE: lambda left, right: (left + right) / 2,
    MergeKind.MAXIMUM: np.maximum,
    MergeKind.MINIMUM: np.minimum,
}


def rounded(x: FloatArray, form: Format) -> FloatArray:
    """Real numbers as the values of a format."""
    return to_values(quantize_values(x, form), form.fraction)


def _softmax(kind: hw.SoftmaxKind, x: FloatArray) -> FloatArray:
    if kind is hw.SoftmaxKind.ARGMAX:
        return np.eye(x.shape[-1])[x.argmax(axis=-1)]
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _moved(operation: q.Operation, given: list[FloatArray], shape: Shape) -> FloatArray:
    x = given[0]
    match operation:
        case src.ZeroPad(pads=pads):
            return np.pad(x, ((0, 0), *(((pads[0], pads[1]),) if x.ndim == 4 else ()), (pads[2], pads[3]), (0, 0)))
        case src.Crop(borders=(top, bottom, left, right)):
            x = x[:, top : x.shape[1] - bottom] if x.ndim == 4 else x
            return x[..., left : x.shape[-2] - right, :]
        case src.Upsample(factors=factors):
            x = x.repeat(factors[0], axis=1) if x.ndim == 4 else x
            return x.repeat(factors[1], axis=-2)
        case src.Permute(axes=axes):
            return x.transpose(0, *(axis + 1 for axis in axes))
        case src.Reshape():
            return x.reshape(len(x), *shape)
        case src.Concatenate(axis=axis):
            return np.concatenate(given, axis=axis + 1)
        case _:
            raise NotImplementedError(operation)


def _linear(linear: q.Linear, x: FloatArray, random: np.random.Generator) -> FloatArray:
    """Sums of products with weights that are off by as much as the node says, to either side."""
    operation = linear.sums
    kernel, bias = operation.kernel.values, operation.bias.values
    if linear.errors is not None:
        kernel = kernel + random.choice([-1.0, 1.0], size=kernel.shape) * linear.errors.kernel
        bias = bias + random.choice([-1.0, 1.0], size=bias.shape) * linear.errors.bias
    if isinstance(operation, hw.Dense):
        return x @ kernel + bias
    depthwise = isinstance(operation, hw.Depthwise)
    weights = kernel[..., 0] if depthwise else kernel

    def product(cells: FloatArray) -> FloatArray:
        return np.einsum("nhwc,hwc->nc", cells, weights) if depthwise else np.einsum("nhwc,hwco->no", cells, weights)

    return _windows(x, kernel.shape[:2], operation.strides, operation.pads, 0.0, product) + bias


def _over_cells(reduce: Callable[..., FloatArray], cells: FloatArray) -> FloatArray:
    """A reduction over the cells of a window that are no padding, which is NaN."""
    inside = ~np.isnan(cells[0, ..., 0])
    return reduce(cells[:, inside], axis=1)


def _windows(
    x: FloatArray,
    size: tuple[int, ...],
    strides: tuple[int, int],
    pads: tuple[int, int, int, int],
    filling: float,
    reduce: Callable[[FloatArray], FloatArray],
) -> FloatArray:
    """A function of every window (events, h, w, channels); a line is an image of one row."""
    flat = x.ndim == 3
    image = x[:, None] if flat else x
    top, bottom, left, right = (0, 0, *pads[2:]) if flat else pads
    image = np.pad(image, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=filling)
    rows = range(0, image.shape[1] - size[0] + 1, strides[0])
    columns = range(0, image.shape[2] - size[1] + 1, strides[1])
    found = [[reduce(image[:, row : row + size[0], column : column + size[1]]) for column in columns] for row in rows]
    made = np.stack([np.stack(line, axis=1) for line in found], axis=1)
    return made[:, 0] if flat else made


# --- the law -------------------------------------------------------------------------------------------------------


def broken_claims(found: Case) -> Iterator[str]:
    """Everything that a plan claims of a network's nodes and that its codes or real values contradict."""
    for layer in found.design.model.layers:
        codes, claimed = found.codes[layer.name], found.ranges[layer.name]
        low, high = claimed.interval.low, claimed.interval.high
        if codes.format.fraction == claimed.interval.fraction and np.any((codes.array < low) | (codes.array > high)):
            yield f"{layer.name} {layer.kind}: a code outside its interval"
        if layer.is_result and layer.name in found.reals:
            exact = found.reals[layer.name]
            slack = 1e-9 * (1.0 + float(np.abs(exact).max()))
            off = float(np.abs(codes.values - exact).max())
            bound = found.design.plan.layers[layer.name].error
            if off > bound + slack:
                yield f"{layer.name} {layer.kind}: off by {off}, the bound is {bound}"
            if exact.min() < claimed.reals[0] - slack or exact.max() > claimed.reals[1] + slack:
                yield f"{layer.name} {layer.kind}: an exact value outside {claimed.reals}"
