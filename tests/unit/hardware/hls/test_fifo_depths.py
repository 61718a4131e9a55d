"""Depths of FIFOs: what a design says is in the C++, and is read back from it by the same names."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fpgacnn
from fpgacnn.design import BackendName, IoType
from fpgacnn.design.project import write_files
from fpgacnn.errors import FifoFileError, LoweringError, UnknownNameError, UsageError
from fpgacnn.hardware.estimation import estimate
from fpgacnn.hardware.estimation.fifo_choice import FifoChoice, chosen_depths, parse_fifo
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.hardware.estimation.graph.from_folder import read_project
from fpgacnn.hardware.estimation.graph.wiring import Wiring, depths_by_layers
from fpgacnn.hardware.hls.backend import convert
from tests.support import networks
from tests.support.networks import Builder

PART = "xczu9eg-ffvb1156-2-e"


def branches(build: Builder) -> None:
    """A flattened value that a dense layer and an output read, and one that is added to itself."""
    source = build.convolution(build.input((5, 5, 2)), (2, 2, 2, 3), (4, 4, 3))
    way = build.convolution(source, (3, 3, 3, 3), (4, 4, 3), pads=(1, 1, 1, 1))
    joined = build.add(networks.hw.Merge(kind=networks.MergeKind.ADD), (4, 4, 3), way, source)
    twice = build.add(networks.hw.Merge(kind=networks.MergeKind.ADD), (4, 4, 3), joined, joined)
    flat = build.add(networks.src.Reshape(), (48,), joined)
    build.end(build.dense(flat, 48, 3))
    build.end(twice)
    build.end(source)


@pytest.mark.parametrize("backend", [BackendName.VITIS, BackendName.VIVADO])
@pytest.mark.parametrize("network", [branches, networks.many_readers], ids=lambda one: one.__name__)
def test_depths_are_written_and_read_back(
    tmp_path: Path, network: Callable[[Builder], None], backend: BackendName
) -> None:
    build = Builder(seed=3)
    network(build)
    design = build.design(IoType.STREAM, backend=backend, part=PART)
    names = [name for owned in Wiring.of(hardware_graph(design)).owned.values() for name in owned]
    depths = {name: 40 + number for number, name in enumerate(names)}
    design = replace(design, fifo_depths=depths)
    write_files(tmp_path, convert(design).files)
    written = read_project(tmp_path)
    assert depths_by_layers(written) == depths
    theirs, ours = estimate(written), estimate(hardware_graph(design))
    assert [one.depth for one in theirs.simulated.streams] == [one.depth for one in ours.simulated.streams]
    assert theirs.simulated.latency_cycles == ours.simulated.latency_cycles
    assert theirs.simulated.deadlock == ours.simulated.deadlock == ()


def test_a_fifo_that_the_graph_has_not_is_refused() -> None:
    build = Builder(seed=3)
    branches(build)
    design = replace(build.design(IoType.STREAM, part=PART), fifo_depths={"n1:nobody": 4})
    with pytest.raises(LoweringError, match="no such FIFO"):
        convert(design)


@pytest.mark.parametrize("family", ["linear_layers", "elementwise", "step_functions", "shapes", "moves", "softmaxes"])
@pytest.mark.parametrize("backend", [BackendName.VITIS, BackendName.VIVADO])
def test_every_stream_template_that_is_written_is_simulated(family: str, backend: BackendName) -> None:
    build = Builder(seed=11)
    getattr(networks, family)(build)
    answer = estimate(hardware_graph(build.design(IoType.STREAM, backend=backend, part=PART)))
    assert [one.text for one in answer.warnings if one.code == "FC132"] == []
    assert answer.simulated is not None
    assert not answer.stops


def test_choices() -> None:
    build = Builder(seed=3)
    branches(build)
    graph = hardware_graph(build.design(IoType.STREAM, part=PART))
    assert chosen_depths(graph, FifoChoice(frame=True)) == {}
    searched = chosen_depths(graph, FifoChoice())
    assert chosen_depths(graph, FifoChoice(given={"n1": 7})) == {**searched, "n1": 7}
    with pytest.raises(UnknownNameError, match="conv9"):
        chosen_depths(graph, FifoChoice(given={"conv9": 7}))
    parallel = hardware_graph(build.design(IoType.PARALLEL, part=PART))
    assert chosen_depths(parallel, FifoChoice()) == {}
    with pytest.raises(UsageError, match="no streams"):
        chosen_depths(parallel, FifoChoice(given={"n1": 7}))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("[1, 2]", "no object"),
        ('{"a": 0}', "the depth of 'a'"),
        ('{"a": true}', "the depth of 'a'"),
        ('{"a": 2.5}', "the depth of 'a'"),
        ('{"a": 1e999}', "the depth of 'a'"),
        ("{", "no JSON"),
        ("\x00", "no JSON"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_a_damaged_file_is_refused_with_a_reason(tmp_path: Path, content: str, why: str) -> None:
    file = tmp_path / "fifo.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(FifoFileError, match=why):
        parse_fifo(file)


def test_words_and_files_are_read(tmp_path: Path) -> None:
    assert parse_fifo("auto") == FifoChoice()
    assert parse_fifo("frame") == FifoChoice(frame=True)
    file = tmp_path / "fifo.json"
    file.write_text(json.dumps({"conv:add": 64}), encoding="utf-8")
    assert parse_fifo(str(file)) == parse_fifo({"conv:add": 64}) == FifoChoice(given={"conv:add": 64})
    with pytest.raises(FifoFileError, match="neither `auto` nor `frame`"):
        parse_fifo("atuo")
    with pytest.raises(UsageError, match="0 places"):
        parse_fifo({"a": 0})


def test_a_stream_whose_pragma_is_missing_has_two_places(tmp_path: Path) -> None:
    build = Builder(seed=3)
    branches(build)
    files = convert(build.design(IoType.STREAM, part=PART)).files
    top = files["firmware/myproject.cpp"].decode()
    lines = [line for line in top.splitlines() if "pragma HLS STREAM" not in line]
    write_files(tmp_path, {**files, "firmware/myproject.cpp": "\n".join(lines).encode()})
    assert set(np.unique(list(read_project(tmp_path).fifo_depths.values()))) == {2}


def test_a_project_of_others_with_a_short_copy_stops_by_the_names_of_its_layers(tmp_path: Path) -> None:
    """The copy is named by its variable; the layers have their names from the comments behind the calls."""
    build = Builder(seed=3)
    branches(build)
    design = replace(build.design(IoType.STREAM, part=PART), fifo_depths={"n1:n3": 61})
    files = convert(design).files
    top = files["firmware/myproject.cpp"].decode()
    assert top.count("depth=61") == 1
    write_files(tmp_path, {**files, "firmware/myproject.cpp": top.replace("depth=61", "depth=3").encode()})
    record = fpgacnn.estimate(tmp_path)
    assert not record.fits
    (caution,) = (one for one in record.estimate.warnings if one.code == "FC126")
    assert "clone of n1 (full layer" in caution.text
    assert "n3 (empty layer" in caution.text
    chosen = fpgacnn.estimate(tmp_path, fifo="auto")
    assert chosen.fits
    assert fpgacnn.estimate(tmp_path, fifo={"layer2_out": 5}).fits
