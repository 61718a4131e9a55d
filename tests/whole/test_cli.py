"""The command line's contract.

A quick start, exit status, one error in one shape, one JSON document, and nothing left behind.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fpgacnn
from tests.support.command import COMMAND, environment, failed, left, names, run, run_installed
from tests.support.files import entry, linear, quantized_bits, sequential_file, tiny_model

# --- start ----------------------------------------------------------------------------------------------------------


HEAVY = ("hls4ml", "tensorflow", "keras", "matplotlib", "pandas", "scipy", "sklearn")


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("inspect", "model.h5"), ("estimate", "model.h5", "-q"), ("explain", "FC021"), ("--version",)],
    ids=lambda value: value[0],
)
def test_a_small_command_imports_nothing_that_is_slow(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """What that means in seconds is for benchmarks/startup.py to say."""
    tiny_model(tmp_path / "model.h5")
    code = (
        f"import atexit, sys; atexit.register(lambda: print([one for one in {HEAVY} if one in sys.modules],"
        " file=sys.stderr))"
    )
    code += "; from fpgacnn.cli.main import main; main()"
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "[]\n")


# --- usage ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("convert", "model.h5", "--clok", "5"), "No such option: --clok"),
        (("convert",), "Missing argument 'model'"),
        (("konvert", "model.h5"), "No such command 'konvert'"),
        (("convert", "model.h5", "--io", "serial"), "Invalid value for '--io'"),
        (("convert", "model.h5", "--reuse", "many"), "Invalid value for '--reuse'"),
        (("convert", "model.h5", "--reuse", "0"), "a reuse factor of 0 is not between 1 and 1048576"),
        (("convert", "model.h5", "--clock", "nan"), "a clock period of nan ns is not between 0 and 1000"),
        (("convert", "model.h5", "--set", "conv=3"), "--set conv=3: expected LAYER.KEY=VALUE"),
        (
            ("convert", "model.h5", "--set", "conv.reuse=x"),
            "--set conv.reuse=x: only LAYER.reuse=N, LAYER.strategy=latency|resource|da and LAYER.multiplier=",
        ),
        (
            ("convert", "model.h5", "--set", "conv.reuse=²"),
            "--set conv.reuse=²: only LAYER.reuse=N, LAYER.strategy=latency|resource|da and LAYER.multiplier=",
        ),
        (("convert", "model.h5", "--bits", "wide"), "--bits wide: expected W or W,I"),
        (("verify", "model.h5", "--reference", "keras"), "--reference keras needs --model FILE"),
        (
            ("inspect", "model.h5", "--weights", "w.h5"),
            "model.h5 holds its own weights; --weights w.h5 goes with an architecture JSON only",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_command_line_is_usage(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    tiny_model(tmp_path / "model.h5")
    assert words in failed(run(tmp_path, *arguments), 2, "FC002")
    assert left(tmp_path) == {"model.h5"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("convert", "model.h5", "--softmax", "soft"), "unknown softmax choice 'soft'"),
        (("convert", "model.h5", "--reference", "torch"), "unknown reference 'torch'"),
        (("convert", "model.h5", "--part", "x; rm -rf /"), "unknown part 'x; rm -rf /'"),
        (("simulate", "model.h5", "--input", "x.npy", "--engine", "warp"), "unknown engine 'warp'"),
        (("explain", "FC999"), "unknown error code 'FC999'"),
        (("demo", "cats"), "unknown demo 'cats'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_unknown_name_is_told_with_the_known_ones(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    tiny_model(tmp_path / "model.h5")
    np.save(tmp_path / "x.npy", np.zeros((2, 4, 4, 1)))
    done = run(tmp_path, *arguments)
    assert words in failed(done, 2, "FC040")
    assert "hint: known: " in done.stderr
    assert left(tmp_path) == {"model.h5", "x.npy"}


@pytest.mark.parametrize(
    ("arguments", "line", "command"),
    [
        (("convert", "m.h5", "--io", "serial"), "'--io': 'serial' is none of parallel, stream", "convert"),
        (("convert", "m.h5", "--reuse", "many"), "'--reuse': expected a whole number", "convert"),
        (("estimate", "m.h5", "--clock", "x"), "'--clock': expected a number", "estimate"),
        (("convert", "m.h5", "--csim-events", "-1"), "'--csim-events': expected 0 or more", "convert"),
        (("quantize", "m.h5", "--sparsity", "2"), "'--sparsity': expected 0.99 or less", "quantize"),
        (("verify",), "give a project folder, or --models DIR", "verify"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_value_is_told_in_our_words_with_the_help_of_its_command(
    tmp_path: Path, arguments: tuple[str, ...], line: str, command: str
) -> None:
    done = run(tmp_path, *arguments)
    assert failed(done, 2, "FC002").endswith(line)
    assert done.stderr.splitlines()[-1] == f"hint: see `fpgacnn {command} --help`"


@pytest.mark.parametrize(
    "flags",
    [
        ("--io", "STREAM", "--strategy", "Resource", "--backend", "Vivado"),
        ("--softmax", "KEEP", "--reference", "None", "--fifo", "Frame", "--io", "Stream"),
        ("--set", "conv.strategy=RESOURCE", "--set", "conv.Reuse=3"),
    ],
    ids=lambda value: value[0],
)
def test_words_of_flags_are_taken_in_any_case(tmp_path: Path, flags: tuple[str, ...]) -> None:
    tiny_model(tmp_path / "model.h5")
    done = run(tmp_path, "convert", "model.h5", "-o", "p", "--no-csim", "-q", *flags)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_words_of_a_target_file_are_taken_in_any_case(tmp_path: Path) -> None:
    tiny_model(tmp_path / "model.h5")
    (tmp_path / "target.toml").write_text('io = "Stream"\nbackend = "VIVADO"\n', encoding="utf-8")
    document = json.loads(run(tmp_path, "estimate", "model.h5", "--config", "target.toml", "--json").stdout)
    assert (document["io"], document["backend"]) == ("stream", "vivado")


@pytest.mark.parametrize("name", ["Dense 1", "dense_1"])
def test_a_layer_is_set_by_its_name_in_the_file_or_in_the_hardware(tmp_path: Path, name: str) -> None:
    dense = entry("QDense", "Dense 1", units=3, kernel_quantizer=quantized_bits(4, 0), weights=linear(4, 3))
    sequential_file(tmp_path / "m.h5", dense, shape=(4,))
    arguments = ("--set", f"{name}.strategy=resource", "--set", f"{name}.reuse=4", "--set", "Dense 1.reuse=4")
    document = json.loads(run(tmp_path, "estimate", "m.h5", *arguments, "--json").stdout)
    assert document["estimate"]["layers"][0]["name"] == "dense_1"
    done = run(tmp_path, "convert", "m.h5", "-o", "p", "--no-csim", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert any(line.startswith("Dense 1 ") for line in done.stdout.splitlines())
    assert '"reuse_of":{"Dense 1":4}' in (tmp_path / "p" / "fpgacnn" / "design.json").read_text().replace(
        " ", ""
    ).replace("Dense1", "Dense 1")


@pytest.mark.parametrize("command", ["demo", "convert", "verify", "quantize"])
def test_one_io_type_is_the_default_of_all_commands(tmp_path: Path, command: str) -> None:
    said = " ".join(run(tmp_path, command, "--help", extra={"COLUMNS": "400"}).stdout.split())
    assert re.search(r"--io [^[]*stream[^[]*images of any size with small code[^[]*\[default: \(?stream\)?\]", said), (
        said
    )


def test_a_network_that_cannot_be_streamed_is_built_in_parallel_unless_streams_are_demanded(tmp_path: Path) -> None:
    pool = entry("AveragePooling2D", "pool", pool_size=[2, 2], strides=[2, 2], padding="same")
    sequential_file(tmp_path / "m.h5", pool, shape=(3, 3, 1))
    why = "pool: average pooling with padding cannot be streamed"
    done = run(tmp_path, "convert", "m.h5", "-o", "p", "--no-csim", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    record = json.loads(done.stdout)
    assert record["target"]["io"] == "parallel"
    assert f"built in parallel (--io parallel): {why}" in record["notes"]
    estimated = json.loads(run(tmp_path, "estimate", "m.h5", "--json").stdout)
    assert (estimated["io"], f"built in parallel (--io parallel): {why}" in estimated["notes"]) == ("parallel", True)
    assert why in failed(run(tmp_path, "convert", "m.h5", "-o", "q", "--no-csim", "--io", "stream"), 2, "FC021")


def test_help_lists_every_command(tmp_path: Path) -> None:
    said = run(tmp_path, "--help").stdout
    assert all(
        name in said
        for name in ("inspect", "convert", "simulate", "verify", "report", "compare", "demo", "doctor", "explain")
    )
    assert run(tmp_path).stdout == said


# --- inspect, explain, doctor --------------------------------------------------------------------------------------


def test_inspect_shows_layers_quantizers_and_parameters(tmp_path: Path) -> None:
    done = run(tmp_path, "inspect", tiny_model(tmp_path / "model.h5"))
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0] == ["model", "Keras", "2.15.0,", "5", "layers", "read,", "47", "parameters"]
    assert ["conv", "QConv2D", "2", "filters", "3x3,", "quantized_bits(6,0,0,alpha=1)", "2x2x2", "20"] in rows


def test_inspect_says_what_would_be_refused(tmp_path: Path) -> None:
    sequential_file(
        tmp_path / "m.h5", entry("LSTM", "memory"), entry("Dense", "d", units=3, weights=linear(3, 3)), shape=(4, 3)
    )
    done = run(tmp_path, "inspect", "m.h5")
    assert (done.returncode, done.stderr) == (2, "")
    assert "error[FC020] layer 'memory' is a LSTM, which cannot be converted" in done.stdout
    assert "not examined, because they read a refused layer: d" in done.stdout
    document = json.loads(run(tmp_path, "inspect", "m.h5", "--json").stdout)
    assert [(one["layer"], one["class"], one["code"]) for one in document["refused"]] == [("memory", "LSTM", "FC020")]


@pytest.mark.parametrize(
    "name", ["\x1b[31mred\x1b]0;owned\x07", "[/red]", "[link=x]y[/link]", "a\nerror[FC000] b", "\u202egnp"], ids=ascii
)
def test_names_from_a_file_cannot_move_the_terminal(tmp_path: Path, name: str) -> None:
    layers = (
        entry("QActivation", name, activation="quantized_relu(4,2)"),
        entry("Dropout", f"drop {name}"),
        entry("LSTM", f"refused {name}"),
    )
    sequential_file(tmp_path / "m.h5", *layers, shape=(3, 2))
    done = run(tmp_path, "inspect", "m.h5")
    assert done.returncode == 2, done.stderr
    assert all(character.isprintable() for character in done.stdout.replace("\n", ""))
    assert not any(line.startswith("error[FC000]") for line in done.stdout.splitlines())
    assert (name if name.isprintable() else name.encode("unicode_escape").decode()) in done.stdout


def test_a_file_name_that_is_no_text_is_read(tmp_path: Path) -> None:
    os.rename(tiny_model(tmp_path / "m.h5"), os.fsencode(tmp_path) + b"/\xff[red].h5")
    done = run(tmp_path, "inspect", b"\xff[red].h5")
    assert done.returncode == 0, done.stderr
    assert "[red]" in done.stdout


def test_a_reader_that_stops_early_is_no_error(tmp_path: Path) -> None:
    command = " ".join(COMMAND)
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} explain | head -n 1"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("FC001  Two results inside fpgacnn contradict each other.")
    assert done.stderr == ""


def test_a_damaged_installation_is_no_failed_comparison(tmp_path: Path) -> None:
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "numpy.py").write_text("raise ImportError('it is damaged')\n")
    path = os.pathsep.join([str(tmp_path / "damaged"), str(Path(fpgacnn.__file__).parents[1])])
    done = run_installed(tmp_path, "estimate", "m.h5", extra={"PYTHONPATH": path})
    assert done.returncode == 3
    assert done.stderr.startswith("error[FC001] internal error: ImportError: it is damaged")
    assert "Traceback" not in done.stderr


def test_explain_has_a_page_for_a_code_in_any_case(tmp_path: Path) -> None:
    done = run(tmp_path, "explain", "fc080")
    assert done.returncode == 0
    assert done.stdout.startswith("FC080: C simulation needs a C++ compiler, and neither CXX nor PATH leads to one.")
    assert "exit status 3" in done.stdout
    page = json.loads(run(tmp_path, "explain", "FC080", "--json").stdout)
    assert (page["code"], page["exit_status"]) == ("FC080", 3)
    assert len(json.loads(run(tmp_path, "explain", "--json").stdout)) > 30


def test_doctor_names_what_is_missing_and_its_cure(tmp_path: Path) -> None:
    ready = json.loads(run(tmp_path, "doctor", "--json").stdout)
    seen = {one["what"]: one["seen"] for one in ready["findings"]}
    assert seen.keys() >= {
        "system",
        "Python",
        "hls4ml",
        "numpy",
        "h5py",
        "HDF5 library",
        "quantizers",
        "C++ compiler",
        "C compiler",
        "build cache",
    }
    assert all(seen[name][0].isdigit() for name in ("Python", "hls4ml", "HDF5 library"))
    done = run(tmp_path, "doctor", extra={"PATH": str(tmp_path)})
    assert done.returncode == 3
    assert "no C++ compiler: 'g++' was not found" in done.stdout
    assert "not ready" in done.stdout


# --- convert -------------------------------------------------------------------------------------------------------


def test_convert_without_csim_writes_a_project_that_says_what_was_compared(tmp_path: Path) -> None:
    tiny_model(tmp_path / "model.h5")
    done = run(
        tmp_path, "convert", "model.h5", "-o", "out/project", "--no-csim", "--input-type", "fixed<8,3>", "--json"
    )
    assert (done.returncode, done.stderr) == (0, "")
    record = json.loads(done.stdout)
    kept = json.loads((tmp_path / "out/project/fpgacnn.json").read_text())
    assert record == kept
    assert (record["schema"], record["plan"]["exact"], record["project"]["folder"]) == (1, True, "out/project")
    seen = [(one["left"], one["right"], one["mismatches"], one["holds"]) for one in record["verification"]]
    assert seen == [("emulator", "int64 reference", 0, True), ("emulator", "quantized network", 0, True)]
    assert record["tools"]["emulator"].startswith("native, ")
    assert (tmp_path / "out/project/firmware/myproject.cpp").is_file()
    assert names(tmp_path / "out") == ["project"]
    assert names(tmp_path / "tmp") == []


def test_the_default_folder_is_named_after_the_model_and_its_digest(tmp_path: Path) -> None:
    done = run(tmp_path, "convert", tiny_model(tmp_path / "My model!.h5"), "--no-csim", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (folder,) = names(tmp_path / "hls_projects")
    record = json.loads((tmp_path / "hls_projects" / folder / "fpgacnn.json").read_text())
    assert folder == f"my_model-{record['project']['digest'][:8]}"


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    tiny_model(tmp_path / "model.h5")
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        assert run(tmp_path, "convert", "model.h5", "-o", folder, "--no-csim").returncode == 0
    contents = [
        {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and path.name != "fpgacnn.json"
        }
        for folder in folders
    ]
    assert contents[0] == contents[1]
    assert str(tmp_path).encode() not in b"".join(contents[0].values())


def test_no_file_of_a_project_names_the_machine_it_was_made_on(tmp_path: Path) -> None:
    tiny_model(tmp_path / "model.h5")
    assert run(tmp_path, "convert", "model.h5", "-o", "out", "--no-csim").returncode == 0
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or str(tmp_path).encode() not in path.read_bytes(), path


@pytest.mark.parametrize("option", [("--no-csim",), ()], ids=["without", "with csim"])
def test_a_foreign_output_folder_is_refused_before_anything_is_done(tmp_path: Path, option: tuple[str, ...]) -> None:
    tiny_model(tmp_path / "model.h5")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("mine")
    line = failed(run(tmp_path, "convert", "model.h5", "-o", "thesis", *option), 2, "FC060")
    assert line == "error[FC060] thesis exists and is not an fpgacnn project"
    assert left(tmp_path) == {"model.h5", "thesis", "thesis/thesis.tex"}


# --- simulate ------------------------------------------------------------------------------------------------------


def test_simulate_writes_outputs_and_a_trace_under_any_layer_name(tmp_path: Path) -> None:
    layers = ("file", "allow_pickle", "[red]")
    sequential_file(
        tmp_path / "m.h5",
        *(entry("QActivation", name, activation="quantized_relu(4,2)") for name in layers),
        shape=(3,),
    )
    np.save(tmp_path / "x.npy", np.array([[0.25, 1.3, -2.0]]))
    done = run(tmp_path, "simulate", "m.h5", "--input", "x.npy", "-o", "[/]y.npz", "--trace", "t.npz")
    assert (done.returncode, done.stderr) == (0, "")
    assert "written: [/]y.npz" in done.stdout
    assert np.load(tmp_path / "[/]y.npz")["output_0"].tolist() == [[0.25, 1.25, 0.0]]
    assert {"file", "allow_pickle", "red"} <= set(np.load(tmp_path / "t.npz"))


@pytest.mark.parametrize("output", [".", "m.h5/y.npz", "/proc/y.npz"])
def test_an_output_file_that_cannot_be_written_is_a_write_error(tmp_path: Path, output: str) -> None:
    sequential_file(tmp_path / "m.h5", entry("QActivation", "a", activation="quantized_relu(4,2)"), shape=(3,))
    np.save(tmp_path / "x.npy", np.zeros((2, 3)))
    assert "cannot write" in failed(
        run(tmp_path, "simulate", "m.h5", "--input", "x.npy", "--output", output), 3, "FC061"
    )
    assert left(tmp_path) == {"m.h5", "x.npy"}


def test_a_project_whose_design_was_damaged_is_a_project_error(tmp_path: Path) -> None:
    tiny_model(tmp_path / "model.h5")
    np.save(tmp_path / "x.npy", np.zeros((2, 4, 4, 1)))
    assert run(tmp_path, "convert", "model.h5", "-o", "out", "--no-csim").returncode == 0
    design = tmp_path / "out" / "fpgacnn" / "design.json"
    design.write_text(design.read_text().replace('"strides":[1,1]', '"strides":"11"'))
    assert "its design cannot be read" in failed(run(tmp_path, "simulate", "out", "--input", "x.npy"), 2, "FC062")


def test_a_network_without_weights_makes_a_project_that_opens_again(tmp_path: Path) -> None:
    sequential_file(tmp_path / "m.h5", entry("QActivation", "a", activation=quantized_bits(4, 1)), shape=(3,))
    np.save(tmp_path / "x.npy", np.array([[0.25, 1.3, -9.0]]))
    assert run(tmp_path, "convert", "m.h5", "-o", "out", "--no-csim", "--input-type", "fixed<12,6>").returncode == 0
    done = run(tmp_path, "simulate", "out", "--input", "x.npy", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"][0]["min"] == -2.0
