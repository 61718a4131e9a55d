"""The estimate of RTL: clocks of the schedule, factors that follow from their data, and a netlist that was not seen."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from fpgacnn.design import Design
from fpgacnn.design.project import write_files
from fpgacnn.hardware.estimation.result import Estimate, Figure
from fpgacnn.hardware.estimation.rtl.amounts import MODULES, Amounts, chain, memory, of_memory
from fpgacnn.hardware.estimation.rtl.constants import (
    AMD,
    ECP5,
    KnownNetlist,
    constants,
    fitted,
    left_out,
    prediction,
    shipped_designs,
)
from fpgacnn.hardware.estimation.rtl.count import counted
from fpgacnn.hardware.estimation.rtl.estimate import estimate_rtl
from fpgacnn.hardware.rtl import backend
from fpgacnn.hardware.synthesis.figures import Origin, Stage
from fpgacnn.hardware.synthesis.open_tools import families
from fpgacnn.hardware.synthesis.open_tools.yosys import OpenRun, map_design
from fpgacnn.jobs.fit import rtl as fit_rtl
from fpgacnn.jobs.fit.search import FitLimits
from tests.support.command import run
from tests.support.files import tiny_model
from tests.support.networks import Builder
from tests.support.open_tools import needs_yosys
from tests.support.rtl import rtl_design, small_cnn

INPUT = ("--input-type", "fixed<6,2>")


def test_clocks_are_those_of_the_schedule() -> None:
    for seed in (5, 8, 12):
        design = small_cnn(seed)
        project, answer = backend.convert(design), estimate_rtl(design)
        for figure, clocks in (
            (answer.totals.latency_cycles, project.latency),
            (answer.totals.ii_cycles, project.interval),
        ):
            assert (figure.low, figure.value, figure.high) == (clocks, clocks, clocks)
        assert answer.latency_ns.value == project.latency * design.target.clock_ns


def test_every_module_of_the_library_has_a_count() -> None:
    names = {one.name.removesuffix(".sv") for one in files("fpgacnn.hardware.rtl.sources").iterdir()}
    assert {name for name in names if name.startswith("fpgacnn_")} - {"fpgacnn_shift", "fpgacnn_windows"} == set(
        MODULES
    )


def test_layers_add_up_to_the_design() -> None:
    found = counted(small_cnn(9))
    answer = estimate_rtl(small_cnn(9))
    for name in ("lut", "ff", "dsp", "bram_18k"):
        parts = sum(getattr(one.resources, name).value for one in answer.layers)
        assert parts == pytest.approx(getattr(answer.totals.resources, name).value)
    assert set(found.layers) <= {"", *(layer.name for layer in small_cnn(9).model.layers)}


def test_small_parts_are_counted_by_hand() -> None:
    assert chain(6, 2) == Amounts(registers=12)
    assert chain(6, 40) == Amounts(shift_tables=12, shift_bits=240)
    assert chain(6, 40, reset=True) == Amounts(registers=240)
    assert memory(15, 33) == Amounts(ram_tables=8 * 2 * 2, ram_tables_ecp5=4 * 4 * 3)
    assert of_memory(64, 10, 128) == Amounts(fabric=10, registers=20)
    assert of_memory(600, 40, 128) == Amounts(blocks=4, registers=40)


def test_factors_find_those_that_made_the_data() -> None:
    amounts = [Amounts(logic=100.0 * a, fabric=10.0 * b, registers=50.0 * a) for a, b in ((1, 9), (5, 2), (7, 8))]
    made = [
        KnownNetlist(name="", amounts=one, lut=round(0.8 * (one.logic + one.fabric)), ff=round(0.9 * one.registers))
        for one in amounts
    ]
    fit = fitted(AMD, made)
    assert (fit.tables, fit.registers) == pytest.approx((0.8, 0.9), rel=0.02)
    assert all(one.lut == pytest.approx(1, rel=0.05) for one in left_out(AMD, made))


def test_the_band_is_that_of_student() -> None:
    ratios = [float(one) for one in np.exp([-0.1, 0.0, 0.1, 0.2])]
    middle, deviation = 0.05, (0.05 / 3) ** 0.5
    reach = 3.182 * deviation * 1.25**0.5
    assert prediction(ratios) == pytest.approx((np.exp(middle - reach), np.exp(middle + reach)))
    assert prediction([1.5, 1.5]) == (1.0, pytest.approx(1.5))


@needs_yosys
@pytest.mark.parametrize(("family", "part"), [(AMD, "xcku5p-ffvb676-2-e"), (ECP5, "lfe5u-85f-8bg756c")])
def test_the_netlist_of_a_new_design_is_in_the_bands(tmp_path: Path, family: str, part: str) -> None:
    design, known = small_cnn(101), constants(family)
    assert "small CNN 101" not in {one.name for one in shipped_designs()[family]}
    write_files(tmp_path, backend.convert(design).files)
    run_of = OpenRun(folder=tmp_path, part=part, dsp=True, seconds=600, tool="yosys")
    document = map_design(run_of, str).document
    used, _ = families.counted(document.family, document.cells, Origin(stage=Stage.SYNTH, file=""))
    amounts = counted(design).total
    for truth, figure in ((used.lut, known.tables(amounts)), (used.ff, known.registers(amounts))):
        assert truth is not None
        assert figure.low <= truth <= figure.high
    assert used.dsp == amounts.multipliers


@pytest.mark.parametrize("family", [AMD, ECP5])
def test_the_designs_of_the_data_file_are_counted_as_they_are_stored(family: str) -> None:
    stored = {one.name: one.amounts for one in shipped_designs()[family]}
    for seed in range(8, 13):
        assert asdict(counted(small_cnn(seed)).total) == pytest.approx(asdict(stored[f"small CNN {seed}"]))


@pytest.mark.parametrize("layers", [2, 12])
def test_a_search_keeps_each_change_of_a_layer(monkeypatch: pytest.MonkeyPatch, layers: int) -> None:
    """The latency grows with the distance of each layer's factor from its own goal: one sweep finds all goals."""
    build, real = Builder(seed=3), estimate_rtl(small_cnn(8))
    node = build.input((2,), "fixed<4,2>")
    for _ in range(layers):
        node = build.dense(node, 2, 2)
    build.end(node)
    design = rtl_design(build)
    parameters = fit_rtl.rtl_parameters(design)
    assert len(parameters) == layers
    goals = {one.layer: fit_rtl.FACTORS[1 + number % 11] for number, one in enumerate(parameters)}

    def cost(of: Design) -> Estimate:
        distance = sum(abs(of.target.reuse_of.get(name, 1) - goal) for name, goal in goals.items())
        figure = Figure(value=100.0 + distance, low=100.0 + distance, high=100.0 + distance)
        return replace(real, totals=replace(real.totals, latency_ns=figure))

    monkeypatch.setattr(fit_rtl, "estimate_rtl", cost)
    found = fit_rtl.search_rtl(design, parameters, FitLimits())
    assert found.best.target.reuse_of == goals
    assert found.ended == (layers == 12)
    assert found.trials <= fit_rtl.MOST_TRIALS


def test_estimate_and_fit_take_rtl_from_the_command_line(tmp_path: Path) -> None:
    tiny_model(tmp_path / "m.h5")
    rtl = ("--backend", "rtl", *INPUT)
    done = run(tmp_path, "estimate", "m.h5", *rtl, "--part", "lfe5u-25f", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["estimate"]["available"]["device"] == "lfe5u-25f"
    assert document["estimate"]["totals"]["ii_cycles"] == {"value": 16.0, "low": 16.0, "high": 16.0}
    done = run(tmp_path, "fit", "m.h5", *rtl, "--max-util", "70%", "-o", "t.toml")
    assert done.returncode == 0, done.stderr
    assert 'backend = "rtl"' in (tmp_path / "t.toml").read_text()
    done = run(tmp_path, "convert", "m.h5", "--config", "t.toml", "--no-csim", *INPUT, "--reference", "none", "-o", "p")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "p" / "fpgacnn.json").read_text())["estimate"]["stage"] == "synth"
    assert run(tmp_path, "estimate", "p").returncode == 0
