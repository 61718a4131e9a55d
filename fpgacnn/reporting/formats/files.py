"""Write reports: the suffix decides the format, files are written atomically, and only a report is ever replaced."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fpgacnn.errors import ReportExistsError, ReportFormatError, WriteError
from fpgacnn.jobs.compare_hls4ml.record import Hls4mlComparison
from fpgacnn.jobs.explore.record import ExploreRecord, StudyPoint
from fpgacnn.jobs.fit.run import FitRecord
from fpgacnn.records.compare import Comparison
from fpgacnn.records.record import plain
from fpgacnn.records.report_input import ReportInput
from fpgacnn.reporting.fit_page import fit_page
from fpgacnn.reporting.formats import markdown, spreadsheet
from fpgacnn.reporting.formats.html import html
from fpgacnn.reporting.formats.plots import drawn
from fpgacnn.reporting.hls4ml_page import hls4ml_page, hls4ml_section
from fpgacnn.reporting.page import compose
from fpgacnn.reporting.page.profile import profile_page
from fpgacnn.reporting.page.study import Importances, study_page
from fpgacnn.sim.profiling import Profile
from fpgacnn.system.files.output import write_atomically
from fpgacnn.system.files.regular import ANY_SIZE, IrregularFileError, open_regular

SCHEMA = 1
GENERATOR = "fpgacnn report"
MARK_BYTES = 1024


def document(entries: Sequence[ReportInput]) -> dict[str, Any]:
    """The records by name as one JSON document, with the folder's synthesis reports and estimate."""
    runs = [
        {
            "name": one.name,
            "record": plain(one.record),
            "synthesis": plain(one.synthesis),
            "estimate": plain(one.estimate),
        }
        for one in entries
    ]
    return {"schema": SCHEMA, "generator": GENERATOR, "projects": runs}


def any_document(entries: Sequence[ReportInput | ExploreRecord]) -> dict[str, Any]:
    """A study, which is alone, or the records of projects as one JSON document."""
    first = entries[0]
    if isinstance(first, ExploreRecord):
        return study_document(first)
    return document([one for one in entries if isinstance(one, ReportInput)])


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """The changes between two runs as one JSON document."""
    names = {"left": comparison.left.name, "right": comparison.right.name, "holds": comparison.holds}
    return {
        "schema": SCHEMA,
        "generator": GENERATOR,
        **names,
        "same": comparison.same,
        "changes": plain(comparison.changes),
    }


def write_report(file: Path, entries: Sequence[ReportInput]) -> None:
    """Write the report in the format of the file's suffix.

    Raises ReportFormatError, ReportExistsError, WriteError.
    """
    forms: dict[str, Callable[[], str]] = {
        ".html": lambda: html(compose.report(entries)),
        ".md": lambda: markdown.markdown(compose.report(entries)),
        ".csv": lambda: spreadsheet.spreadsheet(entries),
        ".json": lambda: _json(document(entries)),
    }
    _write(file, forms)


def study_document(record: ExploreRecord) -> dict[str, Any]:
    """A study as one JSON document."""
    return {"schema": SCHEMA, "generator": GENERATOR, "study": json.loads(record.to_json())}


def write_study(file: Path, record: ExploreRecord, importances: Importances, chosen: StudyPoint | None) -> None:
    """Write the page of a study in the format of the file's suffix.

    Raises ReportFormatError, ReportExistsError, WriteError.
    """
    forms: dict[str, Callable[[], str]] = {
        ".html": lambda: html(study_page(record, importances, chosen)),
        ".md": lambda: markdown.markdown(study_page(record, importances, chosen)),
        ".csv": lambda: spreadsheet.study(record),
        ".json": lambda: _json(study_document(record)),
    }
    _write(file, forms)


