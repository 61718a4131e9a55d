"""Reports and comparisons of runs, and JSON documents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fpgacnn.api.arguments import checked

if TYPE_CHECKING:
    from fpgacnn.frontends import Refusal
    from fpgacnn.frontends.result import ReadResult
    from fpgacnn.records.compare import Comparison
    from fpgacnn.records.report_input import ReportInput


@checked
def report(*projects: str | Path, output: str | Path | None = None) -> tuple[ReportInput, ...]:
    """The records of project folders, or of files with the output of `--json`; with `output`, write a report.

    The suffix of `output` decides the format: .html, .md, .csv or .json. Only an older report is replaced.
    Raises FpgacnnError.
    """
    from fpgacnn.records.report_input import open_inputs
    from fpgacnn.reporting.formats.files import refuse, write_report

    if output:
        refuse(Path(output))
    inputs = open_inputs([Path(project) for project in projects])
    if output:
        write_report(Path(output), inputs)
    return inputs


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


def inspection_document(reading: ReadResult, refusals: tuple[Refusal, ...]) -> object:
    """The result of `inspect` as a JSON document."""
    from fpgacnn.records.inspection import inspection_document as document

    return document(reading, refusals)


def json_text(value: object) -> str:
    """Any record of the API as JSON; numbers that JSON cannot hold are null."""
    import json

    from fpgacnn.records.record import plain

    return json.dumps(plain(value), indent=1)
