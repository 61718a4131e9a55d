"""`simulate` on more events than one piece: the same answers, whatever the file, the engine and the threads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fpgacnn
from fpgacnn.errors import UnknownNameError
from fpgacnn.jobs.simulate import MOST
from tests.support.command import failed, run
from tests.support.files import entry, sequential_file

EVENTS = MOST + 1234


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sequential_file(tmp_path / "m.h5", entry("QActivation", "a", activation="quantized_relu(4,2)"), shape=(3,))
    return tmp_path


def events(folder: Path) -> np.ndarray:
    values = np.random.default_rng(5).normal(0, 2, (EVENTS, 3)).round(4)
    np.savez(folder / "x.npz", input_0=values)
    np.savez_compressed(folder / "c.npz", input_0=values)
    np.save(folder / "f.npy", np.asfortranarray(values))
    return values


def test_pieces_and_files_and_threads_give_the_same_answers(folder: Path) -> None:
    values = events(folder)
    wanted = np.clip(np.rint(values * 4), 0, 15) / 4
    for name, flags in (("x.npz", ["--threads", "2"]), ("c.npz", ["--threads", "1"]), ("f.npy", ["--stats"])):
        done = run(
            folder,
            "simulate",
            "m.h5",
            "--input",
            name,
            "--input-type",
            "fixed<20,6>",
            "--output",
            "y.npz",
            "--trace",
            "t.npz",
            "--json",
            *flags,
        )
        assert (done.returncode, done.stderr) == (0, "")
        document = json.loads(done.stdout)
        assert (document["events"], document["written"]) == (EVENTS, ["y.npz", "t.npz"])
        answers = np.load(folder / "y.npz")["output_0"]
        assert answers.shape == (EVENTS, 3)
        assert np.abs(answers - wanted).max() <= 0.25  # the input is rounded first
        assert np.array_equal(np.load(folder / "t.npz")["a"], answers)
        assert (document["outputs"][0]["min"], document["outputs"][0]["max"]) == (answers.min(), answers.max())
    node = next(one for one in document["layers"] if one["name"] == "a")
    assert node["saturations"] == int((np.rint(values * 2**14) / 2**14 * 4 >= 15.5).sum())
    assert (node["least"], node["most"]) == (0.0, 3.75)


@pytest.mark.parametrize("kind", ["uint8", "int8", "uint16", ">i2", "bool", "int64"])
def test_whole_numbers_give_the_same_answers_in_every_type(folder: Path, kind: str) -> None:
    """Integers of at most 16 bits are read by the kernels as they are."""
    values = np.random.default_rng(6).integers(-40, 40, (EVENTS, 3)).astype(kind)
    np.save(folder / "whole.npy", values)
    np.save(folder / "real.npy", values.astype(np.float64))
    for name in ("whole", "real"):
        flags = ("--input-type", "fixed<7,5>", "--output", f"{name}.npz", "--trace", f"{name}-trace.npz", "-q")
        done = run(folder, "simulate", "m.h5", "--input", f"{name}.npy", *flags)
        assert (done.returncode, done.stderr) == (0, "")
    for pair in (("whole.npz", "real.npz"), ("whole-trace.npz", "real-trace.npz")):
        found, wanted = (np.load(folder / name) for name in pair)
        assert found.files == wanted.files
        for name in found.files:
            assert found[name].dtype == np.float64
            assert np.array_equal(found[name], wanted[name])


def test_the_function_answers_in_memory_what_the_command_writes(folder: Path) -> None:
    events(folder)
    assert (
        run(folder, "simulate", "m.h5", "--input", "x.npz", "--output", "y.npz", "--trace", "t.npz", "-q").returncode
        == 0
    )
    result = fpgacnn.simulate(folder / "m.h5", folder / "x.npz", trace=True)
    assert result.events == EVENTS
    assert np.array_equal(next(iter(result.outputs.values())).values, np.load(folder / "y.npz")["output_0"])
    with np.load(folder / "t.npz") as trace:
        assert {
            name: np.array_equal(codes.values, trace[name]) for name, codes in result.trace.items()
        } == dict.fromkeys(trace.files, True)
    with pytest.raises(UnknownNameError, match="cosim"):
        fpgacnn.simulate(folder / "m.h5", folder / "x.npz", engine="cosim")


@pytest.mark.agree
def test_c_simulation_streams_too(folder: Path) -> None:
    np.save(folder / "x.npy", np.random.default_rng(5).integers(-64, 64, (300, 3)) / 8)
    both = []
    for engine in ("csim", "emulator"):
        assert (
            run(
                folder, "simulate", "m.h5", "--input", "x.npy", "--engine", engine, "--output", f"{engine}.npz", "-q"
            ).returncode
            == 0
        )
        both.append(np.load(folder / f"{engine}.npz")["output_0"])
    assert np.array_equal(*both)


def test_a_number_that_is_none_is_told_and_nothing_is_written(folder: Path) -> None:
    values = np.zeros((EVENTS, 3))
    values[EVENTS - 3, 1] = np.inf
    np.save(folder / "x.npy", values)
    done = run(folder, "simulate", "m.h5", "--input", "x.npy", "--input-type", "fixed<20,6>", "--output", "y.npz")
    assert f"input_0 holds 1 NaN or infinite values, first at event {EVENTS - 3}" in failed(done, 2, "FC052")
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == ["m.h5", "x.npy"]


def test_an_engine_that_is_none_is_told_before_anything_is_read(folder: Path) -> None:
    assert "unknown engine 'cosim'" in failed(
        run(folder, "simulate", "m.h5", "--input", "nothing.npy", "--engine", "cosim"), 2, "FC040"
    )
