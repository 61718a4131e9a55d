"""Float normalizations of every size between quantized layers, and table functions behind them: the bound holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.design import Design, Target
from fpgacnn.errors import WidthLimitError
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, Format, parse_format
from fpgacnn.ir.source import Shape, SourceLayer, SourceModel
from fpgacnn.passes.precision import legalize
from fpgacnn.passes.quantization import quantize
from fpgacnn.sim.compare import VerificationReport, against_reference
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.source_reference import evaluate
from tests.support.files import Entry, entry, functional_file, input_layer, quantized_bits

EVENTS = 60
SIZES = (1e-6, 1e-3, 0.1, 1.0, 1.0, 10.0, 1e3, 1e6)
VARIANCES = (1.0, 1e-6, 1e6, 0.0)
FUNCTIONS: tuple[src.Activation, ...] = (
    *(src.Function(kind=kind) for kind in src.FunctionKind),
    src.Function(kind=src.FunctionKind.ELU, alpha=1e6),
    src.QuantizedTanh(bits=4, real=True),
    src.QuantizedSigmoid(bits=4),
    src.PowerOfTwo(bits=4, max_value=2.0),
)
FORMS = ("fixed<8,4>", "fixed<24,12>", "fixed<24,1>", "ufixed<24,24>", "fixed<24,-10>", "ufixed<1,1>", "fixed<40,20>")


def compared(network: SourceModel, form: Format, shape: Shape, random: np.random.Generator) -> VerificationReport:
    """Every layer against the network's own answers, on random, extreme and small inputs."""
    codes = random.integers(form.low, form.high, size=(EVENTS, *shape), endpoint=True)
    codes[:20] = random.choice([form.low, form.high], size=(20, *shape))
    codes[20:40] = np.clip(random.integers(-30, 30, size=(20, *shape)), form.low, form.high)
    with np.errstate(all="ignore"):  # exponentials of large numbers
        model, planned = legalize(quantize(network, inputs=[form]))
        assert all(np.isfinite(one.error) and one.error >= 0 for one in planned.layers.values())
        design, given = Design(model=model, plan=planned, target=Target()), [Codes(array=codes, format=form)]
        answers = evaluate(network, [codes * form.step], quantized=True)
        hardware = ReferenceEmulator(design).run(given, trace=True)
        return against_reference(design, hardware, answers, name="network", exactness=1e-9)


