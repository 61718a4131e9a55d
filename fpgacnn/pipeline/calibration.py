"""Choose widths from data: the fewest bits for each weight tensor and result that keep the noise of the outputs low.

Each weight tensor or result is quantized alone to measure the noise that it makes at the outputs. Noise powers of
independent roundings add, and one more bit divides a power by four (6.02 dB). The cheapest bits for a given total
noise are therefore those for which the noise of each point is proportional to its cost (reverse water-filling; Cover
and Thomas, Elements of Information Theory, 10.3.3). The prediction is then measured and corrected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import ceil, log2, prod

import numpy as np

from fpgacnn.ir import source as src
from fpgacnn.ir.source import FloatArray, SourceModel
from fpgacnn.passes.widths.widths import (
    Part,
    Point,
    Widths,
    fitted,
    points,
    result_quantizer,
    weight_values,
    with_quantizers,
)
from fpgacnn.sim.compare import signal_to_noise_db
from fpgacnn.sim.source_reference import answers_by_chunk, evaluate

PROBE_BITS = 8
"""Width at which the noise of each point is measured: fine enough for small noise, coarse enough to measure it."""

FEWEST_BITS, MOST_BITS = 2, 24
RANGE_EVENTS = 1024
MAX_VALUES = 1 << 25
"""Largest number of layer values that noise is measured on."""

SAMPLE = 1 << 16
MAX_SQNR_DB = 140.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A network with quantizers chosen on data, and the ratio of signal to quantization noise on that data in dB."""

    network: SourceModel
    bits: Mapping[Point, int]
    sqnr_db: float
    events: int

    @property
    def fewest(self) -> int:
        """Bits of the narrowest quantizer."""
        return min(self.bits.values())

    @property
    def most(self) -> int:
        """Bits of the widest quantizer."""
        return max(self.bits.values())


