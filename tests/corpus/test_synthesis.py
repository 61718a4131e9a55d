"""Real reports of other people's designs, kept outside of the project.

All are read, and every None has its reason in the file.

FPGACNN_SYNTHESIS names a folder with `parser_corpus/index.json` and `designs/<id>/` holding `reports/` and `meta.json`.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from fpgacnn.errors import NoReportsError
from fpgacnn.hardware.synthesis import SynthesisReport, read
from fpgacnn.hardware.synthesis.figures import Resources
from fpgacnn.hardware.synthesis.find import kind_of
from fpgacnn.hardware.synthesis.read import READERS
from fpgacnn.hardware.synthesis.report import (
    Cosim,
    DesignSize,
    Export,
    ModuleReport,
    Summary,
    SummaryRow,
    TimingReport,
    Utilization,
)

FOLDER = Path(os.environ.get("FPGACNN_SYNTHESIS", "/nowhere"))
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="FPGACNN_SYNTHESIS names no folder")

UNKNOWN_MARKS = ("?", "undef")


def corpus() -> list[str]:
    index = FOLDER / "parser_corpus" / "index.json"
    return [one["file"] for one in json.loads(index.read_text())] if index.is_file() else []


def designs() -> list[Path]:
    return sorted(path.parent for path in FOLDER.glob("designs/*/meta.json") if (path.parent / "reports").is_dir())


def nones(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every None inside a value: where it is, and the value that holds it."""
    if is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            inside = getattr(value, one.name)
            if inside is None:
                yield f"{path}.{one.name}", value
            yield from nones(inside, f"{path}.{one.name}")
    elif isinstance(value, tuple):
        for place, inside in enumerate(value):
            yield from nones(inside, f"{path}[{place}]")
    elif isinstance(value, dict):
        for name, inside in value.items():
            yield from nones(inside, f"{path}[{name}]")


def explained(path: str, holder: Any, text: str, top: Any) -> bool:
    """Whether the file itself says why a number is missing."""
    name = path.rpartition(".")[2]
    xml = text.lstrip().startswith("<")
    if isinstance(holder, Resources):
        by_dash = (
            ".by_kind[" in path
            or ".fifos[" in path
            or ".memories[" in path
            or ".rows[" in path
            or ".instances[" in path
        )
        other_count = name == ("bram_18k" if isinstance(top, Utilization) else "bram_tiles")
        no_uram = name == "uram" and ("URAM" not in text or (".instances[" in path and "LUT | URAM" not in text))
        return other_count or no_uram or (by_dash and "-|" in text.replace(" ", ""))
    match name:
        case "least" | "most":
            return (
                any(mark in text for mark in UNKNOWN_MARKS)
                or (".loops[" in path and "-|" in text.replace(" ", ""))
                or isinstance(top, Cosim)
            )
        case "latency_ns":
            return (
                (isinstance(top, ModuleReport) and top.version < "2019.2")
                or ".instances[" in path
                or isinstance(holder, SummaryRow)
            )
        case "layer" | "why":
            return ".instances[" in path or ".fifos[" in path
        case "available_per_slr":
            return "Available SLR" not in text
        case "fifos" | "memories" | "dsp_blocks" | "interface":
            return xml or "hls4ml report" in text or text.startswith("Found ")
        case "instances" | "date" | "project" | "solution" | "family":
            return xml
        case "latency_cycles" | "interval_cycles" | "pipeline" | "resources" if ".instances[" in path:
            return True
        case "interval_cycles" | "target_interval_cycles" | "pipelined" if ".loops[" in path:
            return xml or "-|" in text.replace(" ", "")
    if isinstance(holder, SummaryRow):
        return True
    if isinstance(top, Cosim):
        return "NA" in text
    if isinstance(top, Export):
        return xml or (name == "achieved_impl_ns" and "post-impl" not in text)
    return False


