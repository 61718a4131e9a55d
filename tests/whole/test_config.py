"""`--config FILE.toml` gives target flags to every command that has them; the command line wins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import run
from tests.support.files import tiny_model

FLAGS = """
part = "zcu102"
clock = 4
io = "stream"
strategy = "resource"
input-type = "ufixed<6,1>"
softmax = "argmax"
bits = 6
sqnr = 50.0
fold = false

[layers.conv]
reuse = 3
[layers.logits]
strategy = "latency"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_model(tmp_path / "m.h5")
    (tmp_path / "flags.toml").write_text(FLAGS)
    return tmp_path


def estimated(folder: Path, *arguments: str) -> dict[str, Any]:
    done = run(folder, "estimate", "m.h5", "--config", "flags.toml", "--json", *arguments)
    assert done.stderr == ""
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def written_out(folder: Path, *arguments: str) -> dict[str, Any]:
    flags = [
        "--part",
        "zcu102",
        "--clock",
        "4",
        "--io",
        "stream",
        "--strategy",
        "resource",
        "--input-type",
        "ufixed<6,1>",
        "--softmax",
        "argmax",
    ]
    flags += ["--bits", "6", "--sqnr", "50", "--no-fold"]
    layers = ["--set", "conv.reuse=3", "--set", "logits.strategy=latency"]
    done = run(folder, "estimate", "m.h5", *flags, *layers, "--json", *arguments)
    assert done.stderr == ""
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_a_file_says_what_flags_say(folder: Path) -> None:
    assert estimated(folder) == written_out(folder)


def test_flags_win_and_settings_of_layers_are_joined(folder: Path) -> None:
    more = ["--clock", "2.5", "--set", "conv.reuse=9", "--io", "parallel"]
    assert estimated(folder, *more) == written_out(folder, *more)
    assert estimated(folder, *more) != estimated(folder)


def test_convert_takes_it_too(folder: Path) -> None:
    done = run(folder, "convert", "m.h5", "--config", "flags.toml", "-o", "out", "--no-csim", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    target = json.loads(done.stdout)["target"]
    assert (target["clock_ns"], target["io"], target["strategy"]) == (4.0, "stream", "resource")
    assert "static const unsigned reuse_factor = 3;" in (folder / "out" / "firmware" / "parameters.h").read_text()


def test_flags_that_a_command_does_not_have_are_said_in_one_line(folder: Path) -> None:
    done = run(folder, "fit", "m.h5", "--config", "flags.toml", "--max-latency", "1ms", "--json")
    assert done.stderr == ("note: flags.toml: strategy, layers have no effect: `fpgacnn fit` has no such flag\n")
    json.loads(done.stdout)
