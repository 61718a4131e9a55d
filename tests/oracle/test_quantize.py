"""`fpgacnn quantize` as a user runs it: better than post-training, killed and continued, pruned, without labels."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fpgacnn
from fpgacnn import frontends
from fpgacnn.errors import DivergedError, FileInTheWayError, UsageError
from fpgacnn.ir import source as src
from fpgacnn.jobs.quantize.record import QuantizeRecord
from fpgacnn.passes.quantization import quantizers
from fpgacnn.training.keras import make_reproducible, open_keras
from fpgacnn.training.keras.loop import Checkpoint, DataPart, Epoch, Loss, TrainingSettings, Watch, fine_tune
from fpgacnn.training.keras.qkeras_export import export_to_qkeras
from tests.support.command import environment, failed, left, run
from tests.support.files import entry, linear, sequential_file, tiny_model

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # Keras and QKeras warn a lot

DIGITS = Path(__file__).parents[2] / "models/digits/digits_float.h5"
EPOCHS = 4
SETTINGS: Mapping[str, Any] = {"epochs": EPOCHS, "batch": 32}


def quantized(output: Path, **settings: Any) -> QuantizeRecord:
    return fpgacnn.quantize(DIGITS, "digits", output, **{**SETTINGS, **settings})


KILLED = """
import os, signal, sys, fpgacnn

def watch(epoch, _):
    if epoch.number == 2:
        os.kill(os.getpid(), signal.SIGKILL)

fpgacnn.quantize(sys.argv[1], "digits", "killed.h5", epochs=int(sys.argv[2]), batch=32, watch=watch)
"""


def test_a_killed_training_goes_on_to_the_very_result_of_one_that_was_not(tmp_path: Path) -> None:
    whole = json.loads(quantized(tmp_path / "whole.h5").to_json())
    command = ["quantize", str(DIGITS), "--data", "digits", "-o", "killed.h5", "--epochs", str(EPOCHS), "--batch", "32"]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(DIGITS), str(EPOCHS)],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed.h5").exists()
    done = run(tmp_path, *command, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    again = json.loads(done.stdout)
    assert again["continued_from"] == 2
    assert whole["continued_from"] is None
    for key in ("output_digest", "quality", "epochs", "best_epoch", "layers"):
        assert again[key] == whole[key], key
    assert (tmp_path / "killed.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"whole.h5", "killed.h5"}

    formats = {row["layer"]: row["weight_format"] or row["result_format"] for row in whole["layers"]}
    assert formats == {
        "conv1": "fixed<6,1>",
        "relu1": "ufixed<6,2>",
        "conv2": "fixed<6,1>",
        "relu2": "ufixed<6,4>",
        "logits": "fixed<6,1>",
    }
    validation, test = whole["quality"]
    assert validation["measure"] == test["measure"] == "accuracy"
    assert (validation["events"], test["events"]) == (300, 397)
    assert validation["fine_tuned"] >= validation["float_network"] - 0.005
    assert test["fine_tuned"] >= test["float_network"] - 0.005
    losses = [epoch["validation_loss"] for epoch in whole["epochs"]]
    assert losses[whole["best_epoch"]] == min(losses)
    assert len(losses) == EPOCHS + 1


class Ended(Exception):  # noqa: N818 - what ends the training in a test
    pass


def ended_after(epoch: int) -> Watch:
    def watch(one: Epoch, _epochs: int) -> None:
        if one.number == epoch:
            raise Ended

    return watch


def test_a_checkpoint_of_other_settings_is_not_continued(tmp_path: Path) -> None:
    output, checkpoint = tmp_path / "q.h5", tmp_path / "q.h5.training.npz"
    with pytest.raises(Ended):
        quantized(output, seed=2, epochs=2, watch=ended_after(1))
    assert quantized(output, seed=3, epochs=2).continued_from is None
    assert not checkpoint.exists()


def test_a_damaged_checkpoint_is_neither_continued_nor_replaced(tmp_path: Path) -> None:
    """It could be a file of the user's."""
    output, checkpoint = tmp_path / "q.h5", tmp_path / "q.h5.training.npz"
    with pytest.raises(Ended):
        quantized(output, seed=2, epochs=2, watch=ended_after(1))
    checkpoint.write_bytes(checkpoint.read_bytes()[:-200])
    before = checkpoint.read_bytes()
    with pytest.raises(FileInTheWayError, match=r"q\.h5\.training\.npz"):
        quantized(output, seed=2, epochs=2)
    assert checkpoint.read_bytes() == before


def test_pruned_weights_are_zeros_in_the_file_and_the_project_is_proven(tmp_path: Path) -> None:
    found = quantized(tmp_path / "q.h5", sparsity=0.5, augment="known", project=tmp_path / "hls")
    network = frontends.load(tmp_path / "q.h5")
    for layer in network.layers:
        if isinstance(layer.operation, src.Linear):
            kernel = layer.operation.kernel
            values = quantizers.apply(kernel.values, kernel.quantizer).product
            assert np.mean(values == 0) >= 0.5 - 0.5 / values.size, layer.name
    assert found.epochs[found.best_epoch].sparsity == 0.5
    conversion = found.conversion
    assert conversion is not None
    assert conversion.plan.exact
    assert [report.mismatches for report in conversion.verification] == [0] * len(conversion.verification)
    assert {("csim", 397), ("emulator", 397)} <= {(report.left, report.events) for report in conversion.verification}
    (accuracy,) = conversion.quality
    assert (accuracy.float_network, accuracy.hardware) == (found.quality[1].float_network, found.quality[1].fine_tuned)


