"""Reports of fpgacnn, and the records that they show."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError, way


class ReportFormatError(FpgacnnError):
    """The suffix of the report's file decides its format, and there is no format for this suffix."""

    code = "FC190"
    message = "{file}: there is no report format for '{suffix}'"
    cure = "end the file's name in .html, .md, .csv or .json; of a profile in .html, .svg or .png"
    ways = (
        way(
            "fpgacnn report hls_projects/model -o report.pdf",
            "there is no such format",
            file="report.pdf",
            suffix=".pdf",
        ),
    )


class ReportExistsError(FpgacnnError):
    """The report's file exists and is not a report of fpgacnn; it stays as it is."""

    code = "FC191"
    message = "{file} exists and is not a report of fpgacnn"
    cure = "choose another name with -o, or remove the file"
    ways = (
        way("fpgacnn report hls_projects/model -o index.html", "a page of the user has this name", file="index.html"),
    )


class RecordError(FpgacnnError):
    """The record of a run is damaged, was changed by hand, or belongs to another version of fpgacnn."""

    code = "FC192"
    message = "{file}: {why}"
    cure = "write it again: fpgacnn convert MODEL"
    ways = (
        way("fpgacnn report run.json", "the file is other JSON", file="run.json", why="not the record of a run"),
        way("fpgacnn report run.json", "the file is cut short", file="run.json", why="damaged: not JSON"),
        way(
            "fpgacnn report run.json",
            "a later version of fpgacnn wrote it",
            file="run.json",
            why="schema 9 belongs to another version of fpgacnn; this version reads 1",
        ),
    )


class NothingToReportError(FpgacnnError):
    """The folder holds neither the record of a run nor a report of a synthesis tool."""

    code = "FC193"
    message = "{folder} holds no record of fpgacnn and no report of Vivado or Vitis HLS"
    cure = "give the folder of a project; `fpgacnn convert MODEL` writes one"
    ways = (way("fpgacnn report results", "the folder is above the project", folder="results"),)
