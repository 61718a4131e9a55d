"""Tool, version, part, clock and directives of project folders, in the forms of several versions of hls4ml."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgacnn.design import BackendName
from fpgacnn.hardware.estimation.graph.folder_settings import FolderSettings, settings
from fpgacnn.hardware.estimation.graph.template_digests import changed_headers, digest_of, known_digests

OLD_VITIS_SCRIPT = 'set part "xc7z020clg400-1"\nset clock_period 8\nset clock_uncertainty 12.5%\nset backend "vivado"\n'
MODULE = "== {tool} HLS Report for 'top'\n* Date:   Mon\n\n* Version:        {version} (Build 1 on Mon)\n"
XML = "<profile>\n<ReportVersion>\n<Version>{version}</Version>\n</ReportVersion>\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the script that hls4ml 0.7 to 1.0 wrote for both tools."""
    (tmp_path / "project.tcl").write_text(OLD_VITIS_SCRIPT)
    return tmp_path


def report(folder: Path, content: str, name: str = "top_csynth.rpt") -> None:
    """A report in its usual place."""
    place = folder / "top_prj" / "solution1" / "syn" / "report"
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_text(content)


def test_the_configuration_names_the_tool_before_reports_and_scripts(folder: Path) -> None:
    report(folder, MODULE.format(tool="Vivado", version="2019.2"))
    (folder / "hls4ml_config.yml").write_text("Backend: Vitis\n")
    assert (settings(folder).backend, settings(folder).version) == (BackendName.VITIS, "2019.2")


@pytest.mark.parametrize(
    ("content", "name", "tool", "version"),
    [
        (MODULE.format(tool="Vitis", version="2023.1"), "top_csynth.rpt", BackendName.VITIS, "2023.1"),
        (MODULE.format(tool="Vivado", version="2020.1"), "top_csynth.rpt", BackendName.VIVADO, "2020.1"),
        (MODULE.format(tool="Vitis", version="2020.1"), "top_csynth.rpt", BackendName.VITIS, "2020.1"),
        (XML.format(version="2020.2"), "csynth.xml", BackendName.VITIS, "2020.2"),
        (XML.format(version="2020.1.1"), "csynth.xml", BackendName.VIVADO, "2020.1"),
    ],
)
def test_a_report_names_the_tool_before_scripts(
    folder: Path, content: str, name: str, tool: BackendName, version: str
) -> None:
    report(folder, content, name)
    assert (settings(folder).backend, settings(folder).version) == (tool, version)


@pytest.mark.parametrize(
    ("backend", "tool"),
    [
        ("Vitis", BackendName.VITIS),
        ("VitisAccelerator", BackendName.VITIS),
        ("'VitisUnified'", BackendName.VITIS),
        ("Vivado", BackendName.VIVADO),
        ("VivadoAccelerator", BackendName.VIVADO),
        ("Pynq", BackendName.VIVADO),
    ],
)
def test_every_backend_is_one_of_two_tools(tmp_path: Path, backend: str, tool: BackendName) -> None:
    (tmp_path / "hls4ml_config.yml").write_text(f"Backend: {backend}\n")
    assert settings(tmp_path).backend is tool


def test_a_script_names_the_tool_where_nothing_else_does(folder: Path) -> None:
    assert settings(folder).backend is BackendName.VIVADO
    report(folder, "no report", "top_csynth.rpt")
    assert (settings(folder).backend, settings(folder).version) == (BackendName.VIVADO, "")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("set clock_uncertainty 27%", 2.16),
        ("set clock_uncertainty 0.5", 0.5),
        ("set_clock_uncertainty 12.5% default", 1.0),
        ("set clock_uncertainty 200%", None),
        ("set clock_uncertainty $other", None),
        ("", None),
    ],
)
def test_the_clock_uncertainty_is_a_share_or_a_time(tmp_path: Path, line: str, expected: float | None) -> None:
    (tmp_path / "project.tcl").write_text(f"set clock_period 8\n{line}\n")
    found = settings(tmp_path).uncertainty_ns
    assert found == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("script", "header", "expected"),
    [
        ("config_op mul -impl dsp\n", "", "dsp"),
        ("  config_op mul -latency 2 -impl fabric\n", "", "fabric"),
        ("config_op -impl dsp mul\n", "", "dsp"),
        ("# config_op mul -impl dsp\n", "", ""),
        ("config_op add -impl fabric\n", "", ""),
        ("", "    #pragma HLS BIND_OP variable=p op=mul impl=fabric latency=1\n", "fabric"),
        ("", "    #pragma HLS bind_op variable=p impl=DSP op=mul\n", "dsp"),
        ("", "    #pragma HLS BIND_OP variable=p op=add impl=dsp\n", ""),
        ("", "    #pragma HLS RESOURCE variable=p core=Mul_LUT\n", "fabric"),
        ("", "    // #pragma HLS RESOURCE variable=p core=Mul_LUT\n", ""),
        ("", "    #pragma HLS RESOURCE variable=w core=ROM_1P\n", ""),
    ],
)
def test_directives_for_multipliers_are_read(tmp_path: Path, script: str, header: str, expected: str) -> None:
    headers = tmp_path / "firmware" / "nnet_utils"
    headers.mkdir(parents=True)
    (headers / "nnet_mult.h").write_text(header)
    (tmp_path / "build_prj.tcl").write_text(script)
    assert settings(tmp_path).multipliers == expected


def test_an_empty_folder_has_no_settings(tmp_path: Path) -> None:
    assert settings(tmp_path) == FolderSettings()


def test_a_header_that_no_release_has_is_named_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = "int a;\nint b;\n"
    monkeypatch.setattr(
        "fpgacnn.hardware.estimation.graph.template_digests.known_digests",
        lambda: {name: [digest_of(original)] for name in ("nnet_a.h", "nnet_b.h", "nnet_code_gen.h")},
    )
    (tmp_path / "nnet_a.h").write_bytes(b"int a;  \r\nint b;\r\n")
    (tmp_path / "nnet_b.h").write_text(original.replace("b", "c"))
    (tmp_path / "nnet_code_gen.h").write_text("generated")
    (tmp_path / "own.h").write_text("of the user")
    assert changed_headers(tmp_path) == ("nnet_b.h",)
    assert changed_headers(tmp_path / "missing") == ()


def test_the_headers_of_the_installed_release_are_known() -> None:
    hls4ml = pytest.importorskip("hls4ml")
    templates = Path(hls4ml.__file__).parent / "templates"
    found = [path for tool in ("vivado", "vitis") for path in sorted((templates / tool / "nnet_utils").glob("*.h"))]
    assert len(found) > 40
    assert all(digest_of(path.read_text(encoding="utf-8")) in known_digests()[path.name] for path in found)
