"""Random networks of HGQ2.

Quantized layers with widths of their own for each value, `keras.ops` and plain layers between.

HGQ2 installs a package `qkeras` of its own, so it is in a separate folder (`tools/install_hgq2.sh`) that is put in
front of Python's path. Weights, widths and inputs are of few bits: every sum is exact in float32, and the answers are
equal.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fpgacnn.ir.source import Shape
from fpgacnn.training.keras import open_keras
from tests.random_reading.functional import N, broadcasts, shape_of
from tests.random_reading.law import Saved

GRID = 16
EVENTS = 5
"""Not the length of an axis.

`ops.add` of the TensorFlow backend takes four events of one value for a bias of four channels.
"""
ROUNDINGS = ("TRN", "RND", "RND_CONV", "TRN_ZERO", "RND_ZERO", "RND_MIN_INF", "RND_INF", "S_RND", "S_RND_CONV")
OVERFLOWS = ("WRAP", "SAT", "SAT_SYM")
MERGES = ("QAdd", "QSubtract", "QMultiply", "QMaximum", "QMinimum", "QAveragePow2")
POWERS = (1, 2, 4, 8, 16)


@dataclass(slots=True)
class Maker:
    """Draws one network: `pool` holds the tensors made so far, `lines` how each was made."""

    random: np.random.Generator
    keras: Any
    hgq: Any
    pool: list[Any] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    layers: list[tuple[Any, list[Shape]]] = field(default_factory=list)

    def model(self, steps: int) -> Any:
        """A model with one to three inputs in any order, the later ones made where they are wanted."""
        inputs = [self._input()]
        for _ in range(steps):
            if self._chance(0.25) and len(inputs) < 3:  # inputs of a network
                inputs.append(self._input())
            self._grow()
        outputs = [self.pool[-1]] if self._chance(0.7) else [self.pool[-1], self._tensor()]
        used = [one for one in outputs if one not in inputs] or [
            self._call(self._dense(shape_of(inputs[0])), [inputs[0]])
        ]
        self.random.shuffle(inputs)
        return self.keras.Model(inputs, used if len(used) > 1 else used[0])

    # --- drawing ---------------------------------------------------------------------------------------------------

    def _number(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high, endpoint=True))

    def _chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def _pick(self, choices: Sequence[Any]) -> Any:
        return choices[self._number(0, len(choices) - 1)]

    def _tensor(self, ranks: tuple[int, ...] = (1, 2, 3)) -> Any:
        """A tensor, later ones more often."""
        fit = [one for one in self.pool if len(shape_of(one)) in ranks]
        return fit[-1 - min(int(self.random.exponential(1.0)), len(fit) - 1)] if fit else None

    def _input(self) -> Any:
        rank = self._pick([1, 2, 3, 3])
        made = self.keras.Input((N,) * rank)
        self.pool.append(made)
        self.lines.append(f"t{len(self.pool) - 1} = Input({(N,) * rank})")
        return made

    def _grow(self) -> None:
        steps = (*(self._layer,) * 6, *(self._merge,) * 2, self._plain, self._again, self._inner)
        for _ in range(20):
            made = self._pick(steps)()
            if made is not None and len(shape_of(made)) > 0 and np.prod(shape_of(made)) <= N**3:
                return
            if made is not None:
                self.pool.pop()
                self.lines.pop()

    def _call(self, layer: Any, tensors: list[Any]) -> Any:
        """Call the layer; None for a QSum of what Keras calls sparse (such as `x * 0.5`), which HGQ2 refuses."""
        if isinstance(layer, self.hgq.QSum) and any(one.sparse for one in tensors):
            return None
        made = layer(tensors if len(tensors) > 1 else tensors[0])
        self.layers.append((layer, [shape_of(one) for one in tensors]))
        return self._kept(made, f"{type(layer).__name__} {layer.name} of {[*map(self._name, tensors)]}")

    def _kept(self, made: Any, text: str) -> Any:
        self.pool.append(made)
        self.lines.append(f"t{len(self.pool) - 1} = {text}  # {shape_of(made)}")
        return made

    def _name(self, tensor: Any) -> str:
        return next((f"t{number}" for number, one in enumerate(self.pool) if one is tensor), "?")

    # --- quantizers ------------------------------------------------------------------------------------------------

    def _config(self, place: str, rank: int, *, exact: bool = True) -> Any:
        """A quantizer with any modes; widths for the tensor, for one axis, or for every value."""
        data = place in {"datalane", "table"}
        axes = self._pick(
            [(), (-1,), (-1,), tuple(range(int(data), rank + int(data))), (self._number(1, rank),) if data else (-1,)]
        )
        return self.hgq.QuantizerConfig(
            self._pick(["kif", "kbi"]),
            place,
            round_mode=self._pick(ROUNDINGS if exact else ("RND", "RND_CONV")),
            overflow_mode=self._pick(OVERFLOWS),
            heterogeneous_axis=axes,
            homogeneous_axis=None,
        )

    def _common(self, rank: int, *, merges: int = 0, ends: bool = True) -> dict[str, Any]:
        """Options that every layer has; HGQ2 itself cannot build the quantizer of a sum's result."""
        confs = (
            self._config("datalane", rank) if not merges else [self._config("datalane", rank) for _ in range(merges)]
        )
        options: dict[str, Any] = {"iq_confs" if merges else "iq_conf": confs}
        if ends and self._chance(0.3):
            options |= {"enable_oq": True, "oq_conf": self._config("datalane", 1)}
        return options | ({"enable_ebops": False} if self._chance(0.2) else {})

    def _weights(self, *, bias: bool = True) -> dict[str, Any]:
        return {"kq_conf": self._config("weight", 1)} | ({"bq_conf": self._config("bias", 1)} if bias else {})

    # --- layers ----------------------------------------------------------------------------------------------------

    def _dense(self, shape: Shape) -> Any:
        options = {"activation": self._pick([None, "relu"]), "use_bias": self._chance(0.7)}
        return self.hgq.QDense(N, **options, **self._common(len(shape)), **self._weights())

    def _layer(self) -> Any:
        x = self._tensor()
        return self._call(self._layer_for(shape_of(x)), [x])

    def _layer_for(self, shape: Shape) -> Any:
        q, rank, pick = self.hgq, len(shape), self._pick
        letters = "abcd"[: rank + 1]
        equation = pick(["...c,cC->...C", f"{letters[:-1]}z,zy->{letters[:-1]}y"])
        whole = (*shape[:-1], N) if "..." not in equation else N
        bias = equation[-1]
        most = min(2, *shape[:-1]) if rank > 1 else 1  # cells of a window
        every: list[Callable[[], Any]] = [
            *(lambda: self._dense(shape),) * 3,
            lambda: q.QEinsumDense(
                equation, whole, bias_axes=pick([None, bias]), **self._common(rank), **self._weights()
            ),
            lambda: q.QEinsumDenseBatchnorm(equation, whole, bias_axes=bias, **self._common(rank), **self._weights()),
            lambda: q.QBatchNormDense(N, scale=self._chance(0.5), **self._common(rank), **self._weights()),
            lambda: q.QBatchNormalization(
                scale=self._chance(0.7), center=self._chance(0.7), **self._common(rank), **self._weights()
            ),
            lambda: q.Quantizer(self._config("datalane", rank)),
            lambda: q.QUnaryFunctionLUT(
                "relu",
                iq_conf=self._config("datalane", rank),
                oq_conf=self._config("table", rank),
                enable_oq=self._chance(0.8),
                enable_ebops=False,
            ),
            lambda: q.QUnaryFunctionLUT(
                pick(["tanh", "sigmoid"]),
                iq_conf=self._config("datalane", rank),
                oq_conf=self._config("table", rank, exact=False),
            ),
            lambda: self._sum(rank),
        ]
        sequence = [
            lambda: q.QConv1D(
                N, self._number(1, most), padding=pick(["valid", "same"]), **self._common(2), **self._weights()
            ),
            lambda: q.QMaxPooling1D(most, strides=pick([1, 2]), padding=pick(["valid", "same"]), **self._common(2)),
            lambda: q.QAveragePooling1D(most, strides=pick([1, 2]), padding=pick(["valid", "same"]), **self._common(2)),
            lambda: q.QGlobalMaxPooling1D(keepdims=self._chance(0.5), **self._common(2)),
            lambda: self.keras.layers.TimeDistributed(self._dense(shape[1:])),
        ]
        image = [
            lambda: q.QConv2D(
                N,
                self._number(1, most),
                strides=pick([1, 2]),
                padding=pick(["valid", "same"]),
                activation=pick([None, "relu"]),
                **self._common(3),
                **self._weights(),
            ),
            lambda: q.QConv2D(shape[-1], 2, padding="same", groups=shape[-1], **self._common(3), **self._weights()),
            lambda: q.QMaxPooling2D(most, strides=pick([1, 2]), padding=pick(["valid", "same"]), **self._common(3)),
            lambda: q.QAveragePooling2D(most, strides=pick([1, 2]), padding=pick(["valid", "same"]), **self._common(3)),
            lambda: q.QGlobalMaxPooling2D(**self._common(3)),
        ]
        if rank == 2 and shape[0] in POWERS:
            sequence.append(lambda: q.QGlobalAveragePooling1D(**self._common(2)))
        if rank == 3 and shape[0] * shape[1] in POWERS:
            image.append(lambda: q.QGlobalAveragePooling2D(keepdims=self._chance(0.5), **self._common(3)))
        return pick(every + {1: [], 2: sequence, 3: image}[rank])()

    def _sum(self, rank: int) -> Any:
        chosen = [int(axis) + 1 for axis in self.random.choice(rank, self._number(1, rank), replace=False)]
        axes = [axis - rank - 1 if self._chance(0.5) else axis for axis in chosen]
        options = {
            "axes": axes[0] if len(axes) == 1 else tuple(axes),
            "keepdims": len(axes) == rank or self._chance(0.5),
        }
        if self._chance(0.4):
            return self.hgq.QMeanPow2(**options, **self._common(rank, ends=False))
        return self.hgq.QSum(scale=self._pick([1.0, 0.25, 2.0]), **options, **self._common(rank, ends=False))

    def _merge(self) -> Any:
        a = self._tensor()
        fit = [one for one in self.pool if broadcasts(shape_of(a), shape_of(one))]
        if len(shape_of(a)) == 1 and self._chance(0.2):
            pair = [a, self._pick([one for one in fit if shape_of(one) == shape_of(a)])]
            return self._call(self.hgq.QDot(axes=self._pick([1, -1]), **self._common(1, merges=2)), pair)
        name = self._pick(MERGES)
        tensors = [
            a,
            self._pick(fit),
            *([self._pick(fit)] if self._chance(0.25) and name not in {"QSubtract", "QMultiply"} else []),
        ]
        self.random.shuffle(tensors)
        if not all(broadcasts(shape_of(one), shape_of(other)) for one in tensors for other in tensors):
            return None
        return self._call(getattr(self.hgq, name)(**self._common(len(shape_of(a)), merges=len(tensors))), tensors)

    def _plain(self) -> Any:
        """A layer or a function of Keras, which passes widths on."""
        x, k, ops = self._tensor(), self.keras.layers, self.keras.ops
        rank, axes = len(shape_of(x)), [int(axis) + 1 for axis in self.random.permutation(len(shape_of(x)))]
        twin = self._pick([one for one in self.pool if shape_of(one) == shape_of(x)])
        ways: list[tuple[str, Callable[[], Any]]] = [
            ("relu", lambda: ops.relu(x)),
            ("negative", lambda: ops.negative(x)),
            ("ReLU", lambda: k.ReLU()(x)),
            ("Flatten", lambda: k.Flatten()(x)),
            (f"Permute({axes})", lambda: k.Permute(axes)(x)),
            (f"transpose({axes})", lambda: ops.transpose(x, [0, *axes])),
            (
                f"Concatenate with {self._name(twin)}",
                lambda: k.Concatenate(axis=self._pick([*range(1, rank + 1), -1]))([x, twin]),
            ),
            (f"add {self._name(twin)}", lambda: ops.add(x, twin)),
            (f"subtract from {self._name(twin)}", lambda: twin - x),
            ("x / 2", lambda: x * 0.5),
        ]
        text, made = self._pick(ways)
        return self._kept(made(), f"{text} of {self._name(x)}")

    def _again(self) -> Any:
        """A layer that was used before, on other tensors of the same shapes."""
        if not self.layers:
            return None
        layer, shapes = self._pick(self.layers)
        fit = [[one for one in self.pool if shape_of(one) == shape] for shape in shapes]
        return self._call(layer, [self._pick(one) for one in fit]) if all(fit) else None

    def _inner(self) -> Any:
        """A model inside the model, called once or twice."""
        x = self._tensor()
        start = self.keras.Input(shape_of(x))
        end = start
        for _ in range(self._number(1, 2)):
            end = self._dense(shape_of(end))(end)
        return self._call(self.keras.Model(start, end), [x])


