"""Profiles: distributions against formats, compared with the values themselves, and how they are shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fpgacnn
from fpgacnn.errors import ReportExistsError, ReportFormatError
from fpgacnn.ir.fixed_point import parse_format
from fpgacnn.reporting.charts import bit_axis, box, image
from fpgacnn.reporting.formats.files import write_profile
from fpgacnn.reporting.formats.html import html
from fpgacnn.reporting.page.profile import profile_page
from fpgacnn.sim.profiling.profile import LARGEST_PICTURE, LEVELS, picture, unused_bits
from tests.support.command import run
from tests.support.files import entry, linear, quantized_bits, sequential_file

RELU = "quantized_relu(4,2)"
EVENTS = np.random.default_rng(5).normal(size=(40, 6)) * 3


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dense layer, a quantized ReLU that saturates at 3.75, and a second dense layer."""
    dense = entry("QDense", "first", units=5, kernel_quantizer=quantized_bits(6, 1), weights=linear(6, 5))
    relu = entry("QActivation", "relu", activation=RELU)
    last = entry("QDense", "score", units=2, kernel_quantizer=quantized_bits(4, 0), weights=linear(5, 2))
    return sequential_file(tmp_path_factory.mktemp("profile") / "m.h5", dense, relu, last, shape=(6,))


def test_statistics_are_those_of_the_values(model: Path) -> None:
    options = {"input_type": "fixed<10,5>"}
    found = fpgacnn.profile(model, EVENTS, **options)
    trace = fpgacnn.simulate(model, EVENTS, trace=True, **options).trace
    assert found.events == len(EVENTS)
    results = {one.name: one for one in found.tensors if one.what == "result"}
    assert list(results) == list(trace)
    for name, one in results.items():
        values = trace[name].values
        form = trace[name].format
        assert (one.format, one.values) == (str(form), values.size)
        assert (one.least, one.most) == (values.min(), values.max())
        assert one.zeros == np.count_nonzero(values == 0) / values.size
        magnitudes = sorted(abs(value) for value in values.ravel() if value)
        assert one.quantiles is not None
        assert one.quantiles[::4] == (magnitudes[0], magnitudes[-1])
        assert one.quantiles[2] == pytest.approx(float(np.median(magnitudes)))
    relu = trace["relu"].values
    assert results["relu"].saturated == np.count_nonzero(relu == 3.75) / relu.size
    assert results["relu"].saturated > 0.1
    assert results["score"].saturated == 0.0  # a sum that cannot overflow does not saturate


def test_a_float_value_below_one_step_that_becomes_0_is_rounded_to_zero(tmp_path: Path) -> None:
    relu = entry("QActivation", "relu", activation="quantized_relu(4,2)")  # steps of 1/4
    file = sequential_file(tmp_path / "m.h5", relu, shape=(4,))
    events = np.array([[0.0625, 0.5, -1.0, 0.0], [0.1, 0.11, 2.0, 3.0]])
    found = fpgacnn.profile(file, events, input_type="fixed<16,6>")
    (result,) = (one for one in found.tensors if one.name == "relu")
    assert result.rounded_to_zero == 3 / 8
    assert result.zeros == 5 / 8


def test_the_worst_events_are_those_whose_outputs_differ_most(model: Path) -> None:
    found = fpgacnn.profile(model, EVENTS, input_type="fixed<10,5>")
    differences = [one.difference for one in found.worst]
    assert differences == sorted(differences, reverse=True)
    assert found.output == "score"
    answers = fpgacnn.simulate(model, EVENTS, input_type="fixed<10,5>").values["score"]
    for one in found.worst:
        assert answers[(one.event, *one.index)] == one.hardware
        assert abs(one.hardware - one.float_network) == pytest.approx(one.difference)


@pytest.mark.parametrize("text", ["fixed<5,2>", "ufixed<4,1>", "fixed<3,3>"])
def test_unused_bits_are_those_that_no_code_needs(text: str) -> None:
    form = parse_format(text)
    for low in range(form.low, form.high + 1):
        for high in range(low, form.high + 1):
            width = next(
                bits
                for bits in range(form.width + 1)
                if (-(1 << bits) if form.signed else 0) <= low and high <= (1 << bits) - 1
            )
            assert unused_bits(form, low, high) == form.width - (1 if form.signed else 0) - width


