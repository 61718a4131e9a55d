"""`multiplier_of`: products in DSP slices or in LUTs, in the code, in the estimate, and in what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fpgacnn.cli.options import layer_settings
from fpgacnn.design import BackendName, Design, IoType, Multiplier, Strategy
from fpgacnn.design.design import by_layer
from fpgacnn.design.project import write_files
from fpgacnn.design.serialize import CODEC
from fpgacnn.errors import UnknownNameError, UnsupportedOptionError, UsageError
from fpgacnn.hardware.estimation import estimate
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.hardware.estimation.graph.from_folder import read_project
from fpgacnn.hardware.hls.backend import convert
from fpgacnn.hardware.hls.lower import lower
from fpgacnn.hardware.hls.static.pragmas import faults_of_files
from fpgacnn.ir import source as src
from fpgacnn.jobs.fit.run import target_toml
from fpgacnn.records.estimates import TargetOverrides, retargeted
from tests.support.networks import Builder

HEADER = "firmware/nnet_utils/nnet_placed_mult.h"


def network(**target: object) -> Design:
    """A convolution, a normalization and a dense layer; nodes n1 to n4."""
    build = Builder(seed=31)
    image = build.convolution(build.input((5, 5, 2)), (3, 3, 2, 4), (3, 3, 4))
    scaled = build.affine(image, (3, 3, 4))
    build.end(build.dense(build.add(src.Reshape(), (36,), scaled), 36, 3))
    return build.design(IoType.STREAM, **target)


def placed(design: Design, **multiplier_of: Multiplier) -> Design:
    return replace(design, target=replace(design.target, multiplier_of=multiplier_of))


@pytest.mark.parametrize("backend", [BackendName.VITIS, BackendName.VIVADO])
def test_configurations_name_the_products_and_pragmas_are_those_of_the_tool(backend: BackendName) -> None:
    plain = network(backend=backend)
    design = placed(plain, n1=Multiplier.DSP, n2=Multiplier.LUT)
    before, files = convert(plain).files, convert(design).files
    assert HEADER not in before
    text = files["firmware/parameters.h"].decode()
    assert text.count("nnet::product::mult_dsp<") == text.count("nnet::product::mult_lut<") == 1
    assert text.count('#include "nnet_utils/nnet_placed_mult.h"') == 1
    changed = {name for name in files if files[name] != before.get(name)}
    assert changed == {HEADER, "firmware/parameters.h"}
    vitis, header = backend is BackendName.VITIS, files[HEADER].decode()
    assert ("BIND_OP variable=result op=mul impl=fabric" in header) == vitis
    assert ("RESOURCE variable=result core=Mul_LUT" in header) != vitis
    assert not list(faults_of_files(files))


@pytest.mark.parametrize("strategy", [Strategy.LATENCY, Strategy.RESOURCE])
def test_the_estimate_counts_what_the_project_says(tmp_path: Path, strategy: Strategy) -> None:
    plain = network(strategy=strategy, reuse=2)
    cost = {}
    for kind in (Multiplier.DSP, Multiplier.LUT):
        design = placed(plain, n1=kind, n2=kind, n4=kind)
        folder = tmp_path / kind
        folder.mkdir()
        write_files(folder, dict(convert(design).files))
        graph, read = hardware_graph(design), read_project(folder)
        assert [one.multiplier for one in graph.layers if one.weights] == [kind] * 3
        assert [one.multiplier for one in read.layers if one.weights] == [kind] * 3
        both = [estimate(one).totals.resources for one in (graph, read)]
        assert both[0].dsp == both[1].dsp
        cost[kind] = both[0]
    assert cost[Multiplier.LUT].dsp.value == 0 < cost[Multiplier.DSP].dsp.value
    assert cost[Multiplier.LUT].lut.value > cost[Multiplier.DSP].lut.value


def test_what_has_no_multiplier_is_refused_by_name() -> None:
    design = network()
    with pytest.raises(UnsupportedOptionError, match=r"n3: only dense layers, convolutions and normalizations"):
        lower(placed(design, n3=Multiplier.DSP))
    with pytest.raises(UnsupportedOptionError, match=r"n1: the strategy da has no multipliers"):
        lower(placed(network(strategy_of={"n1": Strategy.DA}), n1=Multiplier.LUT))
    with pytest.raises(UnknownNameError):
        placed(design, n9=Multiplier.DSP)
    with pytest.raises(UsageError, match=r"LAYER.multiplier=dsp\|lut\|auto can be set"):
        layer_settings(["n1.multiplier=fabric"])


def test_settings_are_read_and_written() -> None:
    assert layer_settings(["a.multiplier=DSP", "b.c.multiplier=auto"])["multiplier_of"] == {"a": "dsp", "b.c": "auto"}
    target = placed(network(), n1=Multiplier.LUT).target
    assert 'multiplier = "lut"' in target_toml(target)
    assert CODEC.decode(type(target), CODEC.encode(target)) == target


def test_files_without_the_setting_are_as_before() -> None:
    assert "multiplier_of" not in CODEC.encode(network().target)


def test_auto_takes_a_setting_back_and_is_refused_for_a_layer_that_is_not_there() -> None:
    design = placed(network(), n1=Multiplier.DSP)
    found = retargeted(design, TargetOverrides(multiplier_of={"n1": Multiplier.AUTO}))
    assert found.target == network().target
    target = TargetOverrides(multiplier_of={"nowhere": Multiplier.AUTO}).applied(design.target)
    with pytest.raises(UnknownNameError, match="unknown layer 'nowhere'"):
        by_layer(target, design.model)
    with pytest.raises(UnknownNameError, match="unknown layer 'nowhere'"):
        retargeted(design, TargetOverrides(multiplier_of={"nowhere": Multiplier.AUTO}))
