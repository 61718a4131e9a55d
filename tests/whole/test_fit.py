"""`fpgacnn fit` as a user runs it.

A target that fits is written and is what `convert` and `estimate` take; else exit status 1.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import fpgacnn
from fpgacnn.errors import ReportExistsError, ReportFormatError, TargetExistsError
from fpgacnn.reporting.fit_page import fit_page
from fpgacnn.reporting.formats.html import html
from fpgacnn.reporting.formatting import duration
from tests.support.command import failed, left, run
from tests.support.files import functional_file, sequential_file, tiny_model
from tests.unit.test_float_scales import SIZE, batch, dense, relu
from tests.unit.test_split_products import PADDED

FLAGS = ("--part", "pynq-z2", "--max-latency", "1us", "--max-util", "10%", "--input-type", "ufixed<6,1>")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_model(tmp_path / "m.h5")
    return tmp_path


def test_a_target_that_fits_is_written_and_gives_what_was_said(folder: Path) -> None:
    done = run(folder, "fit", "m.h5", *FLAGS, "-o", "new/t.toml", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    record = json.loads(done.stdout)
    assert (record["fits"], record["excess"], record["limits"]["utilization"]) == (True, {}, 0.1)
    assert (folder / "new" / "t.toml").read_text().startswith("# written by fpgacnn fit for m.h5\n")
    again = run(folder, "estimate", "m.h5", "--config", "new/t.toml", "--input-type", "ufixed<6,1>", "--json")
    assert (again.returncode, again.stderr) == (0, "")
    assert json.loads(again.stdout)["estimate"] == record["estimate"]
    converted = run(
        folder,
        "convert",
        "m.h5",
        "--config",
        "new/t.toml",
        "--input-type",
        "ufixed<6,1>",
        "-o",
        "out",
        "--no-csim",
        "--json",
    )
    assert (converted.returncode, converted.stderr) == (0, "")
    assert json.loads(converted.stdout)["estimate"] == record["estimate"]
    of_project = json.loads(run(folder, "fit", "out", *FLAGS[:6], "--json").stdout)
    assert (of_project["layers"], of_project["estimate"]) == (record["layers"], record["estimate"])
    assert run(folder, "fit", "m.h5", *FLAGS, "-o", "new/t.toml", "-q").returncode == 0


def test_the_tables_say_what_was_found(folder: Path) -> None:
    done = run(folder, "fit", "m.h5", *FLAGS, "-o", "t.toml", extra={"COLUMNS": "160"})
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(
        "m.h5  for xc7z020-clg400-1 at 5 ns, Vitis HLS; limits: latency 1 µs, 10% of the part; an estimate, no tool"
        " has run"
    )
    assert any(line.startswith("fits with io_") for line in lines)
    assert sum(line.startswith("→") for line in lines) == 1
    assert lines[-1] == "written: t.toml; next: fpgacnn convert m.h5 --config t.toml"


def test_what_cannot_be_met_is_exit_status_1_with_the_nearest_and_nothing_written(folder: Path) -> None:
    done = run(
        folder, "fit", "m.h5", "--part", "pynq-z2", "--max-latency", "10ns", "-o", "t.toml", extra={"COLUMNS": "160"}
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "no target meets the limits; the nearest, io_parallel, exceeds latency by" in done.stdout
    assert not (folder / "t.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("m.h5", "--max-latency", "5"), "FC002", "--max-latency 5: expected a time with its unit"),
        (("m.h5", "--max-util", "200%"), "FC002", "--max-util 200%: expected a share of the part"),
        (("m.h5", "--part", "xc0000"), "FC120", "the part 'xc0000' is unknown"),
        (("m.h5", "-o", "mine.toml"), "FC131", "mine.toml exists and was not written by fpgacnn fit"),
        (("nowhere.h5",), "FC010", "nowhere.h5"),
        ((".",), "FC062", "neither a project of fpgacnn"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_asked_is_one_error(folder: Path, arguments: tuple[str, ...], code: str, words: str) -> None:
    (folder / "mine.toml").write_text("mine = true\n")
    before = left(folder)
    assert words in failed(run(folder, "fit", *arguments), 2, code)
    assert left(folder) == before


def test_the_function_does_what_the_command_does(folder: Path) -> None:
    record = fpgacnn.fit(
        folder / "m.h5",
        part="pynq-z2",
        max_latency_ns=1000.0,
        max_utilization=0.1,
        input_type="ufixed<6,1>",
        output=folder / "t.toml",
    )
    assert record.fits
    assert record.target.part == "xc7z020-clg400-1"
    (folder / "t.toml").write_text("mine")
    with pytest.raises(TargetExistsError):
        fpgacnn.fit(folder / "m.h5", output=folder / "t.toml")
    assert {point.io for point in fpgacnn.fit(folder / "m.h5", io="stream").front} == {"stream"}


def test_the_front_is_written_as_a_page_with_a_chart(folder: Path) -> None:
    record = json.loads(run(folder, "fit", "m.h5", *FLAGS, "--report", "f.html", "--json").stdout)
    text = (folder / "f.html").read_text()
    front = record["front"]
    assert text.count('<circle class="chosen"') == 1
    assert text.count('<path class="error ') == len(front) > 1
    assert text.count('<circle class="front"') == sum(one["fits"] and not one["best"] for one in front)
    assert text.count('<circle class="missed"') == sum(not one["fits"] and not one["best"] for one in front)
    assert "largest share, % of the part" in text
    for one in front:
        assert one["latency_band"]["low"] <= one["latency_band"]["value"] == one["latency_ns"]
        assert {name: band["value"] for name, band in one["share_bands"].items()} == one["shares"]
    assert run(folder, "fit", "m.h5", *FLAGS, "--report", "f.html", "-q").returncode == 0  # an older report is replaced


def test_reports_with_sure_have_estimates_and_name_upper_ends(folder: Path) -> None:
    """Upper ends are compared with the limits; rows, dots and CSV have the estimates with their bands."""
    record = fpgacnn.fit(folder / "m.h5", input_type="ufixed<6,1>", part="pynq-z2", sure=True, report=folder / "f.csv")
    best = next(one for one in record.front if one.best)
    bands = {**best.share_bands, "latency_ns": best.latency_band, "interval_ns": best.interval_band}
    compared = {**best.shares, "latency_ns": best.latency_ns, "interval_ns": best.interval_ns}
    assert {name: band.high for name, band in bands.items()} == compared
    assert all(bands[name].value < compared[name] for name in ("latency_ns", "interval_ns", "FF"))
    number = str(record.front.index(best) + 1)
    with (folder / "f.csv").open(newline="") as file:
        written = {name: numbers for target, name, *numbers in csv.reader(file) if target == number}
    for name, band in bands.items():
        assert [float(one) for one in written[name]] == [band.value, band.low, band.high]
    page = fit_page(record)
    table = page.chapters[0].sections[0].tables[0]
    row = dict(zip((one.name for one in table.columns), table.rows[int(number) - 1], strict=True))
    assert (row["Latency"].number, row["Interval"].number) == (best.latency_band.value, best.interval_band.value)
    assert {name: row[name].number for name in best.shares} == {name: bands[name].value for name in best.shares}
    assert row["Largest share"].number == max(row[name].number or 0 for name in best.shares)
    assert row["Interval"].text.startswith(f"{duration(best.interval_band.value)} (")
    text = html(page)
    assert f"io_{best.io}: {duration(best.latency_band.value)}, " in text
    assert text.count(", upper end of the band") == 2


@pytest.mark.parametrize(("suffix", "mark"), [(".md", " met |"), (".csv", ",limits met,"), (".json", '"latency_band"')])
def test_the_front_is_written_in_the_format_of_the_suffix(folder: Path, suffix: str, mark: str) -> None:
    record = fpgacnn.fit(folder / "m.h5", input_type="ufixed<6,1>", part="pynq-z2", report=folder / f"f{suffix}")
    assert (folder / f"f{suffix}").read_text().count(mark) == len(record.front) > 1


def test_a_report_that_cannot_be_written_is_refused_before_the_search(folder: Path) -> None:
    (folder / "f.html").write_text("mine")
    with pytest.raises(ReportExistsError):
        fpgacnn.fit(folder / "m.h5", report=folder / "f.html")
    with pytest.raises(ReportFormatError):
        fpgacnn.fit(folder / "m.h5", report=folder / "f.pdf")
    assert (folder / "f.html").read_text() == "mine"


def scales_and_products(file: Path) -> None:
    layers = [relu("first", bits=6)]
    for place in range(2):
        layers += [batch(f"batch{place}"), dense(f"dense{place}", bits=12)]
    sequential_file(file, *layers, relu("last", bits=6), dense("out", bits=6), shape=(SIZE,))


def test_the_numbers_are_those_of_the_layers_that_convert_builds_for_the_target(tmp_path: Path) -> None:
    """With strategy latency, scales are in the weights behind them; with resource, they are layers of their own."""
    scales_and_products(tmp_path / "m.h5")
    limits = ("--part", "pynq-z2", "--max-latency", "20us", "--io", "stream", "--input-type", "fixed<8,3>", "--json")
    done = run(tmp_path, "fit", "m.h5", *limits, "--max-util", "10%", "-o", "t.toml")
    built = run(tmp_path, "estimate", "m.h5", "--config", "t.toml", "--input-type", "fixed<8,3>", "--json")
    record = json.loads(done.stdout)
    assert (done.returncode, record["estimate"]) == (0, json.loads(built.stdout)["estimate"])
    best = [one for one in record["front"] if one["best"]]
    assert [(one["fits"], one["shares"]) for one in best] == [(True, record["shares"])]
    assert run(tmp_path, "fit", "m.h5", *limits, "--max-util", "5%", "-o", "small.toml").returncode == 1


def test_every_row_of_fit_has_the_numbers_of_its_own_layers(tmp_path: Path) -> None:
    """The best target may have the layers that were searched, and others not."""
    scales_and_products(tmp_path / "m.h5")
    found = fpgacnn.fit(tmp_path / "m.h5", part="pynq-z2", input_type="fixed<8,3>", io="parallel", max_utilization=0.1)
    assert len(found.front) >= 3
    for one in found.front:
        settings = {name: text.split(", reuse ") for name, text in one.layers.items()}
        built = fpgacnn.estimate(
            tmp_path / "m.h5",
            part="pynq-z2",
            input_type="fixed<8,3>",
            io="parallel",
            reuse_of={name: int(reuse) for name, (_, reuse) in settings.items()},
            strategy_of={name: strategy for name, (strategy, _) in settings.items()},
        )
        its, there = built.estimate, built.estimate.available
        assert there is not None
        assert (one.latency_band, one.interval_band) == (its.latency_ns, its.interval_ns)
        after = its.after_synthesis
        shares = [after.lut.value / there.lut, after.ff.value / there.ff, after.dsp.value / there.dsp]
        assert [one.shares[name] for name in ("LUT", "FF", "DSP")] == shares


def test_rows_of_split_products_have_the_numbers_of_the_parts(tmp_path: Path) -> None:
    """Products behind a concatenation are split in streams only, and the best target here is parallel."""
    file = functional_file(tmp_path / "m.h5", *PADDED, inputs=["x"], outputs=["s"])
    options = {"part": "zcu102", "input_type": "fixed<18,6>", "backend": "vivado"}
    found = fpgacnn.fit(file, max_utilization=0.5, **options)
    streams = [one for one in found.front if one.io == "stream"]
    assert streams
    for one in found.front:
        settings = {name: text.split(", reuse ") for name, text in one.layers.items()}
        built = fpgacnn.estimate(
            file,
            io=one.io,
            reuse_of={name: int(reuse) for name, (_, reuse) in settings.items()},
            strategy_of={name: strategy for name, (strategy, _) in settings.items()},
            **options,
        ).estimate
        assert built.available is not None
        assert one.latency_band == built.latency_ns
        assert one.shares["LUT"] == built.after_synthesis.lut.value / built.available.lut
