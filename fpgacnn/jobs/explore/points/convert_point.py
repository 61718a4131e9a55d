"""Convert a point of a study to a proven project, and record what C simulation showed of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fpgacnn.design import IoType
from fpgacnn.errors import StudyError, UsageError
from fpgacnn.jobs.explore.folder import DATA, StudyFolder
from fpgacnn.jobs.explore.points.choices import point_choices
from fpgacnn.jobs.explore.prepare import events_of
from fpgacnn.jobs.explore.record import ExploreRecord, Level, LevelResult, StudyPoint, StudySettings
from fpgacnn.jobs.explore.run import read_study
from fpgacnn.pipeline.request import AssignedWidths, Request
from fpgacnn.pipeline.stages import convert
from fpgacnn.records.record import RunRecord
from fpgacnn.system.npz import LABELS, MemoryArrays, arrays_in_memory, read_arrays
from fpgacnn.system.progress import Progress, silent

PROJECTS = "projects"


def convert_point(folder: Path, number: int, request: Request, progress: Progress = silent) -> RunRecord:
    """Convert a point of a study; `request` gives output and checks. Without events, those of the test part are used.

    Raises StudyError for a point that is not there or cannot be built, and the errors of a conversion.
    """
    study = read_study(folder)
    one = built_point(study, number)
    record = convert(point_request(folder, study.settings, one, request), progress)
    if request.csim_events != 0:
        seen = _seen(number, record)  # the level's quality is that of the test part
        StudyFolder(folder=folder).record_level(seen if request.events is None else replace(seen, quality=None))
    return record


def built_point(study: ExploreRecord, number: int) -> StudyPoint:
    """A point that can be built. Raises StudyError."""
    one = study.point(number)
    if one is None:
        why = f"there is no point {number}: it has points 0 to {len(study.points) - 1}"
        raise StudyError(folder=study.folder, why=why)
    if one.result.refused:
        raise StudyError(folder=study.folder, why=f"point {number} cannot be built: {one.result.refused}")
    return one


def convert_front(record: ExploreRecord, most: int, progress: Progress = silent) -> ExploreRecord:
    """Convert points of the front with C simulation, into the study: at most so many, spread, the chosen one too.

    Raises the errors of a conversion. Points that have been converted are not converted again.
    """
    folder = Path(record.folder)
    numbers = [one.number for one in record.front]
    places = np.linspace(0, len(numbers) - 1, min(most, len(numbers))).astype(int).tolist()
    wanted = {numbers[place] for place in places}
    if record.chosen is not None and record.chosen.number not in wanted:
        wanted = {*sorted(wanted)[: most - 1], record.chosen.number}
    for number in sorted(wanted):
        if record.level_of(number) is not Level.SIMULATED:
            convert_point(folder, number, Request(model=folder, output=folder / PROJECTS / f"point-{number}"), progress)
    return replace(record, levels=StudyFolder(folder=folder).levels(record.points))


def point_request(folder: Path, settings: StudySettings, one: StudyPoint, request: Request) -> Request:
    """The request that converts a point."""
    choices = point_choices(folder, settings, one.values)
    target = choices.target
    if request.board is not None and (request.board.part, request.board.clock_ns) != (target.part, target.clock_ns):
        what = f"the study is for {target.part} at {target.clock_ns:g} ns, which is not the board {request.board.name}"
        raise UsageError(what=what)
    return replace(
        request,
        model=choices.model,
        weights=choices.weights,
        events=request.events or test_events(folder),
        input_type=None,
        target=target,
        open_io=False,
        softmax=settings.softmax,
        fold=settings.fold,
        fifo=settings.fifo if target.io is IoType.STREAM else None,
        assigned=AssignedWidths(
            quantizers=choices.quantizers,
            pruned=choices.pruned,
            inputs=choices.inputs,
            origin=f"point {one.number} of {folder}",
        ),
    )


def test_events(folder: Path) -> MemoryArrays:
    """The test part of a study's data."""
    events = events_of(read_arrays(folder / DATA), "test")
    arrays: dict[str, object] = {f"input_{number}": values for number, values in enumerate(events.inputs)}
    if events.labels is not None:
        arrays[LABELS] = events.labels
    return arrays_in_memory(f"test part of {folder}", arrays)


def _seen(number: int, record: RunRecord) -> LevelResult:
    return LevelResult(
        number=number,
        level=Level.SIMULATED,
        quality=record.quality[0].hardware if record.quality else None,
        project="" if record.project is None else record.project.folder,
        holds=record.holds,
    )
