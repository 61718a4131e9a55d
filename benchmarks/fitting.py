"""Fitting the few constants of the estimate: LUTs and flip-flops of a piece, what synthesis leaves, and bands.

Every repository weighs the same, however many designs it has, and near-duplicates count once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from dataset import AFTER, Sample
from numpy.typing import NDArray

from fpgacnn.hardware.devices import find_device
from fpgacnn.hardware.estimation.constants import ALL, Band, Constants, io_of
from fpgacnn.hardware.estimation.core import absorbed_ff, priced
from fpgacnn.hardware.estimation.primitives import Primitive
from fpgacnn.hardware.estimation.quantities import Quantities, quantities
from fpgacnn.hardware.estimation.result import Estimate

FloatArray = NDArray[np.float64]
PIECES = tuple(Primitive)
FITTED = ("LUT", "FF")
SMALLEST_TRUTH = 20.0
LAYER_WEIGHT = 1.0
ROUNDS = 12
SWEEPS = 300
COVERAGE = 0.8
ENOUGH, LEAST_REPOSITORIES = 10, 4
WIDENED = 1.0
CYCLES = ("latency", "II")
NOT_OF = {
    "LUT": {
        Primitive.STAGES,
        Primitive.SHARED_STAGES,
        Primitive.SHARED_BITS,
        Primitive.QUEUE_REGISTERS,
        Primitive.COPIES,
        Primitive.ACCUMULATE,
        Primitive.WAITING,
        Primitive.STAGED,
        Primitive.HELD,
        Primitive.HELD_BITS,
        Primitive.POOL_HELD,
        Primitive.POOL_HELD_BITS,
    },
    "FF": {
        Primitive.COMPARE,
        Primitive.COMPARE_BITS,
        Primitive.ROUND,
        Primitive.ROUND_BITS,
        Primitive.CLIP,
        Primitive.CLIP_BITS,
        Primitive.POOL,
        Primitive.POOL_BITS,
        Primitive.ADDERS,
        Primitive.ADD_BITS,
        Primitive.RETURNS,
        Primitive.CONSTANT_MULTIPLY,
        Primitive.MULTIPLY,
        Primitive.SHARED,
        Primitive.SELECTED,
        Primitive.QUEUES,
        Primitive.QUEUE_BITS,
    },
}
"""Registers take no LUTs, and adders and multipliers no flip-flops but the registers behind them."""

EXPECTED = {
    "LUT": {
        Primitive.LAYERS: 50,
        Primitive.ADDERS: 7,
        Primitive.ADD_BITS: 1,
        Primitive.CONSTANT_MULTIPLY: 1.1,
        Primitive.MULTIPLY: 1.1,
        Primitive.RETURNS: 14,
        Primitive.DSP: 5.5,
        Primitive.SELECTED: 28,
        Primitive.FULL_SELECT: 9,
        Primitive.ACCUMULATE_SELECT: 0.375,
        Primitive.PORTS: 19,
        Primitive.QUEUES: 12,
        Primitive.ROUND: 10,
        Primitive.ROUND_BITS: 1,
        Primitive.CLIP: 20,
        Primitive.CLIP_BITS: 1,
        Primitive.FILL: 1.2,
        Primitive.SOFTMAX: 120,
        Primitive.COMPARE: 9,
        Primitive.COMPARE_BITS: 1,
        Primitive.QUEUE_BITS: 1,
    },
    "FF": {
        Primitive.STAGES: 1,
        Primitive.SHARED_STAGES: 0.8,
        Primitive.WAITING: 1,
        Primitive.STAGED: 1.2,
        Primitive.HELD_BITS: 0.4,
        Primitive.SHARED_BITS: 1,
        Primitive.WINDOW_BITS: 1,
        Primitive.COPIES: 2,
        Primitive.ACCUMULATE: 1.2,
        Primitive.QUEUE_REGISTERS: 1,
        Primitive.FILL: 0.8,
        Primitive.SOFTMAX_STAGES: 13,
    },
}
"""What single lines of module reports say a piece costs; the fit moves away from it as far as the designs demand."""

TRUST = 5.0
BETWEEN = (Primitive.QUEUES, Primitive.QUEUE_BITS, Primitive.QUEUE_REGISTERS, Primitive.WAITING)
"""What the report of a layer does not hold, because it stands between layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The parts of a sample; `weight` makes every repository count the same and near-duplicates once."""

    sample: Sample
    amounts: Quantities
    weight: float


def cases(samples: Sequence[Sample]) -> list[Case]:
    """Samples with their weights."""
    group_sizes = Counter((sample.repository, sample.group) for sample in samples)
    groups = Counter(repository for repository, _ in group_sizes)
    return [
        Case(
            sample=sample,
            amounts=quantities(sample.model, find_device(sample.model.part)),
            weight=1.0 / groups[sample.repository] / group_sizes[sample.repository, sample.group],
        )
        for sample in samples
    ]


def answer(case: Case, constants: Constants, *, waits: bool = False) -> Estimate:
    """The estimate of a case, without the simulation of its streams, which no constant changes.

    Without `waits`, it is also without the band of convolutions that wait, which was read from designs of the data set.
    """
    return priced(case.sample.model, case.amounts, None, constants, waits=waits)


def fit(chosen: Sequence[Case]) -> Constants:
    """All constants but the bands."""
    pieces = {quantity: dict(zip(PIECES, _coefficients(chosen, quantity).tolist(), strict=True)) for quantity in FITTED}
    constants = Constants(
        designs=len({(case.sample.repository, case.sample.group) for case in chosen}),
        repositories=len({case.sample.repository for case in chosen}),
        per_unit=pieces,
        after=dict.fromkeys(AFTER, 1.0),
        bands={},
    )
    return replace(constants, after=_left_by_synthesis(chosen, constants))


def _coefficients(chosen: Sequence[Case], quantity: str) -> FloatArray:
    """Amounts of each piece, none negative, that come nearest to the truth of designs and layers in relative terms.

    Errors count by about their size, not its square, and as much above as below the truth: weights are renewed from the
    last fit.
    """
    rows, truth, weights = _equations(chosen, quantity)
    rows *= [piece not in NOT_OF[quantity] for piece in PIECES]
    scale = np.maximum(rows.max(axis=0), 1e-9)
    scaled, current = rows / scale / truth[:, None], weights.copy()
    expected = scale * [EXPECTED[quantity].get(piece, 0.0) for piece in PIECES]
    found = expected
    for _ in range(ROUNDS):
        found = _nonnegative(scaled, current, expected)
        ratio = np.maximum(scaled @ found, 1e-3)
        current = weights / ratio / np.maximum(np.abs(ratio - 1), 0.05) ** 0.5
    return found / scale


def _nonnegative(rows: FloatArray, weights: FloatArray, expected: FloatArray) -> FloatArray:
    """Nonnegative least squares of `rows @ x = 1`, drawn towards what is expected (Lawson and Hanson)."""
    gram = (rows * weights[:, None]).T @ rows
    trust = np.where(expected > 0, TRUST, 1e-3) * np.maximum(np.diag(gram), 1e-12)
    target = (rows * weights[:, None]).sum(axis=0) + trust * expected
    gram += np.diag(trust)
    free, found = expected > 0, expected.copy()
    for _ in range(SWEEPS):
        best = np.zeros(len(target))
        best[free] = np.linalg.solve(gram[np.ix_(free, free)], target[free])
        if (best[free] < 0).any():
            shrinking = free & (best < 0)
            reach = (found[shrinking] / np.maximum(found[shrinking] - best[shrinking], 1e-300)).min()
            found += reach * (best - found)
            free &= found > 1e-12 * (1 + found.max())
            found[~free] = 0.0
            continue
        found = best
        gain = np.where(free, -np.inf, (target - gram @ found) / np.diag(gram))
        if gain.max() <= 1e-9:
            break
        free[gain.argmax()] = True
    return found


def _equations(chosen: Sequence[Case], quantity: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """One row for each design, and for each layer whose own numbers the report has (its FIFOs stand elsewhere)."""
    rows, truth, weights = [], [], []
    for case in chosen:
        whole = case.sample.truth.get(quantity, 0.0)
        if whole:
            rows.append([sum(one.primitives[piece] for one in case.amounts.layers) for piece in PIECES])
            truth.append(whole)
            weights.append(case.weight)
        for one in case.amounts.layers:
            part = case.sample.layers.get(one.layer.name, {}).get(quantity, 0.0)
            if part > SMALLEST_TRUTH:
                rows.append([0 if piece in BETWEEN else one.primitives[piece] for piece in PIECES])
                truth.append(part)
                weights.append(LAYER_WEIGHT * case.weight / max(1, len(case.sample.layers)))
    return np.array(rows, float), np.array(truth), np.array(weights)


def _left_by_synthesis(chosen: Sequence[Case], constants: Constants) -> dict[str, float]:
    """What logic synthesis leaves of csynth's own numbers: the median, repositories weighing the same.

    The errors of the estimate stay out of it, so that they are not made up for by another stage. Flip-flops that the
    DSP slices absorb are taken off first, with the share that the estimate gives them.
    """
    found = {}
    for quantity in AFTER:
        ratios, weights = [], []
        for case in chosen:
            before, left = case.sample.truth.get(quantity), case.sample.after.get(quantity)
            if before and left:
                ratios.append(left / (before * _outside_slices(case, constants, quantity)))
                weights.append(case.weight)
        found[quantity] = weighted_quantile(np.array(ratios), np.array(weights), 0.5) if ratios else 1.0
    return found


def _outside_slices(case: Case, constants: Constants, quantity: str) -> float:
    if quantity != "FF":
        return 1.0
    layers = case.amounts.layers
    return max(0.1, 1 - absorbed_ff(layers, constants) / sum(constants.amount("FF", one.primitives) for one in layers))


def figure(answer: Estimate, quantity: str):  # noqa: ANN201  # Figure, imported where it is used
    """An estimate's number with its band."""
    totals = answer.totals
    resources = answer.after_synthesis if quantity.startswith("after ") else totals.resources
    return {
        "LUT": resources.lut,
        "FF": resources.ff,
        "DSP": resources.dsp,
        "BRAM_18K": resources.bram_18k,
        "URAM": resources.uram,
        "latency": totals.latency_cycles,
        "II": totals.ii_cycles,
    }[quantity.removeprefix("after ")]