def _widths(random: np.random.Generator, quantizer: Any) -> dict[str, np.ndarray]:
    """Trained widths of a quantizer: few bits, and of some values what training leaves where it prunes."""
    shape = tuple(quantizer._k.shape)
    weight = quantizer._is_weight
    negative = (random.random(shape) < 0.85).astype(np.float64)
    integer = random.integers(-1, 1 if weight else 3, size=shape, endpoint=True).astype(np.float64)
    fraction = random.integers(-1, 5, size=shape, endpoint=True).astype(np.float64)
    nothing = random.random(shape) < random.choice([0.0, 0.0, 0.3])
    pruned = (
        random.choice(_PRUNED if quantizer.round_mode != "TRN" and not weight else _DEAD, size=shape)
        if np.any(nothing)
        else np.zeros(shape, np.int64)
    )
    drawn = np.array(_LEFT)[pruned]
    integer, fraction = np.where(nothing, drawn[..., 0], integer), np.where(nothing, drawn[..., 1], fraction)
    blur = random.choice([0.0, 0.3, -0.4], size=shape)  # rounded half to even, it says the same
    if hasattr(quantizer, "_f"):
        return {"_k": negative, "_i": integer + blur, "_f": fraction + blur}
    bits = integer + fraction
    free = weight and quantizer.overflow_mode == "WRAP"
    empty = bits <= 0
    negative = np.where(empty & (quantizer.overflow_mode != "SAT_SYM"), 0.0, negative)  # a sign bit alone is -2^i
    integer = np.where(empty, 32.0 if free else random.choice([-67.5, 40.0, 3.0, -2.0], size=shape), integer + blur)
    return {"_k": negative, "_i": integer, "_b": np.maximum(bits, 0.0) + np.where(empty, 0.0, blur * (bits > 1))}