@pytest.mark.parametrize("name", corpus())
def test_a_file_of_the_corpus_is_read_without_an_unexplained_none(name: str) -> None:
    text = (FOLDER / "parser_corpus" / name).read_text(encoding="utf-8", errors="replace")
    kind = kind_of(text[: 64 << 10], name.rpartition("/")[2].rpartition("__")[2])
    assert kind is not None
    read_value = READERS[kind](text, name)
    assert isinstance(read_value, ModuleReport | Summary | DesignSize | Utilization | TimingReport | Cosim | Export)
    assert [path for path, holder in nones(read_value) if not explained(path, holder, text, read_value)] == []
    if isinstance(read_value, ModuleReport | Summary):
        wanted = name.partition("/")[0]
        assert read_value.version == wanted


def unpacked(design: Path, folder: Path) -> Path:
    """The reports of a design as a tool leaves them."""
    for path in sorted((design / "reports").rglob("*")):
        target = folder / path.relative_to(design / "reports")
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".gz":
            target.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        elif path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                archive.extractall(folder)  # members of the data set are plain names
        elif path.is_file():
            shutil.copy(path, target)
    return folder


@pytest.mark.parametrize("design", designs(), ids=lambda path: path.name)
def test_the_reports_of_a_design_are_read_and_say_what_its_description_says(design: Path, tmp_path: Path) -> None:
    meta = json.loads((design / "meta.json").read_text())
    folder = unpacked(design, tmp_path)
    if not [path for path in folder.rglob("*") if path.suffix in {".rpt", ".xml"}]:
        with pytest.raises(NoReportsError):
            read(folder)
        return
    report = read(folder)
    assert report.unread == ()
    if [path for path in folder.rglob("*csynth.*") if path.suffix in {".rpt", ".xml"}]:
        assert report.csynth is not None
    check_totals(report, meta)
    check_instances(report, meta)
    check_vivado(report, meta)


def check_totals(report: SynthesisReport, meta: dict[str, Any]) -> None:
    network = report.network
    if network is None or not any(one.origin.file.endswith(f"{network.name}_csynth.rpt") for one in report.modules):
        return
    used, latency, interval = network.resources, network.latency_cycles, network.interval_cycles
    own = {"LUT": used.lut, "FF": used.ff, "DSP": used.dsp, "BRAM_18K": used.bram_18k, "URAM": used.uram}
    own |= {
        "latency_min": latency.least,
        "latency_max": latency.most,
        "ii_min": interval.least,
        "ii_max": interval.most,
    }
    assert own == {name: meta["result"].get(name) for name in own}


def check_instances(report: SynthesisReport, meta: dict[str, Any]) -> None:
    own = {one.name: one for one in report.network.instances or ()} if report.network else {}
    for name, said in meta.get("instances", {}).items() if own else ():
        one = own[name]
        if one.resources is not None and "LUT" in said:
            assert (one.resources.lut, one.resources.ff, one.resources.dsp, one.resources.bram_18k) == tuple(
                said[key] for key in ("LUT", "FF", "DSP", "BRAM_18K")
            )
        if one.latency_cycles is not None and one.interval_cycles is not None and "lat_min" in said:
            ends = (
                one.latency_cycles.least,
                one.latency_cycles.most,
                one.interval_cycles.least,
                one.interval_cycles.most,
            )
            assert ends == tuple(said[key] for key in ("lat_min", "lat_max", "ii_min", "ii_max"))
        if said.get("config"):
            assert f"config{one.layer}" == said["config"]


def check_vivado(report: SynthesisReport, meta: dict[str, Any]) -> None:
    said = meta.get("vivado_synth")
    if not said:
        return
    assert report.synth is not None
    used = report.synth.resources
    assert (used.lut, used.ff, used.dsp, used.bram_tiles, used.bram_18k) == (
        said["LUT"],
        said["FF"],
        said["DSP"],
        said["BRAM36"],
        None,
    )
