"""All that a trial depends on besides its point, as one value: it travels to each worker once, and has a digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Target
from fpgacnn.design.serialize import CODEC
from fpgacnn.hardware.estimation.fifo_choice import FifoChoice
from fpgacnn.ir.source import FloatArray, Quantizer, SourceModel
from fpgacnn.jobs.explore.space import DesignSpace, Values
from fpgacnn.passes.quantization import SoftmaxChoice
from fpgacnn.passes.widths.pruning import pruned
from fpgacnn.passes.widths.trainable import least_error, trainable_points
from fpgacnn.passes.widths.widths import Part, Point, with_quantizers
from fpgacnn.pipeline.inputs import InputChoice
from fpgacnn.system.codec import LEFT_OUT


@dataclass(frozen=True, slots=True, kw_only=True)
class PointQuantizer:
    """The quantizer of a kernel, bias or result with so many bits; of a kernel with so many percent of zeros.

    `network`: the place of the network, where filters are scaled.
    """

    layer: str
    part: Part
    bits: int
    quantizer: Quantizer
    percent: int = field(default=0, metadata=LEFT_OUT)
    network: int = field(default=0, metadata=LEFT_OUT)


class QuantizerChoice:
    """The quantizers of points, chosen from those of a study."""

    def __init__(self, quantizers: Sequence[PointQuantizer]) -> None:
        self._by_key = {(one.layer, one.part, one.bits, one.percent, one.network): one.quantizer for one in quantizers}

    def of(self, bits: Mapping[Point, int], cut: Mapping[str, int], network: int = 0) -> dict[Point, Quantizer]:
        """The quantizer of each kernel, bias and result; `cut`: the percent of zeros of kernels by their layers."""

        def percent(point: Point) -> int:
            return cut.get(point.layer, 0) if _is_kernel(point) else 0

        return {
            point: self._by_key[point.layer, point.part, width, percent(point), network]
            for point, width in bits.items()
        }


def _is_kernel(point: Point) -> bool:
    return point.part is Part.KERNEL


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialContext:
    """The network, the events and the target of all trials of a study.

    `network` is the float network with folded normalizations; `networks`: where filters are scaled, the network of
    each factor, in their order. `codes` (events, ...shape) are the events of each input as integer codes, in the
    smallest type that holds them: first the `validation` ones, then training events.
    `labels` (events,) are their labels. Without labels, `wanted` are the float network's answers of each output,
    (events, ...shape) float64; `classes` is the number of classes with labels.
    """

    network: SourceModel
    quantizers: tuple[PointQuantizer, ...]
    inputs: tuple[InputChoice, ...]
    codes: tuple[NDArray[np.integer[Any]], ...]
    labels: NDArray[np.int64] | None
    wanted: tuple[FloatArray, ...]
    validation: int
    classes: int | None
    space: DesignSpace
    target: Target
    softmax: SoftmaxChoice = SoftmaxChoice.LOGITS
    fold: bool = True
    fifo: FifoChoice = field(default_factory=FifoChoice)
    networks: tuple[SourceModel, ...] = ()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything in it, the same on every machine."""
        arrays: dict[str, NDArray[np.generic]] = {}
        texts = [
            json.dumps(CODEC.encode(part, arrays), sort_keys=True)
            for part in (
                replace(self.network, digest=""),  # what counts is the network, not its file
                self.quantizers,
                self.inputs,
                self.codes,
                self.labels,
                self.wanted,
                self.validation,
                self.classes,
                self.space,
                self.target,
                self.softmax,
                self.fold,
                self.fifo,
                *(replace(one, digest="") for one in self.networks),
            )
        ]
        total = hashlib.sha256("\0".join(texts).encode())
        for name, array in arrays.items():
            total.update(f"\0{name} {array.shape} {array.dtype}\0".encode())
            total.update(np.ascontiguousarray(array).tobytes())
        return total.hexdigest()

    def network_of(self, values: Values) -> SourceModel:
        """The network of a point: its weights are cut, then quantized."""
        cut, place = self.space.pruned(values), self.space.network(values)
        network = self.networks[place] if self.networks else self.network
        return with_quantizers(pruned(network, cut), self.quantizers_of(self.space.widths(values), cut, place))

    def quantizers_of(
        self, bits: Mapping[Point, int], cut: Mapping[str, int] | None = None, network: int = 0
    ) -> dict[Point, Quantizer]:
        """The quantizers of a point's bits; `cut`: the percent of zeros of kernels by their layers."""
        return self._choice.of(bits, cut or {}, network)

    @cached_property
    def _choice(self) -> QuantizerChoice:
        return QuantizerChoice(self.quantizers)


def smallest(codes: NDArray[np.int64]) -> NDArray[np.integer[Any]]:
    """The same integers in the smallest signed type that holds them."""
    low, high = int(codes.min(initial=0)), int(codes.max(initial=0))
    return codes.astype(np.result_type(np.min_scalar_type(min(low, -1)), np.min_scalar_type(-high - 1)))


def all_quantizers(
    network: SourceModel,
    seen: Mapping[str, FloatArray],
    widths: range,
    percents: Sequence[int] = (0,),
    place: int = 0,
) -> tuple[PointQuantizer, ...]:
    """A quantizer for every kernel, bias and result with each number of bits, as `quantize` chooses them.

    Kernels get one for each of `percents` of zeros: zeros are exact with any step, so only the other weights decide.
    `seen` are the float outputs of every layer on some training events, `place` that of the network.
    """
    found: list[PointQuantizer] = []
    places = trainable_points(network)
    for percent in percents:
        chosen = [point for point in places if percent == 0 or _is_kernel(point)]
        cut = pruned(network, {point.layer: percent for point in chosen})
        for bits in widths:
            quantizers = least_error(cut, dict.fromkeys(chosen, bits), seen)
            found += [
                PointQuantizer(
                    layer=point.layer,
                    part=point.part,
                    bits=bits,
                    quantizer=quantizers[point],
                    percent=percent,
                    network=place,
                )
                for point in chosen
            ]
    return tuple(found)
