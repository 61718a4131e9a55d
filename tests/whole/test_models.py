"""`fpgacnn verify --models`.

Whole folders of networks, the project's own, made ones, and trained ones of third parties.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.sim.source_reference import evaluate
from tests.support import files
from tests.support.command import failed, run

ROOT = Path(__file__).parents[2]
WILD = Path(os.environ.get("FPGACNN_WILD") or ROOT.parent / "shared" / "wild")
WILD_SAMPLE = ("toollip_v3.keras", "kdd.h5", "neut_q10.h5", "l1jet.h5", "qkv3_3layer.keras", "hgqae_jsc.keras")
"""Small ones, so that C simulation of all takes a minute; all others go by hand: `fpgacnn verify --models`."""


def answered(path: Path, events: int = 40) -> None:
    """Events beside a model, and what the float64 reference answers."""
    network = frontends.load(path)
    random = np.random.default_rng(events)
    inputs = [random.integers(0, 64, size=(events, *network.layer(name).shape)) / 64 for name in network.inputs]
    answers = evaluate(network, inputs, quantized=True)
    given = {f"input_{number}": one for number, one in enumerate(inputs)}
    np.savez(
        path.with_name(f"{path.name}.npz"),
        **given,
        **{f"output_{number}": answers[name] for number, name in enumerate(network.outputs)},
    )


def outcomes(stdout: str) -> dict[str, str]:
    return {one["model"]: one["outcome"] for one in json.loads(stdout)["models"]}


@pytest.mark.agree
def test_a_folder_of_models_is_judged_one_by_one(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    answered(files.tiny_model(models / "good.h5"))
    files.tiny_model(models / "alone.h5")
    answered(files.tiny_model(models / "wrong.h5"))
    with np.load(models / "wrong.h5.npz") as arrays:
        changed = {name: arrays[name] for name in arrays.files}
    changed["output_0"] = changed["output_0"] + 2.0**-7
    np.savez(models / "wrong.h5.npz", **changed)
    (models / "broken.h5").write_bytes(b"\x89HDF\r\n\x1a\n nothing more")
    random = np.random.default_rng(1)
    weights = {
        "kernel:0": random.normal(size=(5, 2)).astype(np.float32),
        "bias:0": random.normal(size=2).astype(np.float32),
    }
    answered(
        files.sequential_file(models / "float.h5", files.entry("Dense", "d", units=2, weights=weights), shape=(5,))
    )

    done = run(tmp_path, "verify", "--models", "models", "--json")
    assert done.returncode == 1, done.stderr
    assert outcomes(done.stdout) == {
        "good.h5": "exact",
        "alone.h5": "unverified",
        "wrong.h5": "DIFFERENT",
        "broken.h5": "refused",
        "float.h5": "refused",
    }

    (models / "wrong.h5").unlink()
    done = run(tmp_path, "verify", "--models", "models", "--no-csim", "--bits", "14")
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines() if line.split()}
    assert rows["float.h5"] == "near"
    assert done.stdout.splitlines()[-1] == "4 models: 1 exact, 1 near, 1 unverified, 1 refused"


def test_a_model_that_takes_too_long_is_late(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    files.tiny_model(tmp_path / "models" / "m.h5")
    done = run(tmp_path, "verify", "--models", "models", "--timeout", "0.05", "--json")
    assert (done.returncode, outcomes(done.stdout)) == (1, {"m.h5": "LATE"})


def test_a_project_or_a_folder_of_models_but_not_both(tmp_path: Path) -> None:
    assert failed(run(tmp_path, "verify"), 2, "FC002") == "error[FC002] give a project folder, or --models DIR"
    assert failed(run(tmp_path, "verify", "p", "--models", "m"), 2, "FC002").endswith(
        "give a project or --models DIR, not both"
    )
    assert failed(run(tmp_path, "verify", "--models", "none"), 2, "FC010").endswith("none: it is not a folder")


@pytest.mark.agree
def test_the_projects_own_models_are_exact(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for name in ("digits", "km3net"):
        answered(Path(shutil.copy(ROOT / "models" / name / f"{name}.h5", models)))
    done = run(tmp_path, "verify", "--models", "models", "--io", "parallel", "--json")
    assert (done.returncode, set(outcomes(done.stdout).values())) == (0, {"exact"}), done.stdout


@pytest.mark.agree
@pytest.mark.skipif(
    not (WILD / "manifest.json").exists(), reason="no networks of third parties: FPGACNN_WILD names none"
)
def test_trained_networks_of_others_are_right_or_refused(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for name in WILD_SAMPLE:
        for path in (WILD / name, WILD / f"{name}.npz"):
            (models / path.name).symlink_to(path)
    done = run(tmp_path, "verify", "--models", "models", "--bits", "16", "--json")
    found = outcomes(done.stdout)
    assert done.returncode == 0, done.stdout
    assert set(found) == set(WILD_SAMPLE)
    assert sum(outcome == "refused" for outcome in found.values()) <= 1
    assert found["neut_q10.h5"] == "exact"