@pytest.mark.parametrize(
    ("shape", "seen"),
    [((8, 6, 3), (8, 6)), ((100, 40, 1), (28, 28)), ((7,), (1, 7)), ((90, 2), (1, 28)), ((1, 1, 1), (1, 1))],
)
def test_a_picture_has_a_size_and_brightnesses_that_can_be_drawn(shape: tuple[int, ...], seen: tuple[int, int]) -> None:
    values = np.random.default_rng(2).normal(size=shape)
    rows = picture(values)
    assert (len(rows), len(rows[0])) == seen
    assert max(seen) <= LARGEST_PICTURE
    flat = [level for row in rows for level in row]
    assert {min(flat), max(flat)} <= {0, LEVELS - 1}
    drawn = image(rows, LEVELS)
    assert drawn is not None
    assert sum(path.count("M") for _, path in drawn.levels) == sum(level > 0 for level in flat)


def test_a_box_lies_in_the_range_of_its_format() -> None:
    form = parse_format("ufixed<6,2>")
    axis = bit_axis([form])
    assert axis is not None
    drawn = box(form, axis, (0.0625, 0.25, 1.0, 2.0, 3.9375))
    assert (drawn.start, drawn.length) == (0.0, 100.0)
    assert 0 <= drawn.low <= drawn.box <= drawn.median <= drawn.box + drawn.box_length <= drawn.high <= 100


@pytest.mark.parametrize("suffix", ["html", "svg", "png"])
def test_a_profile_is_written_in_every_form_and_replaces_only_its_own(model: Path, tmp_path: Path, suffix: str) -> None:
    if suffix != "html":
        pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'fpgacnn[pictures]'")
    file = tmp_path / f"profile.{suffix}"
    for _ in range(2):
        fpgacnn.profile(model, EVENTS, input_type="fixed<10,5>", output=file)
    heads = {"html": b"<!doctype html>", "svg": b"<?xml", "png": b"\x89PNG"}
    assert file.read_bytes().startswith(heads[suffix])
    other = tmp_path / f"other.{suffix}"
    other.write_bytes(b"mine")
    with pytest.raises(ReportExistsError):
        fpgacnn.profile(model, EVENTS, input_type="fixed<10,5>", output=other)
    assert other.read_bytes() == b"mine"


def test_another_suffix_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    with pytest.raises(ReportFormatError, match=r"no report format for '\.pdf'"):
        fpgacnn.profile(tmp_path / "missing.h5", EVENTS, output=tmp_path / "p.pdf")


def test_the_page_has_a_row_for_each_tensor_and_no_foreign_markup(model: Path, tmp_path: Path) -> None:
    found = fpgacnn.profile(model, EVENTS, input_type="fixed<10,5>")
    text = html(profile_page(found, "<b>m</b>"))
    assert "<b>m</b>" not in text
    assert text.count("<tr>") >= len(found.tensors) + len(found.worst) + 2
    write_profile(tmp_path / "p.html", found, "m")


def test_convert_keeps_a_profile_that_the_report_shows(model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", input_0=EVENTS, labels=np.arange(40) % 2)
    arguments = (
        "convert",
        model,
        "--input",
        "x.npz",
        "--input-type",
        "fixed<10,5>",
        "--no-csim",
        "--reference",
        "none",
    )
    done = run(tmp_path, *arguments, "--profile", "-o", "p", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    profile = json.loads(done.stdout)["profile"]
    assert (profile["events"], profile["output"]) == (40, "score")
    assert all(one["label"] in {0, 1} for one in profile["worst"])
    assert run(tmp_path, "report", "p", "-o", "r.html").returncode == 0
    assert "Distribution of every tensor against its format" in (tmp_path / "r.html").read_text()
    assert json.loads(run(tmp_path, *arguments, "-o", "q", "--json").stdout)["profile"] is None


def test_simulate_shows_what_each_format_loses(model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", EVENTS)
    done = run(tmp_path, "simulate", model, "--input", "x.npy", "--input-type", "fixed<10,5>", "--plot", "p.html")
    assert (done.returncode, done.stderr) == (0, "")
    assert any(line.startswith("on 40 events") and "SNR [dB]" in line for line in done.stdout.splitlines())
    assert (tmp_path / "p.html").read_text().startswith("<!doctype html>")