def test_without_labels_the_float_network_is_imitated(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    conv = {"kernel": random.normal(size=(3, 3, 1, 4)), "bias": random.normal(size=4)}
    dense = {"kernel": random.normal(size=(64, 2)) / 4, "bias": random.normal(size=2)}
    network = sequential_file(
        tmp_path / "float.h5",
        entry("Conv2D", "conv", filters=4, kernel_size=[3, 3], activation="relu", weights=conv),
        entry("Flatten", "flatten"),
        entry("Dense", "values", units=2, weights=dense),
        shape=(6, 6, 1),
    )
    np.savez(
        tmp_path / "events.npz", input_0=random.integers(0, 64, size=(300, 6, 6, 1)) / 64, groups=np.arange(300) // 3
    )
    found = fpgacnn.quantize(network, tmp_path / "events.npz", tmp_path / "q.h5", bits="4", epochs=8, batch=16)
    quality = found.quality[1]
    assert quality.measure == "variance of the float answers explained"
    assert quality.float_network == 1.0
    assert 0.5 < quality.post_training < quality.fine_tuned < 1.0
    assert found.events == {"train": 210, "validation": 45, "test": 45}


def test_without_epochs_the_calibrated_network_is_written_and_nothing_else(tmp_path: Path) -> None:
    found = quantized(tmp_path / "new" / "q.h5", epochs=0)
    assert (found.best_epoch, len(found.epochs)) == (0, 1)
    assert all(row.fine_tuned == row.post_training for row in found.quality)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["q.h5"]


def test_a_loss_beyond_all_numbers_ends_the_training(tmp_path: Path) -> None:
    """Quantizers keep answers finite whatever the rate is, so the goals have to be absurd."""
    layers = (entry("Flatten", "flatten"), entry("Dense", "d", units=2, weights=linear(4, 2)))
    network = frontends.load(sequential_file(tmp_path / "float.h5", *layers, shape=(2, 2, 1)))
    modules = open_keras()
    make_reproducible(modules, 1)
    part = DataPart(inputs=(np.ones((8, 2, 2, 1)),), targets=(np.full((8, 2), 1e30),))
    checkpoint = Checkpoint(file=tmp_path / "c.npz", signature="")
    with pytest.raises(DivergedError, match="training diverged in epoch 1: the loss is inf") as caught:
        fine_tune(
            modules,
            export_to_qkeras(modules, network),
            [Loss.VALUES],
            part,
            part,
            TrainingSettings(),
            checkpoint=checkpoint,
        )
    assert (caught.value.exit_status, "--learning-rate" in caught.value.hint) == (1, True)
    assert not checkpoint.file.exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"augment": "known"}, "--augment known needs a data set by name; for other data give changes"),
        ({"augment": "mirror"}, "--augment mirror: expected shift=ROWSxCOLUMNS, degrees=N"),
        ({"budget": "ebops=50%", "bits": "6,2"}, "--budget finds the integer bits itself"),
        ({"output": "float.h5"}, "is an input of this command"),
    ],
)
def test_what_does_not_fit_together_is_refused_before_anything_is_trained(
    tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    layers = (entry("Flatten", "flatten"), entry("Dense", "d", units=2, weights=linear(4, 2)))
    network = sequential_file(tmp_path / "float.h5", *layers, shape=(2, 2, 1))
    np.savez(tmp_path / "events.npz", input_0=np.random.default_rng(1).random((60, 2, 2, 1)), labels=np.arange(60) % 2)
    output = tmp_path / settings.pop("output", "q.h5")
    with pytest.raises(UsageError, match=words):
        fpgacnn.quantize(network, tmp_path / "events.npz", output, **settings)
    assert {path.name for path in tmp_path.iterdir()} == {"float.h5", "events.npz"}


def test_what_cannot_be_quantized_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    tiny_model(tmp_path / "quantized.h5")
    np.savez(tmp_path / "events.npz", input_0=np.zeros((40, 4, 4, 1)), labels=np.arange(40) % 3)
    done = run(tmp_path, "quantize", "quantized.h5", "--data", "events.npz", "-o", "q.h5")
    assert failed(done, 2, "FC140").endswith("layer 'conv' has a quantizer already: quantized_bits(6,0,0,alpha=1)")
    assert left(tmp_path) == {"quantized.h5", "events.npz"}


def test_without_a_folder_the_project_lies_where_convert_puts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    conversion = quantized(tmp_path / "q.h5", epochs=1, convert=True).conversion
    assert conversion is not None
    assert conversion.holds
    assert conversion.project is not None
    assert conversion.project.folder.startswith("hls_projects/q-")
    assert (tmp_path / conversion.project.folder / "fpgacnn.json").is_file()