_LEFT = ((-3, 1), (0, -9), (-80, 60), (90, -100), (24, -24))
"""Bits left and right of the point of pruned values.

The last is a sign bit alone, which is 0 where it is rounded to the nearest.
"""

_DEAD, _PRUNED = range(4), range(5)


def _randomized(model: Any, random: np.random.Generator) -> None:
    """Weights on a coarse grid around 0, positive variances, and trained widths."""
    seen: set[int] = set()
    for layer in model._flatten_layers():  # the only list that has quantizers in it
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        if hasattr(layer, "_is_weight"):
            for name, values in _widths(random, layer).items():
                getattr(layer, name).assign(values)
            continue
        for variable in layer._trainable_variables + layer._non_trainable_variables:
            if variable.name in {"beta", "ebops", "i_decay_speed"}:
                continue
            values = random.integers(-GRID, GRID, size=tuple(variable.shape), endpoint=True) / GRID
            variable.assign((np.abs(values) + 0.25 if "variance" in variable.name else values).astype(np.float32))


def make(seed: int, folder: Path) -> Saved:
    """The network of a seed."""
    open_keras()  # TensorFlow, quiet, is the backend
    import keras
    from hgq import config, layers
    from hgq.quantizer.config import QuantizerConfig

    layers.QuantizerConfig, layers.config = QuantizerConfig, config
    keras.backend.clear_session()
    random = np.random.default_rng(seed)
    np.random.seed(seed)  # noqa: NPY002  # HGQ2 draws the seeds of its stochastic roundings from it
    maker = Maker(random=random, keras=keras, hgq=layers)
    model = maker.model(2 + seed % 5)
    _randomized(model, random)
    path = folder / ("m.keras" if random.random() < 0.8 else "m.h5")  # most are saved so
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns that HDF5 is old
        model.save(path)
    events = [
        random.integers(-4 * GRID, 4 * GRID, size=(EVENTS, *shape_of(one)), endpoint=True) / GRID
        for one in model.inputs
    ]
    answers = model([one.astype(np.float32) for one in events], training=False)
    listed = answers if isinstance(answers, list | tuple) else [answers]
    ends = f"inputs {[maker._name(one) for one in model.inputs]}, saved as {path.name}"
    return Saved(
        path=path,
        inputs=tuple(events),
        outputs=tuple(np.asarray(one, np.float64) for one in listed),
        text="\n".join([*maker.lines, ends]),
    )
