"""freeze and verify --locked: one bit anywhere is found, with layer, event and the right cause."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from fpgacnn.system.npz import packed, read_arrays
from tests.support.command import failed, left, run
from tests.support.files import entry, sequential_file, tiny_layers

pytestmark = pytest.mark.agree

MISCOMPILING = """#!/bin/sh
case "$*" in
*--version*) echo "g++ (fake) 99" ;;
*csim_main.cpp*) sed -i 's/return a \\* w;/return a * w + w;/' firmware/nnet_utils/nnet_mult.h; exec g++ "$@" ;;
*) exec g++ "$@" ;;
esac
"""


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that ends in a table, its project and its golden vectors."""
    folder = tmp_path_factory.mktemp("frozen")
    sequential_file(folder / "model.h5", *tiny_layers(), entry("Activation", "act", activation="tanh"), shape=(4, 4, 1))
    convert(folder)
    done = run(folder, "freeze", "p", "--json")
    assert done.returncode == 0, done.stderr
    return folder


def convert(folder: Path, *arguments: str) -> None:
    done = run(
        folder, "convert", "model.h5", "--io", "parallel", "-o", "p", "-q", "--input-type", "fixed<6,2>", *arguments
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def here(frozen: Path, tmp_path: Path) -> Path:
    """A copy of it, with the same cache of builds."""
    for name in ("p", "p.golden"):
        shutil.copytree(frozen / name, tmp_path / name)
    shutil.copy(frozen / "model.h5", tmp_path)
    (tmp_path / "cache").symlink_to(frozen / "cache")
    return tmp_path


def locked(folder: Path, status: int, **extra: str) -> dict[str, Any]:
    done = run(folder, "verify", "p", "--locked", "--json", extra=extra)
    assert (done.returncode, done.stderr) == (status, ""), done.stdout
    return json.loads(done.stdout)


def test_what_was_frozen_holds_and_says_so(here: Path) -> None:
    record = locked(here, 0)
    assert (record["holds"], record["changes"], record["divergences"], record["events"], record["values"]) == (
        True,
        [],
        [],
        96,
        288,
    )
    assert record["engines"] == ["emulator", "csim"]
    assert set(record["frozen_with"]) == {"fpgacnn", "hls4ml", "numpy", "h5py", "python", "compiler"}
    said = run(here, "verify", "p", "--locked").stdout
    assert said.startswith("p and p.golden: no bit has changed  96 events, 288 output codes")


def test_a_conversion_of_the_same_model_is_what_was_frozen(here: Path) -> None:
    convert(here)
    assert locked(here, 0)["holds"]


def test_golden_vectors_are_events_that_other_commands_read(here: Path) -> None:
    done = run(here, "simulate", "p", "--input", "p.golden/vectors.npz", "--output", "y.npz")
    assert done.returncode == 0, done.stderr
    codes = np.load(here / "p.golden" / "vectors.npz")["output_0"]
    answers = np.load(here / "y.npz")["output_0"]
    assert len(np.unique(codes)) > 5
    np.testing.assert_array_equal(np.sign(codes), np.sign(answers))


def test_they_are_replaced_only_where_that_is_asked_for(here: Path) -> None:
    before = (here / "p.golden" / "golden.json").read_bytes()
    assert failed(run(here, "freeze", "p"), 2, "FC162") == "error[FC162] p.golden: golden vectors exist"
    assert (here / "p.golden" / "golden.json").read_bytes() == before
    done = run(here, "freeze", "p", "--update", "--events", "7")
    assert (done.returncode, done.stderr) == (0, "")
    assert locked(here, 0)["events"] == 7


def test_without_golden_vectors_there_is_nothing_to_hold_against(here: Path) -> None:
    assert "there are no golden vectors" in failed(
        run(here, "verify", "p", "--locked", "--golden", "elsewhere"), 2, "FC160"
    )
    (here / "p.golden" / "vectors.npz").write_bytes(b"PK\x03\x04")
    assert "cannot be used" in failed(run(here, "verify", "p", "--locked"), 2, "FC161")


@pytest.mark.parametrize(
    "arguments", [("--locked", "--all"), ("--locked", "--model", "model.h5"), ("--golden", "p.golden")], ids=" ".join
)
def test_options_that_do_not_go_together_are_usage(here: Path, arguments: tuple[str, ...]) -> None:
    failed(run(here, "verify", "p", *arguments), 2, "FC002")


# --- one bit -------------------------------------------------------------------------------------------------------


def weight_of_the_model(folder: Path) -> None:
    with h5py.File(folder / "model.h5", "r+") as file:
        kernel = file["model_weights/conv/conv/kernel:0"]
        kernel[0, 0, 0, 0] = kernel[0, 0, 0, 0] + 2.0**-5
    convert(folder)


def rounding_mode_of_the_plan(folder: Path) -> None:
    design = folder / "p" / "fpgacnn" / "design.json"
    tree = json.loads(design.read_text())
    tree["design"]["plan"]["layers"]["relu"]["result"]["format"] = "ufixed<4,2,TRN,SAT>"
    design.write_text(json.dumps(tree))


def table_of_the_plan(folder: Path) -> None:
    path = folder / "p" / "fpgacnn" / "design.npz"
    arrays = dict(read_arrays(path))
    table = max((name for name in arrays if arrays[name].dtype == np.int64), key=lambda name: arrays[name].size)
    arrays[table] = arrays[table] ^ (np.arange(arrays[table].size) == 0)
    path.write_bytes(packed(arrays))


def substituted(file: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "p" / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return change


def first_number(pattern: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = next((folder / "p" / "firmware" / "weights").glob(pattern))
        first, *others = path.read_text().split(",")
        path.write_text(",".join([f"{float(first) - 2.0**-3:.5f}", *others]))

    return change


BITS: dict[str, tuple[Callable[[Path], None], str, str, bool]] = {
    "a weight of the model": (weight_of_the_model, "model changed", "conv", True),
    "a rounding mode of the plan": (rounding_mode_of_the_plan, "plan changed", "relu", True),
    "a table of the plan": (table_of_the_plan, "plan changed", "act", False),
    "a weight of the code": (first_number("w2.txt"), "generated code changed", "relu", True),
    "a weight that only synthesis reads": (
        substituted("firmware/weights/w2.h", ", 0.", ", 1."),
        "generated code changed",
        "relu",
        False,
    ),
    "a rounding mode of the code": (
        substituted("firmware/defines.h", "AP_RND_CONV", "AP_TRN"),
        "generated code changed",
        "relu",
        True,
    ),
    "a table of the code": (first_number("*table*.txt"), "generated code changed", "act", False),
    "an operator of the code": (
        substituted("firmware/nnet_utils/nnet_mult.h", "return a * w;", "return a - w;"),
        "generated code changed",
        "",
        True,
    ),
    "the test bench": (
        substituted("tb_data/tb_output_predictions.dat", ".", ".1"),
        "generated code changed",
        "",
        False,
    ),
    "the build script": (substituted("build_prj.tcl", "set", "set "), "generated code changed", "", False),
}


@pytest.mark.parametrize("name", BITS)
def test_a_changed_bit_is_found_with_its_cause_and_layer(here: Path, name: str) -> None:
    change, cause, layer, in_answers = BITS[name]
    change(here)
    record = locked(here, 1)
    first = record["changes"][0]
    assert (first["cause"], first["layer"]) == (cause, layer)
    assert first["frozen"] != first["found"]
    if in_answers:
        where = record["divergences"][0]
        assert where["cause"] == cause
        assert where["layer"] == "relu"  # the node that computes conv, with the ReLU folded into it
        assert 0 <= where["event"] < 96
    said = run(here, "verify", "p", "--locked")
    assert said.returncode == 1
    assert "CHANGED" in said.stdout.splitlines()[0]
    assert said.stdout.splitlines()[1].strip().startswith(f"{cause}: ")


def test_a_compiler_that_disagrees_is_named_with_layer_event_and_codes(here: Path) -> None:
    compiler = here / "fake-g++"
    compiler.write_text(MISCOMPILING)
    compiler.chmod(0o755)
    record = locked(here, 1, CXX=str(compiler), XDG_CACHE_HOME=str(here / "own"))
    (divergence,) = record["divergences"]
    assert record["changes"] == []
    assert (divergence["engine"], divergence["cause"], divergence["layer"]) == ("csim", "compiler disagrees", "relu")
    assert divergence["frozen"] != divergence["found"]
    assert len(divergence["index"]) == 3
    assert any(
        note.startswith("compiler: g++ ") and note.endswith("when frozen, g++ (fake) 99 now")
        for note in record["notes"]
    )


def test_code_that_no_longer_compiles_is_a_change_first_of_all(here: Path) -> None:
    substituted("firmware/myproject.cpp", "config2>", "config1>")(here)
    record = locked(here, 1)
    assert [one["cause"] for one in record["changes"]] == ["generated code changed"]
    assert record["engines"] == ["emulator"]
    assert any("C simulation failed" in note for note in record["notes"])


def test_another_target_and_its_code_are_one_change(here: Path) -> None:
    convert(here, "--clock", "4")
    record = locked(here, 1)
    assert [(one["cause"], one["what"], one["frozen"], one["found"]) for one in record["changes"]] == [
        ("target changed", "clock_ns", "5.0", "4.0")
    ]
    assert any(note.endswith("generated files changed because of that") for note in record["notes"])


def test_a_project_whose_engines_disagree_is_not_frozen(here: Path) -> None:
    first_number("w2.txt")(here)
    shutil.rmtree(here / "p.golden")
    before = left(here)
    assert "C simulation and emulator differ first at " in failed(run(here, "freeze", "p"), 1, "FC163")
    assert left(here) == before


def test_events_of_another_shape_are_told(here: Path) -> None:
    sequential_file(here / "model.h5", entry("QActivation", "relu", activation="quantized_relu(4,2)"), shape=(3,))
    convert(here)
    record = locked(here, 1)
    assert record["engines"] == []
    assert record["changes"][0]["cause"] == "model changed"
    assert any("do not fit the network's inputs any more" in note for note in record["notes"])
