"""Reports and comparisons of runs, and JSON documents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fpgacnn.api.arguments import Progress, checked, path_of, planning_request, target
from fpgacnn.api.ranges import COMPARED_EVENTS

if TYPE_CHECKING:
    from fpgacnn.api.arguments import EventData, ModelOptions
    from fpgacnn.frontends import Refusal
    from fpgacnn.frontends.result import ReadResult
    from fpgacnn.jobs.compare_hls4ml.record import Hls4mlComparison
    from fpgacnn.jobs.explore.record import ExploreRecord
    from fpgacnn.records.compare import Comparison
    from fpgacnn.records.report_input import ReportInput


@checked
def report(
    *projects: str | Path, output: str | Path | None = None, point: int | None = None
) -> tuple[ReportInput | ExploreRecord, ...]:
    """The records of project folders, or of files with the output of `--json`; with `output`, write a report.

    A study of `explore` is reported alone; `point` is the one that its page shows beside the start.
    The suffix of `output` decides the format: .html, .md, .csv or .json. Only an older report is replaced.
    Raises FpgacnnError.
    """
    from fpgacnn.jobs.explore.folder import is_study
    from fpgacnn.records.report_input import open_inputs
    from fpgacnn.reporting.formats.files import refuse, write_report

    if output:
        refuse(Path(output))
    if point is not None or any(is_study(Path(project)) for project in projects):
        return (_study_report([Path(project) for project in projects], path_of(output), point),)
    inputs = open_inputs([Path(project) for project in projects])
    if output:
        write_report(Path(output), inputs)
    return inputs


def _study_report(studies: list[Path], output: Path | None, point: int | None) -> ExploreRecord:
    """The record of a study, written as a page if there is an output."""
    from fpgacnn.errors import MissingExtraError, StudyError, UsageError
    from fpgacnn.jobs.explore.run import read_study
    from fpgacnn.jobs.explore.sampler import importances_of
    from fpgacnn.reporting.formats.files import write_study

    if len(studies) != 1:
        raise UsageError(what="a study is reported alone: give one folder")
    record = read_study(studies[0])
    chosen = None if point is None else record.point(point)
    if point is not None and (chosen is None or chosen.result.refused):
        why = f"there is no point {point}" if chosen is None else f"point {point} cannot be built"
        raise StudyError(folder=studies[0], why=why)
    if output is not None:
        try:
            importances = importances_of(record.settings, record.points)
        except MissingExtraError:
            importances = {}
        write_study(output, record, importances, chosen)
    return record


@checked
def compare(left: str | Path, right: str | Path, *, output: str | Path | None = None) -> Comparison:
    """Compare two runs; with `output`, write the comparison as a report.

    Raises FpgacnnError.
    """
    from fpgacnn.records.compare import compare as changes
    from fpgacnn.records.report_input import open_inputs
    from fpgacnn.reporting.formats.files import refuse, write_comparison

    if output:
        refuse(Path(output))
    comparison = changes(*open_inputs([Path(left), Path(right)]))
    if output:
        write_comparison(Path(output), comparison)
    return comparison


@checked
def compare_hls4ml(
    model: str | Path,
    input: EventData,  # noqa: A002  # the command line says --input
    *,
    output: str | Path | None = None,
    events: int = COMPARED_EVENTS,
    input_type: str | None = None,
    bits: str | None = None,
    calibrate: EventData | None = None,
    sqnr_db: float = 40.0,
    weights: str | Path | None = None,
    part: str | None = None,
    clock_ns: float | None = None,
    io: str | None = None,
    backend: str | None = None,
    timeout_s: float = 900.0,
    progress: Progress | None = None,
) -> Hls4mlComparison:
    """Run hls4ml's documented default recipe and fpgacnn on the same file, and compare both with the file's framework.

    `input`: events, as for `convert`; at most `events` of them are used. A float network gets its widths from them,
    unless `bits` or `calibrate` is given. With `output`, write the comparison as a report. A file of Keras needs the
    extra `train`, a file of ONNX needs qonnx and onnxruntime.
    Raises FpgacnnError.
    """
    from fpgacnn.design.design import DEFAULT_IO
    from fpgacnn.jobs.compare_hls4ml.run import compare_hls4ml as run
    from fpgacnn.reporting.formats.files import refuse, write_hls4ml_comparison
    from fpgacnn.system.progress import silent

    if output:
        refuse(Path(output))
    options: ModelOptions = {
        "input_type": input_type,
        "bits": bits,
        "calibrate": calibrate,
        "sqnr_db": sqnr_db,
        "weights": weights,
        "part": part,
        "clock_ns": clock_ns,
        "io": io or DEFAULT_IO.value,
        "backend": backend,
    }
    request = replace(
        planning_request(model, input, options), target=target(options), open_io=io is None, seconds=timeout_s
    )
    record = run(request, most_events=events, progress=progress or silent)
    if output:
        write_hls4ml_comparison(Path(output), record)
    return record


def inspection_document(reading: ReadResult, refusals: tuple[Refusal, ...]) -> object:
    """The result of `inspect` as a JSON document."""
    from fpgacnn.records.inspection import inspection_document as document

    return document(reading, refusals)


def json_text(value: object) -> str:
    """Any record of the API as JSON; numbers that JSON cannot hold are null."""
    import json

    from fpgacnn.records.record import plain

    return json.dumps(plain(value), indent=1)
