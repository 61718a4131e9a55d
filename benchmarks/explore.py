"""How fast `explore` computes points, and what its fronts are worth against uniform widths and `quantize --budget`.

Python benchmarks/explore.py [--what speed,fronts,workers] [--trials N] [digits|mnist5k|km3net ...]

`speed`: points a minute with two workers, and the processor time of a point, from which follows what two processors
that do nothing else compute. `fronts`: post-training widths for quality, EBOPs and LUTs, with a fixed io type, strategy
and reuse factor; quality is chosen on the validation part and shown on the test part too. `workers`: four workers on
this machine give the points of one.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fpgacnn.design import IoType
from fpgacnn.jobs.explore.context import TrialContext, smallest
from fpgacnn.jobs.explore.evaluate import Workbench
from fpgacnn.jobs.explore.measures import Objective, PointResult
from fpgacnn.jobs.explore.points.starts import BASE_BITS
from fpgacnn.jobs.explore.prepare import ExploreRequest, Preparation, prepare
from fpgacnn.jobs.explore.record import ExploreRecord
from fpgacnn.jobs.explore.run import Amount, Where, explore
from fpgacnn.jobs.explore.space import Searched, Values
from fpgacnn.pipeline.inputs import to_codes

MODELS = Path(__file__).parents[1] / "models"
TRIALS = {"digits": 1500, "mnist5k": 300, "km3net": 600}
GOALS = {"digits": 2000, "km3net": 500}
UNIFORM = (4, 6, 8)
BUDGETS = (0.75, 0.5, 0.25)


def request(data: str, folder: Path, name: str, **options: object) -> ExploreRequest:
    """A study of a shipped float network."""
    model = MODELS / data / f"{data}_float.h5"
    return ExploreRequest(model=model, data=data, output=folder / name, **options)  # type: ignore[arg-type]  # options


def processor_seconds() -> float:
    """Processor time of this process and of its children that have ended."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def speed(data: str, folder: Path, trials: int) -> str:
    """Points a minute of the default search: widths, settings and io."""
    wanted = request(data, folder, f"{data}-speed")
    before = processor_seconds()
    prepare(wanted)
    preparing = processor_seconds() - before
    before, begun = processor_seconds(), time.perf_counter()
    record = explore(wanted, Amount(trials=trials), Where(workers=2))
    seconds = record.seconds
    each = (processor_seconds() - before - preparing) / record.computed
    whole = time.perf_counter() - begun
    events, here = record.settings.events["validation"], 60 * record.computed / seconds
    return (
        f"| {data} | {events:,} | {record.computed:,} | {here:,.0f} | {1000 * each:.0f} | {120 / each:,.0f} |"
        f" {GOALS.get(data, '')} | {whole:.0f} |"
    )


SPEED_HEAD = """\
| data | events | points | a minute here | processor ms a point | points a minute, 2 idle processors | goal | all, s |
|---|---:|---:|---:|---:|---:|---:|---:|"""


def on_test(prepared: Preparation) -> Workbench:
    """Measures points on the test part."""
    context: TrialContext = prepared.context
    test = prepared.material.test
    pairs = zip(test.inputs, context.inputs, strict=True)
    codes = tuple(smallest(to_codes(values, choice, None)[0].array) for values, choice in pairs)
    return Workbench(context=replace(context, codes=codes, labels=test.labels, validation=len(test)))


def baselines(prepared: Preparation, bench: Workbench) -> dict[str, tuple[Values, PointResult]]:
    """Uniform widths, and the first points of the budget's path below shares of the EBOPs of uniform 6 bits."""
    space = prepared.context.space
    found = {f"uniform {bits} bits": space.uniform(bits) for bits in UNIFORM}
    results = {name: (values, bench.measure(values)) for name, values in found.items()}
    whole = results[f"uniform {BASE_BITS} bits"][1].ebops
    path = [(values, bench.measure(values)) for values in prepared.settings.starts]
    for share in BUDGETS:
        below = [one for one in path if one[1].ebops <= share * whole and one[0] not in found.values()]
        if below:
            results[f"--budget ebops={share:.0%}"] = max(below, key=lambda one: one[1].ebops)
    return results


def lut(result: PointResult) -> float:
    """LUTs after synthesis by estimate."""
    assert result.resources is not None
    return result.resources.lut.value


def front(data: str, folder: Path, trials: int) -> list[str]:
    """One row for each baseline: itself, and the point of the front with the best score that costs no more."""
    wanted = request(
        data,
        folder,
        f"{data}-front",
        objectives=(Objective.QUALITY, Objective.EBOPS, Objective.LUT),
        searched=(Searched.WIDTHS,),
        io=(IoType.STREAM,),
    )
    prepared = prepare(wanted)
    record = explore(wanted, Amount(trials=trials), Where(workers=2))
    bench, test = Workbench(context=prepared.context), on_test(prepared)
    rows = []
    for name, (values, result) in baselines(prepared, bench).items():
        best = dominating(record, result)
        row = [data, name, *numbers(result, test.measure(values).quality)]
        if best is None:
            rows.append(f"| {' | '.join([*row, 'none', '', '', '', ''])} |")
            continue
        place, point = best
        found = numbers(point, test.measure(record.front[place].values).quality)
        rows.append(f"| {' | '.join([*row, str(record.front[place].number), *found])} |")
    return rows


def dominating(record: ExploreRecord, result: PointResult) -> tuple[int, PointResult] | None:
    """The point of the front with the best score among those that are nowhere behind a result; not by test events."""
    fits = [
        (-one.result.compared_quality, one.result.ebops, place, one.result)
        for place, one in enumerate(record.front)
        if one.result.compared_quality >= result.compared_quality
        and one.result.ebops <= result.ebops
        and lut(one.result) <= lut(result)
    ]
    return min(fits, key=lambda one: one[:3])[2:] if fits else None


def numbers(result: PointResult, on_test_part: float) -> list[str]:
    """The four numbers of a table."""
    return [f"{result.quality:.4f}", f"{on_test_part:.4f}", f"{result.ebops:,}", f"{lut(result):,.0f}"]


FRONT_HEAD = """\
| data | widths | validation | test | EBOPs | LUT | point of the front | validation | test | EBOPs | LUT |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"""


def workers(data: str, folder: Path, trials: int) -> str:
    """Whether four workers give the points of one."""
    found = [
        explore(request(data, folder, f"{data}-{count}"), Amount(trials=trials), Where(workers=count)).points
        for count in (1, 4)
    ]
    same = found[0] == found[1]
    return f"{data}: {trials} points of four workers {'are' if same else 'are NOT'} those of one"


def main(arguments: Sequence[str]) -> int:
    """All that was chosen; exit status 1 if workers differ."""
    parser = argparse.ArgumentParser(description="Measure `explore`.")
    parser.add_argument("data", nargs="*", default=["digits", "km3net"])
    parser.add_argument("--what", default="speed,fronts,workers")
    parser.add_argument("--trials", type=int)
    given = parser.parse_args(arguments)
    what, status = given.what.split(","), 0
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        if "speed" in what:
            print(SPEED_HEAD)
            for data in given.data:
                print(speed(data, folder, given.trials or TRIALS[data] // 3), flush=True)
        if "fronts" in what:
            print(FRONT_HEAD)
            for data in given.data:
                print("\n".join(front(data, folder, given.trials or TRIALS[data])), flush=True)
        if "workers" in what:
            for data in given.data:
                line = workers(data, folder, given.trials or 150)
                status |= "NOT" in line
                print(line, flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
