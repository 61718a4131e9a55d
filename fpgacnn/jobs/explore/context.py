"""All that a trial depends on besides its point, as one value: it travels to each worker once, and has a digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Target
from fpgacnn.design.serialize import CODEC
from fpgacnn.hardware.estimation.fifo_choice import FifoChoice
from fpgacnn.ir.source import FloatArray, Quantizer, SourceModel
from fpgacnn.jobs.explore.space import DesignSpace
from fpgacnn.passes.quantization import SoftmaxChoice
from fpgacnn.passes.widths.trainable import least_error, trainable_points
from fpgacnn.passes.widths.widths import Part, Point
from fpgacnn.pipeline.inputs import InputChoice


@dataclass(frozen=True, slots=True, kw_only=True)
class PointQuantizer:
    """The quantizer of a kernel, bias or result with so many bits."""

    layer: str
    part: Part
    bits: int
    quantizer: Quantizer


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialContext:
    """The network, the events and the target of all trials of a study.

    `network` is the float network with folded normalizations. `codes` (events, ...shape) are the events of each input
    as integer codes, in the smallest type that holds them: first the `validation` ones, then training events.
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
            )
        ]
        total = hashlib.sha256("\0".join(texts).encode())
        for name, array in arrays.items():
            total.update(f"\0{name} {array.shape} {array.dtype}\0".encode())
            total.update(np.ascontiguousarray(array).tobytes())
        return total.hexdigest()

    def quantizers_of(self, bits: Mapping[Point, int]) -> dict[Point, Quantizer]:
        """The quantizers of a point's bits."""
        by_key = self._by_key
        return {point: by_key[point.layer, point.part, width] for point, width in bits.items()}

    @cached_property
    def _by_key(self) -> Mapping[tuple[str, Part, int], Quantizer]:
        return {(one.layer, one.part, one.bits): one.quantizer for one in self.quantizers}


def smallest(codes: NDArray[np.int64]) -> NDArray[np.integer[Any]]:
    """The same integers in the smallest signed type that holds them."""
    low, high = int(codes.min(initial=0)), int(codes.max(initial=0))
    return codes.astype(np.result_type(np.min_scalar_type(min(low, -1)), np.min_scalar_type(-high - 1)))


def all_quantizers(
    network: SourceModel, seen: Mapping[str, FloatArray], widths: Mapping[Point, range]
) -> tuple[PointQuantizer, ...]:
    """A quantizer for every kernel, bias and result with each number of bits, as `quantize` chooses them.

    `seen` are the float outputs of every layer on some training events.
    """
    found: list[PointQuantizer] = []
    for point in trainable_points(network):
        for bits in widths[point]:
            quantizer = least_error(network, {point: bits}, seen)[point]
            found.append(PointQuantizer(layer=point.layer, part=point.part, bits=bits, quantizer=quantizer))
    return tuple(found)