def write_fit(file: Path, record: FitRecord) -> None:
    """Write the result of `fit` in the format of the file's suffix.

    Raises ReportFormatError, ReportExistsError, WriteError.
    """
    forms: dict[str, Callable[[], str]] = {
        ".html": lambda: html(fit_page(record)),
        ".md": lambda: markdown.markdown(fit_page(record)),
        ".csv": lambda: spreadsheet.targets(record),
        ".json": lambda: _json({"generator": GENERATOR, **plain(record)}),
    }
    _write(file, forms)


def write_comparison(file: Path, comparison: Comparison) -> None:
    """Write a comparison in the format of the file's suffix.

    Raises ReportFormatError, ReportExistsError, WriteError.
    """
    forms: dict[str, Callable[[], str]] = {
        ".html": lambda: html(compose.difference(comparison)),
        ".md": lambda: markdown.markdown(compose.difference(comparison)),
        ".csv": lambda: spreadsheet.changes(comparison),
        ".json": lambda: _json(comparison_document(comparison)),
    }
    _write(file, forms)


def write_hls4ml_comparison(file: Path, comparison: Hls4mlComparison) -> None:
    """Write a comparison with hls4ml in the format of the file's suffix.

    Raises ReportFormatError, ReportExistsError, WriteError.
    """
    forms: dict[str, Callable[[], str]] = {
        ".html": lambda: html(hls4ml_page(comparison)),
        ".md": lambda: markdown.markdown(hls4ml_page(comparison)),
        ".csv": lambda: spreadsheet.both_tools(hls4ml_section(comparison)),
        ".json": lambda: _json({"generator": GENERATOR, **plain(comparison)}),
    }
    _write(file, forms)


def refuse(file: Path) -> None:
    """Check that a report can be written to this file, before any work is done.

    Raises ReportFormatError, ReportExistsError, WriteError.
    """
    if file.suffix.lower() not in {".html", ".md", ".csv", ".json"}:
        raise ReportFormatError(file=file, suffix=file.suffix)
    _refuse_foreign(file)


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _write(file: Path, forms: dict[str, Callable[[], str]]) -> None:
    refuse(file)
    write_atomically(file, forms[file.suffix.lower()]().encode())


PROFILE_SUFFIXES = (".html", ".svg", ".png")


def refuse_profile(file: Path) -> None:
    """Refuse a file that a profile cannot be written to, before anything is computed.

    Raises ReportFormatError, ReportExistsError.
    """
    if file.suffix.lower() not in PROFILE_SUFFIXES:
        raise ReportFormatError(file=file, suffix=file.suffix)
    _refuse_foreign(file)


def write_profile(file: Path, profile: Profile, title: str) -> None:
    """Write a profile as HTML, SVG or PNG by the suffix.

    Raises ReportFormatError, ReportExistsError, WriteError, and MissingExtraError without matplotlib.
    """
    refuse_profile(file)
    kind = file.suffix.lower().removeprefix(".")
    content = html(profile_page(profile, title)).encode() if kind == "html" else drawn(profile, kind, GENERATOR)
    write_atomically(file, content)


def _refuse_foreign(file: Path) -> None:
    """Refuse to replace a file that is not a report; all formats can be recognized by their beginning."""
    try:
        if not file.is_symlink() and not file.exists():
            return
        if not _is_ours(file):
            raise ReportExistsError(file=file)
    except (IrregularFileError, IsADirectoryError) as error:
        raise ReportExistsError(file=file) from error
    except OSError as error:
        raise WriteError(file=file, why=error.strerror or str(error)) from error


def _is_ours(file: Path) -> bool:
    with open_regular(file, limit=ANY_SIZE, links=False) as stream:
        start = stream.read(MARK_BYTES)
    heads = (*(",".join(head) for head in spreadsheet.HEADS), markdown.HEAD)
    marks = (
        f"<dc:title>{GENERATOR}</dc:title>",
        f"Software\0{GENERATOR}",
        f'<meta name="generator" content="{GENERATOR}">',
        f'"generator": "{GENERATOR}"',
    )
    return (
        not start
        or any(start.startswith(head.encode()) for head in heads)
        or any(mark.encode() in start for mark in marks)
    )
