"""Random functional networks for any Keras.

Functions between tensors, slices, constants, layers reused, inner models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from fpgacnn.ir.source import FloatArray, Shape
from tests.random_reading.law import Saved

N = 4
"""Length of every axis, and mostly the number of events."""

MAX_VALUES = 512
MAX_RANK = 3
GRID = 16
"""Inputs and weights are whole parts of this, so that most sums are exact in float32."""

Tensor: TypeAlias = Any
Functions: TypeAlias = Mapping[str, Callable[..., Any]]


@dataclass(slots=True)
class Maker:
    """Draws one network.

    `pool` holds the tensors made so far, `lines` how each was made, `read` those that something reads.
    """

    random: np.random.Generator
    keras: Any
    functions: Functions
    pool: list[Tensor] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    layers: list[tuple[Any, Shape]] = field(default_factory=list)
    read: set[int] = field(default_factory=set)

    def model(self, steps: int) -> Any:
        """A model with one to three inputs and one to four outputs, in any order: first what nothing else reads."""
        inputs = [self._input() for _ in range(self._number(1, 3))]
        for _ in range(steps):
            self._grow()
        others = self.pool[len(inputs) : -1]
        others = [others[number] for number in self.random.permutation(len(others))]
        unread = [one for one in others if id(one) not in self.read][:3]
        more = [one for one in others if id(one) in self.read][: max(self._number(0, 3) - len(unread), 0)]
        outputs = [self._ended(one) for one in (self.pool[-1], *unread, *more)]
        self.random.shuffle(inputs)
        self.random.shuffle(outputs)
        return self.keras.Model(inputs, outputs if len(outputs) > 1 else outputs[0])

    # --- drawing ---------------------------------------------------------------------------------------------------

    def _number(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high, endpoint=True))

    def _chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def _pick(self, choices: Sequence[Any]) -> Any:
        return choices[self._number(0, len(choices) - 1)]

    def _tensor(self, rank: int | None = None) -> Tensor:
        """A tensor, later ones more often."""
        fit = [one for one in self.pool if rank is None or len(shape_of(one)) == rank]
        return fit[-1 - min(int(self.random.exponential(1.0)), len(fit) - 1)] if fit else None

    def _input(self) -> Tensor:
        rank = self._pick([1, 2, 3, 3])
        made = self.keras.Input((N,) * rank)
        self.pool.append(made)
        self.lines.append(f"t{len(self.pool) - 1} = Input({(N,) * rank})")
        return made

    def _grow(self) -> None:
        """One more operation; one that does not fit the tensor that was drawn is drawn again."""
        steps = (
            *(self._constant,) * 4,
            *(self._slice,) * 4,
            *(self._layer,) * 5,
            *(self._merge,) * 3,
            *(self._elementwise, self._turn, self._reduce, self._reshape, self._join, self._parts),
            *(self._again, self._inner, self._pad),
        )
        for _ in range(20):
            found = self._pick(steps)()
            if found is not None:
                made, text = found
                values = made if isinstance(made, list) else [made]
                if all(0 < prod(shape_of(one)) <= MAX_VALUES and len(shape_of(one)) > 0 for one in values):
                    self.pool += values
                    self.lines.append(f"t{len(self.pool) - 1} = {text}  # {[shape_of(one) for one in values]}")
                    return

    def _read(self, tensor: Tensor) -> str:
        """The name of a tensor that the next operation reads."""
        self.read.add(id(tensor))
        return self.name(tensor)

    def name(self, tensor: Tensor) -> str:
        """What the lines call a tensor."""
        return next((f"t{number}" for number, one in enumerate(self.pool) if one is tensor), "?")

    # --- operations ------------------------------------------------------------------------------------------------

    def _constant(self) -> tuple[Tensor, str] | None:
        """An operator with a constant of any broadcast shape on either side."""
        x = self._tensor()
        rank = len(shape_of(x)) + 1
        kept = self._number(0, rank)
        whole = (1, *shape_of(x))[rank - kept :]
        longest = self._number(0, max(kept - 1, 0))  # half of the constants differ along one axis only
        thin = self._chance(0.5)
        shape = tuple(
            1 if (place != longest if thin else self._chance(0.4)) else size for place, size in enumerate(whole)
        )
        word = self._pick(["add", "subtract", "multiply", "divide", "maximum", "minimum", "clip"])
        values = self._values(shape)
        if word == "clip":
            made = self.functions["clip"](x, -0.5, 0.75)
            return made, f"clip({self._read(x)}, -0.5, 0.75)"
        if word == "divide":
            values = np.where(values < 0, -1, 1) * 2.0 ** self.random.integers(-1, 3, size=shape)
        constant: Any = np.asarray(values, np.float32)
        first = self._chance(0.5) and word != "divide"
        if kept == 0:
            constant = float(constant)
        elif self._chance(0.4):
            constant = self.functions["constant"](constant)
        pair = (constant, x) if first else (x, constant)
        shown = np.asarray(values).tolist()
        sides = f"{shown}, {self._read(x)}" if first else f"{self._read(x)}, {shown}"
        if (isinstance(constant, float) or not first) and word not in {"maximum", "minimum"} and self._chance(0.5):
            made = operator(word, *pair)
        else:
            made = self.functions[word](*pair)
        return made, f"{word}({sides}) of shape {shape}"

    def _values(self, shape: Shape) -> FloatArray:
        return self.random.integers(-GRID, GRID, size=shape, endpoint=True) / (GRID / 2)

    def _slice(self) -> tuple[Tensor, str] | None:
        x = self._tensor()
        parts = self._around_ellipsis(shape_of(x)) if self._chance(0.6) else self._every_axis(shape_of(x))
        made = x[tuple(parts)]
        return made, f"{self._read(x)}[{', '.join(map(shown_index, parts))}]"

    def _every_axis(self, shape: Shape) -> list[Any]:
        """An index for each axis, sometimes a new axis between."""
        parts: list[Any] = [slice(None)]
        for size in shape:
            if self._chance(0.06):
                parts.append(None)
            parts.append(self._cut(size))
        return self._shortened(parts)

    def _around_ellipsis(self, shape: Shape) -> list[Any]:
        """An ellipsis for none to all axes, with plain indices and reversed axes before and behind it."""
        plain = ["range", "reverse", "reverse", "one", "all"]
        if len(shape) > 1 and self._chance(0.6):  # `x[..., 1:3]`: several axes in front
            start, stop = 0, self._number(2, len(shape))
        else:
            start = self._number(0, len(shape) + 1)
            stop = self._number(start, len(shape) + 1) if start else self._number(1, len(shape) + 1)
        parts = [slice(None), *(self._cut(size, plain) for size in shape)]
        return [*parts[:start], Ellipsis, *parts[stop:]]

    def _cut(self, size: int, kinds: Sequence[str] = ("all", "all", "range", "range", "range", "step", "one")) -> Any:
        """One index: all, a range with ends counted from either side or left out, in steps, reversed, or a number."""
        kind = self._pick(kinds)
        if kind == "reverse":
            return slice(None, None, -1)
        if kind == "all" or size == 1:
            return slice(None)
        if kind == "one":
            return self._number(-size, size - 1)
        start, stop = sorted(self.random.choice(size + 1, 2, replace=False).tolist())
        step = self._pick([2, 3, -1, -2]) if kind == "step" else self._pick([None, None, 1])
        if step is not None and step < 0:
            start, stop = stop - 1, start - 1
            return slice(self._pick([start, None]), None if stop < 0 else stop, step)
        ends = [None if (end in {0, size} and self._chance(0.5)) else end for end in (start, stop)]
        ends = [end - size if end is not None and end < size and self._chance(0.3) else end for end in ends]
        if ends[1] == size and self._chance(0.2):
            ends[1] = size + 3  # beyond the end is the end
        return slice(ends[0], ends[1], step)

    def _shortened(self, parts: list[Any]) -> list[Any]:
        """The same cut without full slices at the end, or with an ellipsis for some of them."""
        if self._chance(0.5):
            full = [number for number, one in enumerate(parts) if one == slice(None)]
            start = self._pick([*full, len(parts)])
            stop = start
            while stop < len(parts) and parts[stop] == slice(None) and self._chance(0.7):
                stop += 1
            return [*parts[:start], Ellipsis, *parts[stop:]]
        while len(parts) > 1 and parts[-1] == slice(None) and self._chance(0.7):
            parts = parts[:-1]
        return parts

    def _merge(self) -> tuple[Tensor, str] | None:
        """Two or three tensors of one shape, or of shapes that fit, by a function, an operator or a layer."""
        a = self._tensor()
        fit = [one for one in self.pool if broadcasts(shape_of(a), shape_of(one))]
        b = self._pick(fit)
        a, b = (b, a) if self._chance(0.5) else (a, b)
        word = self._pick(["add", "subtract", "multiply", "maximum", "minimum"])
        way = self._pick(["function", "operator", "layer"])
        if way == "layer":
            layer = getattr(self.keras.layers, self._pick([word.capitalize(), "Average"]))()
            more = [self._pick(fit)] if type(layer).__name__ != "Subtract" and self._chance(0.3) else []
            if not all(broadcasts(shape_of(one), shape_of(other)) for one in more for other in (a, b)):
                more = []
            return layer([a, b, *more]), f"{type(layer).__name__}({[self._read(one) for one in (a, b, *more)]})"
        use_operator = way == "operator" and word in {"add", "subtract", "multiply"}
        made = operator(word, a, b) if use_operator else self.functions[word](a, b)
        return made, f"{word}({self._read(a)}, {self._read(b)})"

    def _elementwise(self) -> tuple[Tensor, str] | None:
        x = self._tensor()
        word = self._pick(
            ["abs", "negative", "square", "relu", "relu6", "leaky_relu", "sigmoid", "tanh", "softmax", "silu", "elu"]
        )
        return self.functions[word](x), f"{word}({self._read(x)})"

    def _turn(self) -> tuple[Tensor, str] | None:
        """Axes in another order, by a layer or a function."""
        x = self._tensor()
        rank = len(shape_of(x))
        if rank < 2:
            return None
        axes = [int(axis) + 1 for axis in self.random.permutation(rank)]
        one, other = (self._either(self._number(1, rank), rank + 1) for _ in range(2))
        ways: dict[str, Callable[[], Tensor]] = {
            f"Permute({axes})": lambda: self.keras.layers.Permute(axes)(x),
            f"transpose({[0, *axes]})": lambda: self.functions["transpose"](x, [0, *axes]),
        }
        if "swapaxes" in self.functions:
            ways[f"swapaxes({one}, {other})"] = lambda: self.functions["swapaxes"](x, one, other)
            ways[f"moveaxis({one}, {other})"] = lambda: self.functions["moveaxis"](x, one, other)
        text = self._pick(list(ways))
        return ways[text](), f"{text} of {self._read(x)}"

    def _either(self, axis: int, rank: int) -> int:
        """An axis, counted from either side."""
        return axis - rank if self._chance(0.5) else axis

    def _reduce(self) -> tuple[Tensor, str] | None:
        x = self._tensor()
        rank = len(shape_of(x))
        chosen = self.random.choice(rank, self._number(1, rank), replace=False) + 1
        axes = [self._either(int(axis), rank + 1) for axis in chosen]
        keep = self._chance(0.5)
        if len(axes) == rank and not keep:
            return None
        word = self._pick(["mean", "max", "min", "sum"])
        axis = axes[0] if len(axes) == 1 and self._chance(0.7) else axes
        made = self.functions[word](x, axis=axis, keepdims=keep)
        return made, f"{word}({self._read(x)}, axis={axis}, keepdims={keep})"

    def _reshape(self) -> tuple[Tensor, str] | None:
        x = self._tensor()
        shape = shape_of(x)
        rank, way = len(shape), self._pick(["flatten", "Reshape", "reshape", "expand_dims", "squeeze"])
        if way == "flatten":
            return self.keras.layers.Flatten()(x), f"Flatten({self._read(x)})"
        if way == "expand_dims" and rank < MAX_RANK:
            axis = self._either(self._number(1, rank + 1), rank + 2)
            return self.functions["expand_dims"](x, axis), f"expand_dims({self._read(x)}, {axis})"
        if way == "squeeze" and 1 in shape and rank > 1:
            axis = self._either(self._pick([number + 1 for number, size in enumerate(shape) if size == 1]), rank + 1)
            return self.functions["squeeze"](x, axis), f"squeeze({self._read(x)}, {axis})"
        target = self._target(prod(shape))
        if way == "Reshape":
            return self.keras.layers.Reshape(target)(x), f"Reshape({target})({self._read(x)})"
        return self.functions["reshape"](x, (-1, *target)), f"reshape({self._read(x)}, (-1, {target}))"

    def _target(self, total: int) -> Shape:
        """A shape of some number of values."""
        found: list[int] = []
        for _ in range(self._number(0, MAX_RANK - 1)):
            found.append(
                self._pick([size for size in range(1, total + 1) if total % size == 0 and size <= 2 * N] or [1])
            )
            total //= found[-1]
        found.insert(self._number(0, len(found)), total)
        return tuple(found)

    def _join(self) -> tuple[Tensor, str] | None:
        """Concatenation or stacking of tensors that fit."""
        a = self._tensor()
        shape = shape_of(a)
        rank = len(shape)
        same = [one for one in self.pool if shape_of(one) == shape]
        if rank < MAX_RANK and self._chance(0.4):
            axis = self._either(self._number(1, rank + 1), rank + 2)
            parts = [a, *(self._pick(same) for _ in range(self._number(1, 2)))]
            return self.functions["stack"](parts, axis=axis), f"stack({[*map(self._read, parts)]}, axis={axis})"
        axis = self._number(0, rank - 1)
        fit = [
            one
            for one in self.pool
            if without(shape_of(one), axis) == without(shape, axis) and len(shape_of(one)) == rank
        ]
        parts = [self._pick(fit), a, *([self._pick(fit)] if self._chance(0.3) else [])]
        axis = self._either(axis + 1, rank + 1)
        made = (
            self.keras.layers.Concatenate(axis=axis)(parts)
            if self._chance(0.5)
            else self.functions["concat"](parts, axis=axis)
        )
        return made, f"concat({[*map(self._read, parts)]}, axis={axis})"

    def _parts(self) -> tuple[Tensor, str] | None:
        """Some of the parts that a split or unstack gives, in any order."""
        x = self._tensor()
        shape = shape_of(x)
        axis = self._number(0, len(shape) - 1)
        given = self._either(axis + 1, len(shape) + 1)
        if self._chance(0.3) and len(shape) > 1:
            parts, text = self.functions["unstack"](x, axis=given), f"unstack({self._read(x)}, axis={given})"
        else:
            counts = [count for count in (2, 4) if shape[axis] % count == 0]
            if not counts:
                return None
            sizes: Any = self._pick(counts)
            if self._chance(0.4):
                sizes = [1, shape[axis] - 1]
            parts, text = (
                self.functions["split"](x, sizes, axis=given),
                f"split({self._read(x)}, {sizes}, axis={given})",
            )
        order = self.random.permutation(len(parts))[: self._number(1, 2)].tolist()
        return [parts[number] for number in order], f"{text} {order}"

    def _pad(self) -> tuple[Tensor, str] | None:
        x = self._tensor()
        rank = len(shape_of(x))
        if rank < 2:
            return None
        pads = [[0, 0], *([self._number(0, 2), self._number(0, 2)] for _ in range(rank - 1)), [0, 0]]
        return self.functions["pad"](x, pads), f"pad({self._read(x)}, {pads})"

    # --- layers ----------------------------------------------------------------------------------------------------

    def _layer(self) -> tuple[Tensor, str] | None:
        x = self._tensor()
        return self._called(self._layer_for(shape_of(x)), x)

    def _called(self, layer: Any, x: Tensor) -> tuple[Tensor, str]:
        made = layer(x)
        self.layers.append((layer, shape_of(x)))
        options = {
            key: value for key, value in layer.get_config().items() if isinstance(value, int | str | list | tuple)
        }
        options = {key: value for key, value in options.items() if key not in {"trainable", "dtype"}}
        return made, f"{type(layer).__name__}({options}) of {self._read(x)}"

    def _layer_for(self, shape: Shape) -> Any:
        """A layer for tensors of a shape."""
        k, rank, pick = self.keras.layers, len(shape), self._pick
        padding = pick(["same", "valid"])
        activation = pick([None, None, "relu", "tanh", "sigmoid"])
        every: list[Callable[[], Any]] = [
            lambda: k.Dense(N, activation=activation),
            lambda: k.BatchNormalization(axis=self._either(self._number(1, rank), rank + 1), epsilon=2.0**-8),
            lambda: k.Activation(pick(["relu", "sigmoid", "tanh", "softmax", "elu"])),
            lambda: k.ReLU(max_value=pick([None, 1.0]), negative_slope=pick([0.0, 0.25])),
            lambda: k.LeakyReLU(0.25),
            lambda: k.PReLU(shared_axes=pick([None, [1], [rank]])),
            lambda: k.Dropout(0.5),
            lambda: k.Rescaling(pick([0.5, self._values(shape[-1:]).tolist()]), offset=pick([0.0, 0.25])),
            lambda: k.Softmax(axis=-1),
            k.Flatten,
        ]
        sequence = [
            lambda: k.Conv1D(N, self._kernel(shape[0]), padding=padding, activation=activation),
            lambda: k.Conv1D(N, 2, padding="causal", dilation_rate=pick([1, 2])),
            lambda: pick([k.MaxPooling1D, k.AveragePooling1D])(
                self._kernel(shape[0]), strides=pick([1, 2]), padding=padding
            ),
            lambda: pick([k.GlobalMaxPooling1D, k.GlobalAveragePooling1D])(keepdims=self._chance(0.5)),
            lambda: k.ZeroPadding1D((self._number(0, 1), self._number(0, 2))),
            lambda: k.UpSampling1D(2),
            lambda: k.TimeDistributed(k.Dense(N)),
            *([lambda: k.Cropping1D((self._number(0, 1), self._number(0, 1)))] if shape[0] > 2 else []),
        ]
        image = [
            lambda: k.Conv2D(
                N, self._kernel(min(shape[:2])), padding=padding, activation=activation, strides=pick([1, 1, 2])
            ),
            lambda: k.Conv2D(shape[-1], 2, padding="same", groups=pick([1, shape[-1]])),
            lambda: k.DepthwiseConv2D(self._kernel(min(shape[:2])), padding=padding, depth_multiplier=pick([1, 2])),
            lambda: k.SeparableConv2D(N, 2, padding="same"),
            lambda: k.Conv2DTranspose(N, 2, strides=pick([1, 2]), padding=padding),
            lambda: self._pool2d(shape, padding),
            lambda: pick([k.GlobalMaxPooling2D, k.GlobalAveragePooling2D])(keepdims=self._chance(0.5)),
            lambda: k.ZeroPadding2D(
                ((self._number(0, 1), self._number(0, 2)), (self._number(0, 2), self._number(0, 1)))
            ),
            lambda: k.UpSampling2D((pick([1, 2]), 2)),
            *([lambda: k.Cropping2D(((0, 1), (1, 0)))] if min(shape[:2]) > 1 else []),
        ]
        choices = every + {1: [], 2: sequence, 3: image}.get(rank, [])
        return pick(choices)()

    def _kernel(self, size: int) -> int:
        return self._number(1, min(size, 3))

    def _pool2d(self, shape: Shape, padding: str) -> Any:
        kind = self._pick([self.keras.layers.MaxPooling2D, self.keras.layers.AveragePooling2D])
        window = (self._kernel(shape[0]), self._kernel(shape[1]))
        return kind(window, strides=self._pick([1, 2, None]), padding=padding)

    def _again(self) -> tuple[Tensor, str] | None:
        """A layer that was used before, on another tensor of the same shape."""
        if not self.layers:
            return None
        layer, shape = self._pick(self.layers)
        fit = [one for one in self.pool if shape_of(one) == shape]
        return self._called(layer, self._pick(fit)) if fit else None

    def _inner(self) -> tuple[Tensor, str] | None:
        """A model inside the model, called with a tensor, a list, a tuple or a dictionary, once or twice."""
        tensors = [self._tensor() for _ in range(self._number(1, 3))]
        names = [f"in{number}" for number in self.random.permutation(len(tensors)).tolist()]
        starts = [self.keras.Input(shape_of(one), name=name) for one, name in zip(tensors, names, strict=True)]
        inside = replace(self, pool=[*starts], lines=[], layers=[])
        for _ in range(self._number(1, 2)):
            inside._grow()
        ends = [inside._ended(start) for start in starts] + [inside._ended(inside.pool[-1])]
        end = self.keras.layers.Add()(ends)
        way = self._pick(["list", "tuple", "dict"]) if len(tensors) > 1 else "tensor"
        made_of: Any = (
            dict(zip(names, starts, strict=True)) if way == "dict" else starts if len(starts) > 1 else starts[0]
        )
        model = self.keras.Model(made_of, end)
        given: dict[str, Any] = {
            "tensor": tensors[0],
            "list": tensors,
            "tuple": tuple(tensors),
            "dict": dict(reversed([*zip(names, tensors, strict=True)])),
        }
        inner = "; ".join(inside.lines)
        made = [model(given[way])]
        if self._chance(0.3):
            made.append(model(given[way] if way != "list" else tensors[:]))
        return made, f"Model {way} {names} of {[*map(self._read, tensors)]} ({inner})"

    def _ended(self, x: Tensor) -> Tensor:
        """The tensor as it is, or behind a dense layer that sees every value."""
        return self.keras.layers.Dense(N)(self.keras.layers.Flatten()(x))


def shape_of(tensor: Tensor) -> Shape:
    """The shape without the axis of events."""
    return tuple(int(size) for size in tuple(tensor.shape)[1:])


def without(shape: Shape, axis: int) -> Shape:
    """A shape without one axis."""
    return (*shape[:axis], *shape[axis + 1 :])


def broadcasts(one: Shape, other: Shape) -> bool:
    """Whether two tensors with an axis of events each fit together.

    Of unequal ranks they do not, as events would move.
    """
    return len(one) == len(other) and all(a == b or 1 in {a, b} for a, b in zip(one, other, strict=True))


def operator(word: str, left: Any, right: Any) -> Tensor:
    """A Python operator on tensors."""
    match word:
        case "add":
            return left + right
        case "subtract":
            return left - right
        case "multiply":
            return left * right
        case "divide":
            return left / right
        case _:
            raise ValueError(word)


def shown_index(one: Any) -> str:
    """An index as Python writes it."""
    if isinstance(one, slice):
        ends = ["" if end is None else str(end) for end in (one.start, one.stop, one.step)]
        return ":".join(ends[:2] if one.step is None else ends)
    return "..." if one is Ellipsis else str(one)


def randomized(model: Any, random: np.random.Generator) -> None:
    """Weights on a coarse grid, in one of four networks of any float32; variances are positive."""
    is_coarse = random.random() < 0.75
    for variable in model.weights:
        shape, path = tuple(variable.shape), getattr(variable, "path", variable.name)
        values = random.integers(-GRID, GRID, size=shape, endpoint=True) / (2 * GRID)
        values = values if is_coarse else random.normal(size=shape) / 4
        variable.assign((np.abs(values) + 0.25 if "variance" in path else values).astype(np.float32))


def _written(model: Any, folder: Path, names: Sequence[str]) -> Path:
    """The first of the files that the framework can write: Keras 2 has no ellipsis in `.keras` archives."""
    for name in names:
        try:
            model.save(folder / name)
        except (TypeError, ValueError):
            if name == names[-1]:
                raise
        else:
            return folder / name
    raise ValueError(names)


def called(model: Any, events: list[Any]) -> Any:
    """The answers of a model."""
    return model(events)


def saved(
    maker: Maker, folder: Path, steps: int, count: int = N, run: Callable[[Any, list[Any]], Any] = called
) -> tuple[Any, Saved]:
    """A random network, and how it is saved as `.h5` or `.keras`, with the framework's answers for `count` events."""
    random, model = maker.random, maker.model(steps)
    randomized(model, random)
    path = _written(model, folder, ("m.h5", "m.keras") if random.random() < 0.5 else ("m.keras", "m.h5"))
    events = [random.integers(-GRID, GRID, size=(count, *shape_of(one)), endpoint=True) / GRID for one in model.inputs]
    answers = run(model, [one.astype(np.float32) for one in events])
    listed = answers if isinstance(answers, list | tuple) else [answers]
    found = Saved(
        path=path,
        inputs=tuple(events),
        outputs=tuple(np.asarray(one, np.float64) for one in listed),
        text="\n".join([*maker.lines, f"inputs {[maker.name(one) for one in model.inputs]}, saved as {path.name}"]),
    )
    return model, found
