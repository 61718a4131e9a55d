# a script, not a package
"""How near `fpgacnn fit` comes to the best target there is: python benchmarks/search.py.

The peer is a look at every target of the shipped digits network, both ways of moving data, every strategy and legal
reuse factor of every layer, in the same run. Prints, over pairs of limits, how often the search finds the best one, how
many targets it looks at for that, and the ratio of the times.
"""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import product
from pathlib import Path

from fpgacnn import frontends
from fpgacnn.design import Design, IoType, Strategy, Target
from fpgacnn.hardware.estimation import Estimate, estimate
from fpgacnn.hardware.estimation.graph.from_design import Summaries, hardware_graph
from fpgacnn.jobs.fit.design_space import parameters
from fpgacnn.jobs.fit.search import FitLimits, order, search, trial
from fpgacnn.pipeline.request import Request
from fpgacnn.pipeline.stages import plan_network

MODEL = Path(__file__).parents[1] / "models" / "digits" / "digits.h5"
LATENCIES_NS = (None, 500.0, 1000.0, 2000.0, 5000.0, 20000.0)
SHARES = (0.05, 0.12, 0.2, 0.5, 0.9)


def every(design: Design) -> list[Target]:
    """All targets."""
    adjustable, found = parameters(design), []
    for io in IoType:
        for settings in product(
            *(product((Strategy.LATENCY, Strategy.RESOURCE), parameter.factors) for parameter in adjustable)
        ):
            pairs = list(zip(adjustable, settings, strict=True))
            reuse_of = {parameter.layer: reuse for parameter, (_, reuse) in pairs}
            found.append(
                replace(
                    design.target,
                    io=io,
                    reuse_of=reuse_of,
                    strategy_of={parameter.layer: strategy for parameter, (strategy, _) in pairs},
                )
            )
    return found


def main() -> None:
    """Search and look at everything, for every pair of limits."""
    design = plan_network(frontends.load(MODEL), Request(model=MODEL, input_type="ufixed<5,1>"), None).design
    design = replace(design, target=Target(part="xc7z020clg400-1"))
    counted: Summaries = {}

    def costs(target: Target) -> Estimate:
        return estimate(hardware_graph(replace(design, target=target), counted))

    begun = time.perf_counter()
    answers = [(target, costs(target)) for target in every(design)]
    all_seconds = time.perf_counter() - begun
    pairs = [FitLimits(latency_ns=latency, utilization=share) for latency, share in product(LATENCIES_NS, SHARES)]
    best = looked = 0
    begun = time.perf_counter()
    results = [search(parameters(design), design.target, tuple(IoType), limits, costs) for limits in pairs]
    seconds = (time.perf_counter() - begun) / len(pairs)
    for limits, result in zip(pairs, results, strict=True):
        ideal = min((trial(target, answer, limits) for target, answer in answers), key=lambda one: order(one, limits))
        best += order(result.best, limits) == order(ideal, limits)
        looked += result.trials
    print(
        f"best of {len(answers):,} targets found for {best} of {len(pairs)} pairs of limits, by a look at"
        f" {looked // len(pairs):,} on average"
    )
    print(f"one search {seconds:.2f} s, all targets {all_seconds:.2f} s: {all_seconds / seconds:.1f} times sooner")


if __name__ == "__main__":
    main()
