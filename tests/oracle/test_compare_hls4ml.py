"""`compare-hls4ml` with the real hls4ml and the real Keras: it shows what the recipe itself computes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.onnx.kit import Graph, grid
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
"""The steps of hls4ml's documentation for Keras, word for word."""

RECIPE_ONNX = """
import sys
import numpy as np
np.product = np.prod
import hls4ml
import onnxruntime
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.channels_last import ConvertToChannelsLastAndClean
from qonnx.transformation.gemm_to_matmul import GemmToMatMul
from qonnx.util.cleanup import cleanup_model
model = cleanup_model(ModelWrapper("model.onnx"))
model = model.transform(ConvertToChannelsLastAndClean())
model = cleanup_model(model.transform(GemmToMatMul()))
config = hls4ml.utils.config_from_onnx_model(model, granularity="name", backend="Vitis")
project = hls4ml.converters.convert_from_onnx_model(
    model, hls_config=config, backend="Vitis", output_dir="recipe", io_type="io_parallel", part="xcu250-figd2104-2L-e"
)
project.compile()
events = np.load("events.npz")["input_0"]
answers = project.predict(np.ascontiguousarray(events))
session = onnxruntime.InferenceSession("model.onnx")
right = np.concatenate([session.run(None, {"x": one[None].astype(np.float32)})[0] for one in events])
np.savez("recipe.npz", hls4ml=answers, right=right)
"""
"""The steps of hls4ml's documentation for ONNX."""


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


def test_an_onnx_file_goes_through_the_recipe_of_onnx(tmp_path: Path) -> None:
    """A bias of 40 does not fit into the fixed<16,6> that the recipe gives to float networks."""
    graph = Graph.empty()
    window = {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1], "group": 1}
    image = graph.add("Conv", "x", graph.store(grid(1, 2, 1, 3, 3)), graph.store([0.5, 40.0]), **window)
    flat = graph.add("Flatten", graph.add("Relu", image))
    scores = graph.add("Gemm", flat, graph.store(grid(2, 18, 3, bits=3)), graph.store(grid(3, 3)))
    onnx.save(graph.model({"x": [1, 1, 5, 5]}, [scores]), tmp_path / "model.onnx")
    events = np.random.default_rng(7).integers(-8, 8, size=(30, 1, 5, 5)) / 4
    np.savez(tmp_path / "events.npz", input_0=events)
    command = ("compare-hls4ml", "model.onnx", "--input", "events.npz", "--io", "parallel", "--json")
    done = run_installed(tmp_path, *command)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    subprocess.run([sys.executable, "-c", RECIPE_ONNX], cwd=tmp_path, check=True, capture_output=True)
    recipe = np.load(tmp_path / "recipe.npz")

    theirs, ours = found["hls4ml"], found["fpgacnn"]
    difference = np.abs(recipe["hls4ml"].reshape(recipe["right"].shape) - recipe["right"])
    assert found["framework"].startswith("onnxruntime ")
    assert theirs["outputs"][0]["largest"] == pytest.approx(difference.max(), abs=1e-6)
    assert difference.max() > 1
    assert theirs["first"]["layer"] == "Conv_0"
    assert theirs["compared"] >= 3
    assert ours["compared"] >= 3
    assert ours["outputs"][0]["largest"] < 0.05 * ours["outputs"][0]["span"]
