"""How good the estimate is.

Over a data set of synthesized designs, each judged by constants that never saw its repository.

    python benchmarks/estimate.py DATASET            nested leave-one-repository-out: what to expect of a new project
    python benchmarks/estimate.py DATASET --no-fit   the shipped constants on a foreign data set
    python benchmarks/estimate.py DATASET --write    fit on everything and write the constants that are shipped

`--json OUT` writes every number: by quantity and group `median_ape`, `p90_ape`, `designs`, `band_coverage`, and by
design the estimate, its band and the truth. Repositories weigh the same; near-duplicates count once.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median

import numpy as np
from dataset import AFTER, QUANTITIES, read
from fitting import Case, answer, bands, cases, figure, fit, spread, weighted_quantile

import fpgacnn.hardware.estimation
from fpgacnn.hardware.estimation import Estimate, LayerEstimate
from fpgacnn.hardware.estimation.constants import DATA, Constants, serialize, shipped
from fpgacnn.hardware.estimation.core import group_of
from fpgacnn.hardware.estimation.graph.graph import Role

LAYER_QUANTITIES = ("LUT", "FF", "DSP", "BRAM_18K", "latency", "II")
YARDSTICKS = ("LUT", "FF", "DSP", "BRAM_18K")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A design and its estimate with the constants that are tested."""

    case: Case
    answer: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Errors of one quantity in one group of designs.

    The median over designs, and the mean over repositories of each one's median.
    """

    quantity: str
    group: str
    designs: int
    repositories: int
    median_ape: float
    macro_ape: float
    p90_ape: float
    band_coverage: float


def main() -> int:
    """Run the benchmark."""
    asked = _arguments()
    chosen = cases(list(read(asked.dataset)))
    if not chosen:
        sys.stderr.write(f"{asked.dataset}: no design with a report that matches its firmware\n")
        return 2
    if not asked.no_fit and len(_repositories(chosen)) < 2:
        sys.stderr.write(
            f"{asked.dataset}: leaving one repository out needs two of them; --no-fit judges the shipped constants\n"
        )
        return 2
    judged = shipped_constants(chosen) if asked.no_fit else nested(chosen)
    scores = list(score(judged))
    if asked.write:
        held = {one.quantity: one.band_coverage for one in scores if one.group == "all"}
        final = replace(fit(chosen), bands=bands(ratios(leave_one_repository_out(chosen))), held=held)
        (Path(fpgacnn.hardware.estimation.__file__).parent / DATA).write_text(serialize(final), encoding="utf-8")
    show(scores, chosen)
    if asked.json:
        asked.json.write_text(json.dumps(document(judged, scores, chosen), indent=1) + "\n", encoding="utf-8")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="folder with designs/*/meta.json")
    choice = parser.add_mutually_exclusive_group()  # bands are of networks that the constants have not seen
    choice.add_argument("--no-fit", action="store_true", help="judge the shipped constants")
    choice.add_argument("--write", action="store_true", help="write the shipped constants")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all numbers here")
    return parser.parse_args()


def shipped_constants(chosen: Sequence[Case]) -> list[Judged]:
    """Every design by the constants and all bands of the package."""
    return [Judged(case=case, answer=answer(case, shipped(), waits=True)) for case in chosen]


def leave_one_repository_out(chosen: Sequence[Case]) -> list[Judged]:
    """Every design by the constants of the other repositories; the bands are those of the package.

    What the shipped bands are made of.
    """
    return [
        Judged(case=case, answer=answer(case, constants))
        for repository in _repositories(chosen)
        for constants in [fit(_others(chosen, {repository}))]
        for case in chosen
        if case.sample.repository == repository
    ]


def nested(chosen: Sequence[Case]) -> list[Judged]:
    """Every design by constants and bands of the other repositories alone.

    The bands come from errors of the other repositories' designs, each by constants that have seen neither its own
    repository nor the one that is judged.
    """
    fitted: dict[frozenset[str], Constants] = {}

    def without(*repositories: str) -> Constants:
        key = frozenset(repositories)
        if key not in fitted:
            fitted[key] = fit(_others(chosen, set(key)))
        return fitted[key]

    judged = []
    for repository in _repositories(chosen):
        seen = [
            Judged(case=case, answer=answer(case, without(repository, case.sample.repository)))
            for case in _others(chosen, {repository})
        ]
        constants = replace(without(repository), bands=bands(ratios(seen)))
        judged += [
            Judged(case=case, answer=answer(case, constants)) for case in chosen if case.sample.repository == repository
        ]
    return judged


def _repositories(chosen: Sequence[Case]) -> list[str]:
    return sorted({case.sample.repository for case in chosen})


def _others(chosen: Sequence[Case], without: set[str]) -> list[Case]:
    return [case for case in chosen if case.sample.repository not in without]


def ratios(judged: Sequence[Judged]) -> dict[str, list[tuple[str, str, float, float]]]:
    """(group, repository, truth / estimate, weight) by quantity, for bands."""
    found: dict[str, list[tuple[str, str, float, float]]] = {}
    for one in judged:
        sample = one.case.sample
        group = group_of(sample.model)
        for quantity, truth in _truths(one):
            value = figure(one.answer, quantity).value
            if truth > 0 and value > 0:
                found.setdefault(quantity, []).append((group, sample.repository, truth / value, one.case.weight))
        parts = {cost.name: cost for cost in one.answer.layers}
        for name, truths in sample.layers.items():
            for quantity in LAYER_QUANTITIES:
                if name in parts and truths.get(quantity, 0) > 0 and (value := _layer_value(parts[name], quantity)) > 0:
                    found.setdefault(f"layer {quantity}", []).append(
                        ("layer", sample.repository, truths[quantity] / value, one.case.weight)
                    )
    return found


def _layer_value(cost: LayerEstimate, quantity: str) -> float:
    resources = cost.resources
    return {
        "LUT": resources.lut.value,
        "FF": resources.ff.value,
        "DSP": resources.dsp.value,
        "BRAM_18K": resources.bram_18k.value - cost.fifo_bram_18k,
        "latency": cost.latency_cycles.value,
        "II": cost.ii_cycles.value,
    }[quantity]


def _truths(one: Judged) -> Iterator[tuple[str, float]]:
    sample = one.case.sample
    yield from ((quantity, sample.truth[quantity]) for quantity in QUANTITIES if quantity in sample.truth)
    yield from ((f"after {quantity}", sample.after[quantity]) for quantity in AFTER if quantity in sample.after)


def groups(one: Judged) -> tuple[str, ...]:
    """The groups that a design counts in."""
    sample = one.case.sample
    return (
        "all",
        sample.io,
        sample.strategy,
        sample.tool,
        f"{sample.io}/{sample.strategy}",
        *(("known weights",) if sample.known_weights else ()),
    )


def score(judged: Sequence[Judged]) -> Iterator[Score]:
    """Errors by quantity and group.

    Where the truth is nothing there is no relative error, and the design does not count.
    """
    names = [*QUANTITIES, *(f"after {quantity}" for quantity in AFTER)]
    for quantity in names:
        for group in sorted({group for one in judged for group in groups(one)}):
            counted = [(one, dict(_truths(one)).get(quantity, 0.0)) for one in judged if group in groups(one)]
            counted = [(one, truth) for one, truth in counted if truth > 0]
            if not counted:
                continue
            errors = np.array([abs(figure(one.answer, quantity).value / truth - 1) for one, truth in counted])
            weights = np.array([one.case.weight for one, _ in counted])
            inside = np.array([_holds(one, quantity, truth) for one, truth in counted], float)
            yield Score(
                quantity=quantity,
                group=group,
                designs=len({(one.case.sample.repository, one.case.sample.group) for one, _ in counted}),
                repositories=len({one.case.sample.repository for one, _ in counted}),
                median_ape=weighted_quantile(errors, weights, 0.5),
                macro_ape=_macro(
                    [
                        (one.case.sample.repository, float(error))
                        for (one, _), error in zip(counted, errors, strict=True)
                    ]
                ),
                p90_ape=weighted_quantile(errors, weights, 0.9),
                band_coverage=float((inside * weights).sum() / weights.sum()),
            )


def _macro(errors: Sequence[tuple[str, float]]) -> float:
    repositories = {repository for repository, _ in errors}
    return mean(median(error for name, error in errors if name == repository) for repository in repositories)


def _holds(one: Judged, quantity: str, truth: float) -> bool:
    """Whether the truth lies in the band, to the rounding of a whole number."""
    band = figure(one.answer, quantity)
    return round(band.low) <= truth <= round(band.high + 0.5)


def naive(case: Case, quantity: str) -> float | None:
    """What a colleague would say on the phone: products over reuse, pixels times reuse, nothing about weights."""
    model = case.sample.model
    weighted = [layer for layer in model.layers if layer.role in {Role.DENSE, Role.CONVOLUTION, Role.DEPTHWISE}]
    products = sum(layer.products[0] * layer.products[1] / layer.reuse for layer in weighted)
    pixels = [layer.in_shape[0] * layer.in_shape[1] * layer.reuse for layer in weighted]
    match quantity:
        case "DSP":
            return products
        case "II":
            return (
                float(max(pixels, default=1))
                if model.io == "stream"
                else float(max((layer.reuse for layer in weighted), default=1))
            )
        case "latency":
            return (
                float(max(pixels, default=1))
                if model.io == "stream"
                else float(sum(layer.reuse + 4 for layer in weighted))
            )
        case _:
            return None


def naive_errors(chosen: Sequence[Case], quantity: str) -> float | None:
    """Median error of the naive rule."""
    pairs = [(naive(case, quantity), case.sample.truth.get(quantity, 0.0), case.weight) for case in chosen]
    known = [(abs(guess / truth - 1), weight) for guess, truth, weight in pairs if guess is not None and truth > 0]
    return (
        weighted_quantile(np.array([error for error, _ in known]), np.array([weight for _, weight in known]), 0.5)
        if known
        else None
    )


def show(scores: Sequence[Score], chosen: Sequence[Case]) -> None:
    """One row a quantity and group."""
    print(f"{len(chosen)} designs, {len(_repositories(chosen))} repositories; each repository weighs the same")
    print(
        f"{'quantity':16} {'group':20} {'designs':>7} {'repos':>6} {'median':>8} {'macro':>8} {'p90':>8} {'in band':>8}"
    )
    for one in scores:
        shares = f"{one.median_ape:8.1%} {one.macro_ape:8.1%} {one.p90_ape:8.1%} {one.band_coverage:8.0%}"
        print(f"{one.quantity:16} {one.group:20} {one.designs:7} {one.repositories:6} {shares}")
    print(
        "\nyardsticks: median distance of csynth's own number from logic synthesis, and of a rule of thumb from csynth"
    )
    for quantity in YARDSTICKS:
        print(f"{quantity:16} csynth against synthesis {spread(chosen, quantity):8.1%}")
    for quantity in ("DSP", "latency", "II"):
        print(f"{quantity:16} rule of thumb            {naive_errors(chosen, quantity) or 0.0:8.1%}")


def document(judged: Sequence[Judged], scores: Sequence[Score], chosen: Sequence[Case]) -> dict[str, object]:
    """All numbers as JSON."""
    table: dict[str, dict[str, dict[str, float]]] = {}
    for one in scores:
        table.setdefault(one.quantity, {})[one.group] = {
            "median_ape": one.median_ape,
            "macro_ape": one.macro_ape,
            "p90_ape": one.p90_ape,
            "designs": one.designs,
            "repositories": one.repositories,
            "band_coverage": one.band_coverage,
        }
    return {
        "schema": 1,
        "quantities": table,
        "yardsticks": {
            "csynth_to_synthesis_median_ape": {quantity: spread(chosen, quantity) for quantity in YARDSTICKS},
            "rule_of_thumb_median_ape": {
                quantity: naive_errors(chosen, quantity) for quantity in ("DSP", "latency", "II")
            },
        },
        "designs": [_design(one) for one in judged],
    }


def _design(one: Judged) -> dict[str, object]:
    sample = one.case.sample
    quantities = {}
    for quantity, truth in _truths(one):
        band = figure(one.answer, quantity)
        quantities[quantity] = {"estimate": band.value, "low": band.low, "high": band.high, "truth": truth}
    return {
        "id": sample.name,
        "repository": sample.repository,
        "near_duplicate_group": sample.group,
        "tool": sample.tool,
        "io": sample.io,
        "strategy": sample.strategy,
        "quantities": quantities,
    }


if __name__ == "__main__":
    sys.exit(main())
