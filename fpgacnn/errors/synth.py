"""Synthesis tools and their reports."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError


class ReportBrokenError(FpgacnnError):
    """A report is half-written or damaged: a section is missing, a table is cut off, or a number cannot be read."""

    code = "FC100"
    message = "{file}: section '{section}': {why}"
    cure = "run the synthesis again; reports of a run that was ended are incomplete"


class ReportRefusedError(FpgacnnError):
    """A report is larger than any that the tools write, or an XML file that defines entities; it is refused."""

    code = "FC101"
    message = "{file}: {why}"
    cure = "leave this file out: no tool of the vendor writes such a report"


class ReportForeignError(FpgacnnError):
    """A file is no report of Vivado or Vitis HLS: a pointer of Git LFS, a web page, a report of another tool."""

    code = "FC102"
    message = "{file} is {seen}, not a report of Vivado, Vivado HLS or Vitis HLS"
    cure = "put the tool's own file there (`git lfs pull` fetches what a pointer stands for), or leave this one out"


class NoReportsError(FpgacnnError):
    """The folder holds no report that can be read."""

    code = "FC103"
    message = "{folder}: no reports of Vivado or Vitis HLS"
    cure = "run `fpgacnn synth {folder}` where Vitis or Vivado HLS is installed"


class SynthesisToolMissingError(FpgacnnError):
    """`fpgacnn synth` found neither Vitis HLS nor Vivado HLS: they are not on PATH, or another name was given."""

    code = "FC110"
    exit_status = 3
    message = "no synthesis tool: {looked} not found"
    cure = (
        "source the tool's settings64.sh, or name the tool with --tool or FPGACNN_HLS; "
        "`--read-only` reads reports that exist"
    )


class SynthesisFailedError(FpgacnnError):
    """The synthesis tool ended with an error."""

    code = "FC111"
    exit_status = 3
    message = "{tool} ended with {how}: {why}"
    cure = "the whole log: {log}"


class SynthesisLeftNothingError(FpgacnnError):
    """The synthesis tool ended without an error, but wrote no report of this run that can be read."""

    code = "FC112"
    exit_status = 3
    message = "{tool} wrote no complete report: {why}"
    cure = "the whole log: {log}"


class NotSynthesizableError(FpgacnnError):
    """`fpgacnn synth` was run on a folder without hls4ml's build script."""

    code = "FC113"
    message = "{folder} is not an HLS project: {file} is missing"
    cure = "write one: fpgacnn convert MODEL -o {folder}"
