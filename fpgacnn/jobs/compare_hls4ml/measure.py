"""Measure answers against those of the file's framework: layers, outputs, quality."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgacnn.hardware.estimation.graph.graph import FixedType, HardwareGraph, Role
from fpgacnn.ir.source import FloatArray
from fpgacnn.jobs.compare_hls4ml.record import BitRange, LayerDistance, OutputDistance
from fpgacnn.records.quality import qualities
from fpgacnn.sim.hls4ml_default.settings import NodeNames

FAR = 0.1
"""A difference above this part of a layer's span is more than a rounding."""

PRODUCTS = frozenset({Role.DENSE, Role.CONVOLUTION, Role.DEPTHWISE, Role.RECURRENT})
"""Layers that add up products."""


def by_layer_of_file(
    shown: Mapping[str, NDArray[Any]], traced: Mapping[str, NDArray[Any]], graph: NodeNames
) -> dict[str, NDArray[Any]]:
    """hls4ml's results by the layers that Keras shows, or the nodes of a cleaned ONNX graph, in their order.

    hls4ml splits a layer and its activation (`conv`, `conv_relu`), and merges a normalization, a bias or a quantizer
    into the layer before it, whose node then has the result of what was merged.
    """
    own: dict[str, str] = {}
    for node in traced:
        layer = next(
            (one for one in sorted(shown, key=len, reverse=True) if node == one or node.startswith(f"{one}_")), None
        )
        if layer is not None:
            own[layer] = node
    found: dict[str, NDArray[Any]] = {}
    for name, values in shown.items():
        if name in own:
            found[name] = traced[own[name]]
            continue
        parents = graph.parents.get(name, ())
        if len(parents) == 1 and parents[0] in found and name not in graph.nodes and parents[0] in shown:
            merged = found[parents[0]]
            if merged[0].size == values[0].size:
                found[name] = found.pop(parents[0])
    return {name: found[name] for name in shown if name in found}


def layer_distances(wanted: Mapping[str, NDArray[Any]], found: Mapping[str, NDArray[Any]]) -> tuple[LayerDistance, ...]:
    """The distance of every layer that both have, in the order of `wanted`, on the events that `found` has."""
    distances = []
    for name, values in wanted.items():
        if name not in found or not _same_values(values, found[name]):
            continue
        ours = np.asarray(found[name], np.float64).reshape(len(found[name]), -1)
        right = np.asarray(values, np.float64)[: len(ours)].reshape(ours.shape)
        distances.append(LayerDistance(layer=name, largest=largest(ours, right), span=span(right)))
    return tuple(distances)


def _same_values(wanted: NDArray[Any], found: NDArray[Any]) -> bool:
    """Whether both have as many values of each event, and `wanted` has every event that `found` has."""
    return 0 < len(found) <= len(wanted) and wanted[0].size == found[0].size


def largest(ours: FloatArray, keras: FloatArray) -> float:
    """The largest difference: 0 where both are NaN or the same infinity, infinite where only one is a number."""
    same = (ours == keras) | (np.isnan(ours) & np.isnan(keras))
    with np.errstate(invalid="ignore"):  # an infinity minus itself
        difference = np.where(same, 0.0, np.abs(ours - keras))
    return float(np.where(np.isnan(difference), np.inf, difference).max(initial=0.0))


def span(values: FloatArray) -> float:
    """The largest minus the smallest value, or the largest absolute value where all are equal."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0
    return float(finite.max() - finite.min()) or float(np.abs(finite).max())


def first_beyond(distances: Iterable[LayerDistance], share: float) -> LayerDistance | None:
    """The first layer that differs by more than this share of its span."""
    return next((one for one in distances if one.largest > share * max(one.span, 1e-30)), None)


def output_distances(
    names: Sequence[str], wanted: Sequence[NDArray[Any]], found: Sequence[NDArray[Any]]
) -> tuple[OutputDistance, ...]:
    """The distance of every output (events, ...); several values of an event are scores of classes."""
    distances = []
    for name, right, ours in zip(names, wanted, found, strict=True):
        one = np.asarray(ours, np.float64).reshape(len(ours), -1)
        other = np.asarray(right, np.float64).reshape(one.shape)
        classes = right.ndim == 2 and other.shape[1] > 1
        same = int((one.argmax(axis=1) == other.argmax(axis=1)).sum()) if classes else None
        distances.append(OutputDistance(output=name, largest=largest(one, other), span=span(other), same=same))
    return tuple(distances)


def measures_of(answers: NDArray[Any], labels: NDArray[np.int64] | None) -> dict[str, float]:
    """The quality of a first output (events, ...) against labels; nothing without labels."""
    if labels is None:
        return {}
    scores = np.nan_to_num(np.asarray(answers, np.float64).reshape(len(answers), -1))
    return {one.measure: one.hardware for one in qualities(labels[: len(scores)], None, scores, scores)}


def bits_of(types: Iterable[FixedType | None]) -> BitRange | None:
    """The widths of types; None if there are none."""
    widths = [one.width for one in types if one is not None]
    return BitRange(least=min(widths), most=max(widths), mean=sum(widths) / len(widths)) if widths else None


def sums_and_results(graph: HardwareGraph) -> tuple[BitRange | None, BitRange | None]:
    """The bits of accumulators of products, and of results of all layers, in a project's C++."""
    sums = (one.accumulator for one in graph.layers if one.role in PRODUCTS)
    return bits_of(sums), bits_of(one.output for one in graph.layers if one.role is not Role.INPUT)


def softmax(values: FloatArray) -> FloatArray:
    """Softmax in float64 along the last axis, which a host computes of hardware that gives logits."""
    grown = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=-1, keepdims=True))
