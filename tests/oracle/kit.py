"""Small networks made, saved and answered by the real Keras and QKeras."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fpgacnn import frontends
from fpgacnn.design import Design, Target
from fpgacnn.ir.fixed_point import Codes, parse_format
from fpgacnn.ir.source import FloatArray, SourceModel
from fpgacnn.passes.precision import legalize
from fpgacnn.passes.quantization import SoftmaxChoice, quantize
from fpgacnn.training.keras import open_keras
from fpgacnn.training.keras.oracle import KerasAnswer, run_keras

INPUT = "ufixed<6,0>"
EVENTS = 24


class Kit:
    """Keras, QKeras and their usual quantizers, so that networks below read as in a user's script."""

    def __init__(self) -> None:
        modules = open_keras()
        self.keras, self.qkeras = modules.keras, modules.qkeras
        self.layers = modules.keras.layers

    def bits(self, bits: int = 6, integer: int = 0, **options: object) -> Any:
        return self.qkeras.quantized_bits(bits, integer, **{"alpha": 1, **options})

    def relu(self, bits: int = 5, integer: int = 2, **options: object) -> Any:
        return self.qkeras.QActivation(self.qkeras.quantized_relu(bits, integer, **options))

    def convolution(self, filters: int, size: int, **options: Any) -> Any:
        return self.qkeras.QConv2D(
            filters, size, **{"kernel_quantizer": self.bits(), "bias_quantizer": self.bits(), **options}
        )

    def sequence(self, filters: int, size: int, **options: Any) -> Any:
        return self.qkeras.QConv1D(
            filters, size, **{"kernel_quantizer": self.bits(), "bias_quantizer": self.bits(), **options}
        )

    def dense(self, units: int, **options: Any) -> Any:
        return self.qkeras.QDense(units, **{"kernel_quantizer": self.bits(), "bias_quantizer": self.bits(), **options})

    def model(self, shape: tuple[int, ...], build: Callable[[Any], Any]) -> Any:
        source = self.layers.Input(shape)
        return self.keras.Model(source, build(source))


def chain(*steps: Any) -> Callable[[Any], Any]:
    def build(x: Any) -> Any:
        for step in steps:
            x = step(x)
        return x

    return build


def randomized(model: Any, seed: int) -> Any:
    """Weights that use the whole range of their quantizers; positive variances."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        for variable in layer.weights:
            if "iteration" in variable.name:
                continue
            shape = variable.shape
            spread = random.uniform(0.3, 2.0, shape) if "variance" in variable.name else random.normal(size=shape) * 0.4
            variable.assign(spread.astype(np.float32))
    return model


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A network that was saved and read again, planned, with events and the framework's answers for every layer."""

    source: SourceModel
    codes: list[Codes]
    keras: KerasAnswer
    design: Design

    @property
    def events(self) -> list[FloatArray]:
        return [one.values for one in self.codes]


def planned(model: Any, seed: int, path: Path) -> Case:
    """A case of a network with random weights."""
    randomized(model, seed=seed).save(path, include_optimizer=False)
    source, form, random = frontends.load(path), parse_format(INPUT), np.random.default_rng(seed + 1)
    shapes = [(EVENTS, *source.layer(one).shape) for one in source.inputs]
    codes = [
        Codes(array=random.integers(form.low, form.high, size=shape, endpoint=True), format=form) for shape in shapes
    ]
    quantized, planned = legalize(quantize(source, inputs=[form] * len(codes), softmax=SoftmaxChoice.KEEP))
    keras = run_keras(path, [one.values for one in codes], layers=True)
    return Case(source=source, codes=codes, keras=keras, design=Design(model=quantized, plan=planned, target=Target()))