def weighted_quantile(values: FloatArray, weights: FloatArray, share: float) -> float:
    """The value below which a share of the weight lies, between neighbours."""
    order = np.argsort(values)
    ranked, heavy = values[order], weights[order]
    middle = (np.cumsum(heavy) - heavy / 2) / heavy.sum()
    return float(np.interp(share, middle, ranked))


def bands(ratios: Mapping[str, Sequence[tuple[str, str, float, float]]]) -> dict[str, dict[str, Band]]:
    """Bands by quantity and group, from (group, repository, truth / estimate, weight) of designs outside the fit.

    In each group every repository weighs the same, and near-duplicates count once. As n repositories say little of the
    next one, shares are widened by 1 / n of their distance from the middle: with that, the bands of `nested` hold
    what they claim. A group needs ten designs of four repositories for a band of its own. Groups are by io type, and
    for cycles by strategy too: errors of a loop are not those of a pipeline.
    """
    found: dict[str, dict[str, Band]] = {}
    for quantity, entries in ratios.items():
        found[quantity] = {}
        group_name = str if quantity in CYCLES else io_of
        for group in (*sorted({group_name(entry[0]) for entry in entries} - {ALL}), ALL):
            own = [entry for entry in entries if group in {group_name(entry[0]), ALL}]
            of_repository = Counter[str]()
            for _, repository, _, weight in own:
                of_repository[repository] += weight
            if group != ALL and (len(own) < ENOUGH or len(of_repository) < LEAST_REPOSITORIES):
                continue
            values = np.array([entry[2] for entry in own])
            weights = np.array([weight / of_repository[repository] for _, repository, _, weight in own])
            reach = min(0.5, COVERAGE / 2 * (1 + WIDENED / len(of_repository)))
            low, high = (weighted_quantile(values, weights, share) for share in (0.5 - reach, 0.5 + reach))
            found[quantity][group] = Band(low=min(1.0, low), high=max(1.0, high))
    return found


def spread(chosen: Sequence[Case], quantity: str) -> float:
    """The natural yardstick: how far csynth's own number is from logic synthesis, median."""
    errors = [
        abs(case.sample.truth[quantity] / case.sample.after[quantity] - 1)
        for case in chosen
        if case.sample.after.get(quantity) and quantity in case.sample.truth
    ]
    return median(errors) if errors else float("nan")
