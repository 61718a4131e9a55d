"""The command `explore`: propose points, compute them on workers, record them, until there are enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from fpgacnn.errors import OutputExistsError, StudyError, UsageError, WriteError, naming
from fpgacnn.jobs.explore import folder as study_folder
from fpgacnn.jobs.explore.evaluate import Workbench
from fpgacnn.jobs.explore.folder import StudyFolder, trial_key
from fpgacnn.jobs.explore.measures import PointResult
from fpgacnn.jobs.explore.networks.train import discard_beside
from fpgacnn.jobs.explore.prepare import ExploreRequest, Preparation, prepare
from fpgacnn.jobs.explore.record import ExploreRecord, StudyPoint, StudyProgress, StudySettings, best_numbers
from fpgacnn.jobs.explore.sampler import Proposals
from fpgacnn.jobs.explore.storage import TrialStorage, opened
from fpgacnn.jobs.explore.workers import TrialRunner, runner
from fpgacnn.sim.emulator.native.engine import usable_processors
from fpgacnn.system.progress import Progress, Stopwatch, silent

WatchStudy: TypeAlias = Callable[[StudyProgress], None]

DEFAULT_TRIALS = 1000
MOST_WORKERS = 8
"""Workers on this machine, if the user gives no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How long to search: a number of trials, or seconds; the last generation is completed when the time is over."""

    trials: int | None = DEFAULT_TRIALS
    seconds: float | None = None

    def __post_init__(self) -> None:
        if (self.trials is None) == (self.seconds is None):
            raise UsageError(what="give either a number of trials or a time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where trials are computed: a number of processes here (None: one for each processor), or a scheduler of Dask."""

    workers: int | None = None
    scheduler: str | None = None

    @property
    def count(self) -> int:
        """Processes on this machine."""
        return min(usable_processors(), MOST_WORKERS) if self.workers is None else self.workers


def explore(
    request: ExploreRequest,
    amount: Amount,
    where: Where,
    progress: Progress = silent,
    watch: WatchStudy | None = None,
) -> ExploreRecord:
    """Search a study until it has enough trials; a study that is there already is continued.

    Raises FpgacnnError; what was computed before is kept, and the same command continues.
    """
    stopwatch = Stopwatch(progress=progress)
    study_folder.refuse_other_folder(request.output)
    with naming(request.model), stopwatch.stage("prepare", f"reading {request.model.name} and {request.data}"):
        prepared = prepare(request)
    settings = _begun(request.output, prepared)
    with ExitStack() as stack:
        stack.enter_context(study_folder.locked(request.output))
        storage = stack.enter_context(opened(request.output, settings, request.storage, settings.identity))
        search = _Search(
            files=StudyFolder(folder=request.output),
            settings=settings,
            storage=storage,
            amount=amount,
            watch=watch,
        )
        search.begin()
        if search.wants_more():
            search.refuse_other_results(Workbench(context=prepared.context))
            with stopwatch.stage("workers", "starting workers"):
                trials = stack.enter_context(runner(prepared.context, where.count, where.scheduler))
            search.run(trials)
    return ExploreRecord(
        folder=str(request.output),
        settings=settings,
        points=tuple(search.points),
        levels=search.files.levels(search.points),
        seconds=search.seconds,
        computed=search.computed,
        workers=0 if where.scheduler else where.count,
        notes=settings.notes,
    )


def read_study(folder: Path) -> ExploreRecord:
    """A study as it lies in its folder.

    Raises StudyError.
    """
    settings, files = study_folder.read_settings(folder), StudyFolder(folder=folder)
    points = files.points(settings)
    return ExploreRecord(
        folder=str(folder),
        settings=settings,
        points=points,
        levels=files.levels(points),
        notes=settings.notes,
    )


def _begun(folder: Path, prepared: Preparation) -> StudySettings:
    """The settings of the study in a folder, which is written where it is missing.

    Of two commands that begin the same study at once, one writes it, and the other one reads it.
    """
    if not study_folder.is_study(folder):
        try:
            study_folder.create(folder, prepared.settings, prepared.content())
        except OutputExistsError:
            if not study_folder.is_study(folder):
                raise
        except OSError as error:
            raise WriteError(file=folder, why=error.strerror or str(error)) from error
        else:
            discard_beside(folder, prepared.settings.networks)
            return prepared.settings
    old = study_folder.read_settings(folder)
    study_folder.refuse_difference(folder, old, prepared.settings)
    discard_beside(folder, old.networks)  # those of a command that was killed when it had begun the study
    return old