@dataclass(slots=True)
class Maker:
    """Draws a quantized network with float normalizations, of vectors or images; `pool` holds tensors and channels."""

    random: np.random.Generator
    shape: Shape
    layers: list[Entry] = field(default_factory=list)
    pool: list[tuple[str, int]] = field(default_factory=list)

    def make(self, path: Path) -> SourceModel:
        """The network, in a file at `path`."""
        self.layers.append(input_layer("x", *self.shape))
        self.pool.append(("x", self.shape[-1]))
        for number in range(int(self.random.integers(2, 7))):
            name, (source, channels) = f"n{number}", self.pool[-1]
            kind = str(self.random.choice(["linear", "batch", "batch", "batch", "quantizer", "leaky", "merge"]))
            if kind == "linear":
                self.layers.append(self._linear(name, source, channels))
            elif kind == "quantizer":
                text = self.random.choice(["quantized_relu({},1)", "quantized_bits({},1,alpha=1)"])
                activation = str(text).format(self.random.choice([4, 8, 15]))
                self.layers.append(entry("QActivation", name, source, activation=activation))
            elif kind == "leaky":
                self.layers.append(entry("LeakyReLU", name, source, alpha=0.3))
            elif kind == "merge" and len(self.pool) > 1:
                other = self.pool[int(self.random.integers(len(self.pool) - 1))][0]
                merge = str(self.random.choice(["Add", "Subtract", "Multiply", "Average", "Maximum"]))
                self.layers.append(entry(merge, name, source, other))
            else:
                self.layers.append(self._batch(name, source, channels))
            self.pool.append((name, channels))
        return frontends.load(functional_file(path, *self.layers, inputs=["x"], outputs=[self.pool[-1][0]]))

    def _linear(self, name: str, source: str, channels: int) -> Entry:
        bits, alpha = int(self.random.choice([4, 8, 10])), [1.0, "auto", "auto_po2"][int(self.random.integers(3))]
        window = (2, 2) if len(self.shape) == 3 else ()
        weights = {
            "kernel": self.random.normal(size=(*window, channels, channels)).astype(np.float32),
            "bias": (self.random.normal(size=channels) * 0.01).astype(np.float32),
        }
        quantizers = {
            "kernel_quantizer": quantized_bits(bits, 2, alpha=alpha),
            "bias_quantizer": quantized_bits(bits, 2) if self.random.random() < 0.7 else None,
        }
        if window:
            options = {"filters": channels, "kernel_size": list(window), "padding": "same"}
            return entry("QConv2D", name, source, weights=weights, **options, **quantizers)
        return entry("QDense", name, source, units=channels, weights=weights, **quantizers)

    def _batch(self, name: str, source: str, channels: int) -> Entry:
        def size() -> float:
            return float(self.random.choice(SIZES))

        variance = self.random.uniform(0.5, 2.0, channels) * size()
        weights = {
            "gamma": self.random.uniform(0.5, 2.0, channels) * size() * self.random.choice([1.0, -1.0], channels),
            "beta": self.random.normal(0.0, 0.3, channels) * size(),
            "moving_mean": self.random.normal(0.0, 0.3, channels) * size(),
            "moving_variance": variance * self.random.choice(VARIANCES, channels),
        }
        return entry(
            "BatchNormalization", name, source, weights={key: one.astype(np.float32) for key, one in weights.items()}
        )


@pytest.mark.parametrize("seed", range(60))
def test_float_normalizations_of_any_size_are_bounded_and_not_refused(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng([5, seed])
    shape = (4, 4, 3) if seed % 2 else (6,)
    report = compared(Maker(random, shape).make(tmp_path / "m.h5"), parse_format("fixed<16,6>"), shape, random)
    assert report.holds, report.first


@pytest.mark.parametrize("seed", range(120))
def test_tables_behind_lines_of_any_size_are_bounded_or_refused_for_their_bits(seed: int) -> None:
    random, shape = np.random.default_rng([6, seed]), (2,)
    form = parse_format(FORMS[int(random.integers(len(FORMS)))])
    layers = [SourceLayer(name="x", kind="", operation=src.Input(), inputs=(), shape=shape)]
    for number in range(int(random.integers(1, 7))):
        if random.random() < 0.6:
            scale = float(10.0 ** random.choice([-30, -9, -3, 0, 0, 3, 9, 30])) * float(random.choice([1.0, -1.0]))
            statistics = src.Statistics(
                gamma=src.Weight(values=random.uniform(0.5, 2.0, 2) * scale),
                beta=src.Weight(values=random.normal(size=2) * float(10.0 ** random.choice([-9, 0, 3, 9]))),
                mean=src.Weight(values=np.zeros(2)),
                variance=src.Weight(values=np.ones(2)),
                epsilon=0.0,
            )
            line = src.BatchNormalization(statistics=statistics)
            layers.append(_behind(layers[-1], f"line{number}", line))
        function = src.Activate(function=FUNCTIONS[int(random.integers(len(FUNCTIONS)))])
        layers.append(_behind(layers[-1], f"f{number}", function))
    end = layers[-1].name
    network = SourceModel(name="m", digest="", framework="", layers=tuple(layers), inputs=("x",), outputs=(end,))
    try:
        report = compared(network, form, shape, random)
    except WidthLimitError as error:
        assert "bits, more than the limit of 62" in str(error)  # a refusal is one of two good answers
        return
    assert report.holds, report.first


def _behind(layer: SourceLayer, name: str, operation: src.SourceOperation) -> SourceLayer:
    return SourceLayer(name=name, kind="", operation=operation, inputs=(layer.name,), shape=layer.shape)
