"""`compare-hls4ml` with the real hls4ml and the real Keras: it shows what the recipe itself computes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.command import run_installed
from tests.support.files import entry, linear, quantized_bits, sequential_file

pytestmark = [pytest.mark.train, pytest.mark.agree]

RECIPE = """
import os, sys
os.environ["TF_USE_LEGACY_KERAS"] = "1"
import numpy as np
np.product = np.prod
import tf_keras
sys.modules["keras"] = tf_keras
import hls4ml
from qkeras.utils import _add_supported_quantized_objects
known = {}
_add_supported_quantized_objects(known)
model = tf_keras.models.load_model("model.h5", custom_objects=known, compile=False)
config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="Vitis")
project = hls4ml.converters.convert_from_keras_model(
    model, hls_config=config, backend="Vitis", output_dir="recipe", io_type="io_stream", part="xcu250-figd2104-2L-e"
)
project.compile()
events = np.load("events.npz")["input_0"]
answers = project.predict(np.ascontiguousarray(events))
np.savez("recipe.npz", hls4ml=answers, keras=model.predict(events, verbose=0))
"""
"""The steps of hls4ml's documentation, word for word."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A network whose quantizer behind a dense layer hls4ml 1.3.0 leaves out with its rounding, and 40 events."""
    quantizers = {"kernel_quantizer": quantized_bits(), "bias_quantizer": quantized_bits()}
    sequential_file(
        tmp_path / "model.h5",
        entry("QDense", "hidden", units=6, weights=linear(5, 6), **quantizers),
        entry("QActivation", "coarse", activation="quantized_bits(3,1,alpha=1)"),
        entry("QDense", "scores", units=3, weights=linear(6, 3), **quantizers),
        shape=(5,),
    )
    random = np.random.default_rng(5)
    events = random.integers(-8, 8, size=(40, 5)) / 4
    np.savez(tmp_path / "events.npz", input_0=events, labels=random.integers(0, 3, size=40))
    return tmp_path


def test_it_shows_what_the_recipe_computes_and_where_it_first_differs(folder: Path) -> None:
    done = run_installed(folder, "compare-hls4ml", "model.h5", "--input", "events.npz", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run([sys.executable, "-c", RECIPE], cwd=folder, env=environment, check=True, capture_output=True)
    recipe, labels = np.load(folder / "recipe.npz"), np.load(folder / "events.npz")["labels"]

    theirs, ours = found["hls4ml"], found["fpgacnn"]
    difference = np.abs(recipe["hls4ml"] - recipe["keras"])
    assert difference.max() > 0.1
    assert theirs["answers"]
    assert theirs["outputs"][0]["largest"] == pytest.approx(difference.max(), abs=1e-6)
    same = (recipe["hls4ml"].argmax(axis=1) == recipe["keras"].argmax(axis=1)).sum()
    assert theirs["outputs"][0]["same"] == same < 40
    assert theirs["measures"]["accuracy"] == pytest.approx((recipe["hls4ml"].argmax(axis=1) == labels).mean())
    assert found["measures"]["accuracy"] == pytest.approx((recipe["keras"].argmax(axis=1) == labels).mean())
    assert theirs["first"]["layer"] == "coarse"
    assert theirs["compared"] == 2  # `hidden` has no node of its own: hls4ml merges the two

    assert ours["first"] is None
    assert ours["outputs"] == [
        {"output": "scores", "largest": 0.0, "span": pytest.approx(np.ptp(recipe["keras"])), "same": 40}
    ]
    assert theirs["fifo_bits"] > ours["fifo_bits"] > 0
    assert theirs["estimate"]["after_synthesis"]["lut"]["value"] > 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "cache",
        "events.npz",
        "model.h5",
        "recipe",
        "recipe.npz",
        "tmp",
    ]
    assert list((folder / "tmp").iterdir()) == []