@dataclass(slots=True, kw_only=True)
class _Search:
    """The points so far, and what is known about others."""

    files: StudyFolder
    settings: StudySettings
    storage: TrialStorage
    amount: Amount
    watch: WatchStudy | None
    points: list[StudyPoint] = field(default_factory=list)
    known: dict[str, PointResult] = field(default_factory=dict)
    proposals: Proposals = field(init=False)
    computed: int = 0
    started: float = field(default_factory=time.monotonic)
    _best: Mapping[str, float] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    @property
    def seconds(self) -> float:
        """Seconds since the search began."""
        return time.monotonic() - self.started

    def begin(self) -> None:
        """Read what is there, complete the storage, and give the sampler all complete generations."""
        self.points = list(self.files.points(self.settings))
        self.files.levels(self.points)  # a damaged one is refused before the search
        self.known = {one.key: one.result for one in self.points} | self.files.pending()
        self._best = best_numbers(self.settings, [one.result for one in self.points])
        self._seen = {one.key for one in self.points}
        self.storage.complete(self.points)
        self.proposals = Proposals(settings=self.settings)
        whole = len(self.points) // self.settings.generation * self.settings.generation
        self.proposals.begin(self.points[:whole])

    def refuse_other_results(self, bench: Workbench) -> None:
        """Raise StudyError if the first point has other numbers here than it had when it was recorded."""
        if self.points and bench.measure(self.points[0].values) != self.points[0].result:
            made = f"version {self.settings.version} of fpgacnn, or another version of a library, made it"
            raise StudyError(folder=self.files.folder, why=f"point 0 gives other numbers here: {made}")

    def wants_more(self) -> bool:
        """Whether the search goes on."""
        if self.amount.trials is not None:
            return len(self.points) < self.amount.trials
        assert self.amount.seconds is not None
        return self.seconds < self.amount.seconds

    def run(self, trials: TrialRunner) -> None:
        """One generation after the other."""
        while self.wants_more():
            self._generation(trials)

    def _generation(self, trials: TrialRunner) -> None:
        size = self.settings.generation
        number = len(self.points) // size
        first, done = number * size, len(self.points) - number * size
        proposed = self.proposals.next()
        self._check(proposed[:done], self.points[first:])
        count = size if self.amount.trials is None else min(size, self.amount.trials - first)
        keys = [trial_key(self.settings.context, values) for values in proposed]
        missing = {key: values for key, values in zip(keys[:count], proposed, strict=False) if key not in self.known}
        for key, result in trials.results(missing):
            self.known[key] = result
            self.files.keep(key, result)
            self.computed += 1
            self._show(first, keys[:count])
        sampled = ["{}"] * count
        if count == size:
            sampled = self.proposals.tell([self.known[key] for key in keys])
        found = [
            StudyPoint(number=first + place, values=proposed[place], key=key, result=self.known[key], sampled=notes)
            for place, (key, notes) in enumerate(zip(keys[:count], sampled, strict=True))
        ]
        self.files.record(number, found)
        self.points[first:] = found
        self.storage.complete(self.points)
        self._show(first, keys[:count])

    def _check(self, proposed: Sequence[dict[str, int]], there: Sequence[StudyPoint]) -> None:
        """Raise StudyError if the points of a generation that was cut short are not those that come again."""
        for one, values in zip(there, proposed, strict=True):
            if dict(one.values) != dict(values):
                why = f"point {one.number} is not what the sampler proposes: another version of Optuna wrote it"
                raise StudyError(folder=self.files.folder, why=why)

    def _show(self, first: int, keys: Sequence[str]) -> None:
        if self.watch is None:
            return
        done = first + sum(key in self.known for key in keys)
        fresh = {key for key in keys if key in self.known} - self._seen
        self._seen |= fresh
        self._best = best_numbers(self.settings, [self.known[key] for key in fresh], self._best)
        left = None if self.amount.seconds is None else max(0.0, self.amount.seconds - self.seconds)
        self.watch(
            StudyProgress(
                done=done,
                wanted=self.amount.trials,
                computed=self.computed,
                seconds=self.seconds,
                seconds_left=left,
                best=self._best,
            )
        )
