"""`benchmarks/estimate.py` on a small data set written here: what it prints, what it writes, and what it survives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.command import environment

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "estimate.py"
WIRE = {"type": "ap_fixed", "w": 16, "i": 6, "signed": True, "q": None, "o": None}


def layer(inputs: int, outputs: int, reuse: int, number: int) -> dict[str, Any]:
    """A dense layer of a meta.json."""
    weights = [
        {
            "var": f"w{number}",
            "shape": [inputs, outputs],
            "n": inputs * outputs,
            "zeros": 0,
            "pow2": 4,
            "csd_digits": 3 * inputs * outputs,
            "max_abs_int": 900,
        }
    ]
    types = {"weight_t": WIRE, "accum_t": WIRE, "in_t": WIRE, "out_t": WIRE}
    config = {"fn": "dense", "name": f"d{number}", "config": f"config{number}", "config_type": "dense_config"}
    return {
        **config,
        **types,
        "n_in": inputs,
        "n_out": outputs,
        "reuse_factor": reuse,
        "strategy": "nnet::resource",
        "weights": weights,
    }


def design(repository: str, reuse: int) -> dict[str, Any]:
    """A design of two layers, whose truth is near what multiplications over reuse say."""
    truth = {
        "LUT": 5000 + 30_000 // reuse,
        "FF": 4000,
        "DSP": (16 * 32 + 32 * 8) // reuse,
        "BRAM_18K": 20,
        "URAM": 0,
        "latency_max": 2 * reuse + 12,
        "ii_max": reuse + 1,
    }
    return {
        "id": f"{repository}-{reuse}",
        "repo": repository,
        "tool": "Vivado HLS 2019.2",
        "part": "xcvu9p-flgb2104-2-i",
        "clock_ns": 5.0,
        "io_type": "io_parallel",
        "pragmas": ["DATAFLOW"],
        "layers": [layer(16, 32, reuse, 2), layer(32, 8, reuse, 4)],
        "result": truth,
        "instances": {
            "dense_U0": {
                "config": "config2",
                "LUT": 3000,
                "FF": 2000,
                "DSP": 512 // reuse,
                "BRAM_18K": 10,
                "lat_max": reuse + 3,
                "ii_max": reuse,
            }
        },
        "vivado_synth": {"LUT": 3000, "FF": 3500, "DSP": truth["DSP"], "BRAM36": 8},
        "tier": "A",
    }


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Four repositories of two designs, a duplicate, a useless design, and one with unknown fields."""
    metas = [design(f"who/r{place}", reuse) for place in range(4) for reuse in (4, 8)]
    metas.append(metas[0] | {"id": "again", "near_duplicate_group": "g0"})
    metas[0]["near_duplicate_group"] = "g0"
    metas.append({"id": "no-layers", "layers": [], "result": {"LUT": 5}, "tier": "A"})
    metas.append(
        design("who/odd", 8)
        | {
            "part": "xc9unknown-1",
            "fifo_depths": "many",
            "vivado_synth": [],
            "new_field": {"a": 1},
            "instances": {"x": None},
        }
    )
    for meta in metas:
        folder = tmp_path / "data" / "designs" / meta["id"].replace("/", "--")
        folder.mkdir(parents=True)
        (folder / "meta.json").write_text(json.dumps(meta))
    np.savez(
        tmp_path / "data" / "designs" / "who--r1-4" / "weights_int.npz",
        w2=np.full((16, 32), 683),
        w4=np.full((32, 8), 21),
    )
    return tmp_path / "data"


def run(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False, timeout=240
    )


@pytest.mark.parametrize("flags", [("--no-fit",), ()], ids=["shipped", "leave-one-out"])
def test_scores_are_printed_and_written(tmp_path: Path, dataset: Path, flags: tuple[str, ...]) -> None:
    done = run(tmp_path, dataset, *flags, "--json", tmp_path / "out.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "10 designs, 5 repositories; each repository weighs the same" in done.stdout
    assert "csynth against synthesis" in done.stdout
    document = json.loads((tmp_path / "out.json").read_text())
    score = document["quantities"]["DSP"]["parallel/resource"]
    assert {"median_ape", "p90_ape", "designs", "band_coverage"} <= score.keys()
    assert score["designs"] == 9
    assert score["median_ape"] == 0
    assert 0 <= document["quantities"]["LUT"]["all"]["band_coverage"] <= 1
    first = next(one for one in document["designs"] if one["id"] == "who/r1-4")
    assert first["quantities"]["DSP"]["truth"] == 192
    assert (
        first["quantities"]["LUT"]["low"]
        <= first["quantities"]["LUT"]["estimate"]
        <= first["quantities"]["LUT"]["high"]
    )


def test_a_folder_without_designs_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run(tmp_path, tmp_path / "empty", "--no-fit")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no design with a report that matches its firmware" in done.stderr


def test_one_repository_cannot_be_left_out(tmp_path: Path, dataset: Path) -> None:
    for folder in (dataset / "designs").iterdir():
        if not folder.name.startswith("who--r1"):
            (folder / "meta.json").unlink()
    done = run(tmp_path, dataset)
    assert (done.returncode, done.stdout) == (2, "")
    assert "needs two of them" in done.stderr
