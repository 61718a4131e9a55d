"""Reports that are written, and records that they are made of."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError


class ReportFormatError(FpgacnnError):
    """A report is written in the form that the file's suffix names, and this suffix names none."""

    code = "FC190"
    message = "{file}: no report is written as '{suffix}'"
    cure = "end the file's name in .html, .md, .csv or .json"


class ReportExistsError(FpgacnnError):
    """The file exists and is no report that fpgacnn wrote; it is not touched."""

    code = "FC191"
    message = "{file} exists and is no report of fpgacnn"
    cure = "choose another name with -o, or remove it"


class RecordError(FpgacnnError):
    """The record of a run is damaged, was changed by hand, or belongs to another version of fpgacnn."""

    code = "FC192"
    message = "{file}: {why}"
    cure = "make it again: fpgacnn convert MODEL"


class NothingToReportError(FpgacnnError):
    """The folder holds nothing that a report could show."""

    code = "FC193"
    message = "{folder} holds no record of fpgacnn and no report of Vivado or Vitis HLS"
    cure = "give the folder of a project; `fpgacnn convert MODEL` makes one"