def calibrate(network: SourceModel, events: Sequence[FloatArray], widths: Widths | None, sqnr_db: float) -> Calibration:
    """Quantizers for every float point of a network, from events (events, ...shape) for each input.

    With `widths` every point has these bits and only the ranges come from data; without, it gets the fewest bits that
    keep every output at least `sqnr_db` above its quantization noise, up to MOST_BITS.
    """
    values = sum(prod(layer.shape) for layer in network.layers)
    count = max(4, min(RANGE_EVENTS, MAX_VALUES // values))
    search = _Search(network=network, events=[one[:count] for one in events])
    if widths is not None:
        fixed = dict.fromkeys(search.points, widths.bits)
        return search.result(fixed, widths.integer)
    return search.result(search.fewest_bits(min(sqnr_db, MAX_SQNR_DB)))


class _Search:
    def __init__(self, *, network: SourceModel, events: Sequence[FloatArray]) -> None:
        self.network, self.events, self.points = network, events, points(network)
        self._float, sampled = _float_answers(
            network, events, {point.layer for point in self.points if point.part is Part.RESULT}
        )
        self._samples = {point: _sample(network, point, sampled) for point in self.points}
        self._costs = {point: _cost(network, point) for point in self.points}

    def result(self, bits: Mapping[Point, int], integer: int | None = None) -> Calibration:
        """The network with the chosen bits, and its measured noise."""
        quantized = self._network(bits, integer)
        return Calibration(network=quantized, bits=bits, sqnr_db=self._sqnr(quantized), events=len(self.events[0]))

    def fewest_bits(self, sqnr_db: float) -> Mapping[Point, int]:
        """Bits for every point by the noise model, then corrected by measurement.

        One bit more everywhere until the noise is low enough, or one bit less as long as it is.
        """
        bits = self._modelled(sqnr_db)
        while self._sqnr(self._network(bits)) < sqnr_db and min(bits.values()) < MOST_BITS:
            bits = {point: min(width + 1, MOST_BITS) for point, width in bits.items()}
        for point in sorted(self.points, key=self._costs.__getitem__, reverse=True):
            fewer = {**bits, point: bits[point] - 1}
            if fewer[point] >= FEWEST_BITS and self._sqnr(self._network(fewer)) >= sqnr_db:
                bits = fewer
        return bits

    def _modelled(self, sqnr_db: float) -> dict[Point, int]:
        noise = {point: 10.0 ** (-self._sqnr(self._network({point: PROBE_BITS})) / 10.0) for point in self.points}
        level = 10.0 ** (-sqnr_db / 10.0) / sum(self._costs.values())
        modelled = {
            point: PROBE_BITS + 0.5 * log2(max(power, 1e-30) / (level * self._costs[point]))
            for point, power in noise.items()
        }
        return {point: max(FEWEST_BITS, min(ceil(width), MOST_BITS)) for point, width in modelled.items()}

    def _network(self, bits: Mapping[Point, int], integer: int | None = None) -> SourceModel:
        return with_quantizers(
            self.network, {point: self._quantizer(point, width, integer) for point, width in bits.items()}
        )

    def _quantizer(self, point: Point, bits: int, integer: int | None) -> src.Quantizer:
        layer = self.network.layer(point.layer)
        if point.part is Part.RESULT and integer is not None:
            return result_quantizer(layer, bits, integer - 1)
        return fitted(layer, point.part, bits, self._samples[point])

    def _sqnr(self, quantized: SourceModel) -> float:
        """The lowest signal to quantization noise ratio of the outputs, in dB."""
        answers = evaluate(quantized, self.events, quantized=True, keep=self._float.keys())
        found = [signal_to_noise_db(values, answers[name]) for name, values in self._float.items()]
        return min((ratio for ratio in found if ratio is not None), default=np.inf)


def judged(network: SourceModel) -> tuple[str, ...]:
    """Layers whose values are compared: outputs; for a softmax, its logits."""
    return tuple(_before_softmax(network, name) for name in network.outputs)


def _before_softmax(network: SourceModel, name: str) -> str:
    layer = network.layer(name)
    return layer.inputs[0] if layer.operation == src.Activate(function=src.Softmax()) else name


def _float_answers(
    network: SourceModel, events: Sequence[FloatArray], sampled: AbstractSet[str]
) -> tuple[Mapping[str, FloatArray], Mapping[str, FloatArray]]:
    """The float network's judged layers on all events, and sampled values of the `sampled` layers.

    The samples of a layer are evenly spread, followed by its smallest and largest value.
    """
    wanted = judged(network)
    strides = {name: max(1, len(events[0]) * prod(network.layer(name).shape) // SAMPLE) for name in sampled}
    kept: dict[str, list[FloatArray]] = {name: [] for name in wanted}
    spread: dict[str, list[FloatArray]] = {name: [] for name in sampled}
    lowest, highest = dict.fromkeys(sampled, np.inf), dict.fromkeys(sampled, -np.inf)
    done = 0
    for answers in answers_by_chunk(network, events, quantized=False, keep={*wanted, *sampled}):
        for name in wanted:
            kept[name].append(answers[name])
        for name, stride in strides.items():
            flat = answers[name].ravel()
            first = -done * prod(network.layer(name).shape) % stride
            spread[name].append(flat[first::stride].copy())
            lowest[name] = min(lowest[name], float(flat.min()))
            highest[name] = max(highest[name], float(flat.max()))
        done += len(next(iter(answers.values())))
    return (
        {name: np.concatenate(parts) for name, parts in kept.items()},
        {name: np.concatenate([*parts, [lowest[name], highest[name]]]) for name, parts in spread.items()},
    )


def _sample(network: SourceModel, point: Point, sampled: Mapping[str, FloatArray]) -> FloatArray:
    """Values of a point: all weights, or evenly spread values of a result and its largest value."""
    if point.part is not Part.RESULT:
        return weight_values(network.layer(point.layer).operation, point.part)
    return sampled[point.layer]


def _cost(network: SourceModel, point: Point) -> float:
    """Cost of one bit of a point: its multiplications, at least its number of values."""
    layer = network.layer(point.layer)
    if point.part is Part.BIAS:
        return float(layer.shape[-1])
    if point.part is Part.KERNEL:
        return float(multiplications(network, point.layer))
    readers = [other.name for other in network.layers if point.layer in other.inputs]
    return float(prod(layer.shape) + sum(multiplications(network, name) for name in readers))


def multiplications(network: SourceModel, name: str) -> int:
    """Multiplications of a linear layer for one event; 0 for others."""
    layer = network.layer(name)
    match layer.operation:
        case src.Convolution(kernel=kernel) | src.Dense(kernel=kernel):
            return prod(layer.shape[:-1]) * kernel.values.size
        case src.Depthwise(kernel=kernel):
            return prod(layer.shape) * prod(kernel.values.shape[:2])
        case src.Transposed(kernel=kernel):
            return prod(network.layer(layer.inputs[0]).shape[:-1]) * kernel.values.size
        case _:
            return 0
