"""Functions on studies. The modules that a function needs are imported when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fpgacnn.api.arguments import Progress, TargetOptions, checked, event_source, path_of, target

if TYPE_CHECKING:
    from fpgacnn.api.arguments import EventData
    from fpgacnn.jobs.explore.record import ExploreRecord
    from fpgacnn.jobs.explore.run import WatchStudy


@checked
def explore(
    model: str | Path,
    data: EventData,
    output: str | Path,
    *,
    trials: int | None = None,
    seconds: float | None = None,
    objectives: str | None = None,
    max_latency_ns: float | None = None,
    max_interval_ns: float | None = None,
    max_utilization: float = 1.0,
    sure: bool = False,
    bits: str = "2-8",
    search: str = "widths,settings,io",
    io: str | None = None,
    strategy: str | None = None,
    reuse: int | None = None,
    reuse_of: Mapping[str, int] | None = None,
    strategy_of: Mapping[str, str] | None = None,
    part: str | None = None,
    clock_ns: float | None = None,
    backend: str | None = None,
    fifo: str | Path | Mapping[str, int] | None = None,
    softmax: str = "logits",
    fold: bool = True,
    input_type: str | None = None,
    weights: str | Path | None = None,
    test: EventData | None = None,
    seed: int = 1,
    sampler: str | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    storage: str | None = None,
    tune: int = 0,
    epochs: int = 16,
    convert_front: int = 0,
    scale_filters: str | None = None,
    progress: Progress | None = None,
    watch: WatchStudy | None = None,
) -> ExploreRecord:
    """Search widths, strategies, reuse factors and io type of a float network for a Pareto front; needs `explore`.

    `data`: events as a path, an array, a dict of arrays (with `labels` and `groups`), or the name of a data set.
    `output`: the folder of the study; the same call continues a study that is there. `trials` (default 1,000) or
    `seconds` end it. `objectives`: two to four of quality, lut, ff, dsp, bram, util, latency, interval and ebops, with
    commas. `max_utilization` is a share of the part, 0 to 1; `sure` compares the upper ends of the bands.
    `bits`: the smallest and the largest width. `search`: what is searched; a given `io`, `strategy` or `reuse` is not.
    `sampler`: auto, nsga2, tpe or random. `workers`: processes on this machine, 0 for this process alone (default: one
    for each processor). `scheduler`: address or file of a scheduler of Dask. `storage`: sqlite (default), journal, the
    path of a journal, or the URL of a database. `tune`: so many points of the front are trained by successive halving,
    the last one with `epochs` (extra `train`). `convert_front`: so many points of the front are converted, with C
    simulation. `scale_filters`: as 0.5..1.5, also search networks with so many times the filters in each hidden layer,
    which are trained again with `seed` and `epochs` (extra `train`). `watch` gets the progress.
    Raises FpgacnnError. After an interruption, the same call continues the search.
    """
    from fpgacnn.design import BackendName, IoType, Strategy
    from fpgacnn.errors import RtlTargetError, UsageError
    from fpgacnn.hardware.estimation.fifo_choice import FifoChoice, parse_fifo
    from fpgacnn.jobs.explore.measures import parse_objectives
    from fpgacnn.jobs.explore.networks.record import parse_factors
    from fpgacnn.jobs.explore.points.convert_point import convert_front as converted
    from fpgacnn.jobs.explore.prepare import ExploreRequest
    from fpgacnn.jobs.explore.run import DEFAULT_TRIALS, Amount, Where
    from fpgacnn.jobs.explore.run import explore as run
    from fpgacnn.jobs.explore.space import Searched, parse_searched, parse_width_range
    from fpgacnn.jobs.fit.search import FitLimits
    from fpgacnn.passes.quantization import SoftmaxChoice
    from fpgacnn.system.npz import MemoryArrays
    from fpgacnn.system.progress import silent
    from fpgacnn.training.keras.loop import TrainingSettings

    given: TargetOptions = {
        "part": part,
        "clock_ns": clock_ns,
        "io": io,
        "strategy": strategy,
        "reuse": reuse,
        "reuse_of": reuse_of,
        "strategy_of": strategy_of,
        "backend": backend,
    }
    wanted = target(given)
    if Strategy.DA in (wanted.strategy, *wanted.strategy_of.values()):
        raise UsageError(
            what="explore does not search with the strategy da: its adder graphs take too long for a trial"
        )
    if wanted.backend is BackendName.RTL:
        raise RtlTargetError(why="explore searches designs for HLS", do="explore with --backend vitis or vivado")
    fixed = any(one for one in (strategy, reuse, reuse_of, strategy_of))
    searched = tuple(one for one in parse_searched(search) if not (one is Searched.SETTINGS and fixed))
    events = event_source(data)
    request = ExploreRequest(
        model=Path(model),
        data=events if isinstance(events, MemoryArrays) else str(data),
        output=Path(output),
        weights=path_of(weights),
        test=event_source(test),
        input_type=input_type,
        objectives=parse_objectives([objectives] if objectives else []),
        limits=FitLimits(
            latency_ns=max_latency_ns, interval_ns=max_interval_ns, utilization=max_utilization, sure=sure
        ),
        widths=parse_width_range(bits),
        searched=searched,
        io=(IoType(io),) if io else (IoType.STREAM, IoType.PARALLEL) if Searched.IO in searched else (IoType.STREAM,),
        target=wanted,
        softmax=SoftmaxChoice(softmax),
        fold=fold,
        fifo=FifoChoice() if fifo is None else parse_fifo(fifo),
        seed=seed,
        sampler=sampler,
        storage=storage,
        scale_filters=() if scale_filters is None else parse_factors(scale_filters),
        training=TrainingSettings(seed=seed, epochs=epochs),
    )
    amount = Amount(trials=trials or (None if seconds else DEFAULT_TRIALS), seconds=seconds)
    record = run(request, amount, Where(workers=workers, scheduler=scheduler), progress or silent, watch)
    if tune and record.found:
        from fpgacnn.jobs.explore.points.tune_point import tune_front
        from fpgacnn.jobs.quantize.record import QuantizeRequest
        from fpgacnn.passes.widths.widths import Widths

        training = QuantizeRequest(
            model=Path(model),
            data="",
            output=Path(output),
            widths=Widths(bits=2),
            settings=TrainingSettings(seed=seed, epochs=epochs),
        )
        record = tune_front(record, tune, training, progress or silent)
    return converted(record, convert_front, progress or silent) if convert_front else record


def refuse_given(options: Mapping[str, object], *, unlisted_part: bool) -> None:
    """Raise UsageError for options of a conversion that a study decides."""
    defaults: Mapping[str, object] = {"softmax": "logits", "sqnr_db": 40.0, "fold": True}
    found = [name for name, value in options.items() if _is_given(value, defaults.get(name))]
    found += ["unlisted_part"] if unlisted_part else []
    if found:
        from fpgacnn.errors import UsageError

        raise UsageError(what=f"a point of a study decides {', '.join(found)}: they cannot be given with it")


def _is_given(value: object, default: object) -> bool:
    """Whether an option has another value than its default; arrays are not compared, for none is a default."""
    if value is None or (isinstance(value, Mapping) and not value):
        return False
    return default is None or value != default


def refuse_with_point(options: Mapping[str, object]) -> None:
    """Raise UsageError for options, None where they are not given, that a study decides."""
    found = [name for name, value in options.items() if value is not None]
    if found:
        from fpgacnn.errors import UsageError

        raise UsageError(what=f"a point of a study decides {', '.join(found)}: they cannot be given with it")


def refuse_study(model: str | Path) -> None:
    """Raise UsageError for the folder of a study where no point is given."""
    from fpgacnn.jobs.explore.folder import is_study

    if is_study(Path(model)):
        from fpgacnn.errors import UsageError
        from fpgacnn.jobs.explore.run import read_study

        chosen = read_study(Path(model)).chosen
        which = "" if chosen is None else f"; the one nearest to the best of all objectives is {chosen.number}"
        raise UsageError(what=f"{model} is a study: give the number of a point with --point{which}")
