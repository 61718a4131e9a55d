"""The oracle on the shipped networks: their files load, and answer as well as their README says."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.errors import DataPackageMissingError, MissingExtraError
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.training.data import Dataset, Splits
from fpgacnn.training.data.digits import load_digits
from fpgacnn.training.data.km3net import load_km3net, load_km3net_external
from fpgacnn.training.data.metrics import accuracy, efficiency_at_false_positive_rate, roc_auc
from fpgacnn.training.keras import Schedule, fit, make_reproducible, open_keras, save
from fpgacnn.training.keras.oracle import run_keras

pytestmark = pytest.mark.train

MODELS = Path(__file__).parents[2] / "models"
EXTRA = ("tensorflow", "tf_keras", "tensorflow_model_optimization", "qkeras")


@pytest.fixture(autouse=True)
def _train_extra() -> None:
    """Look for the packages without importing them: the oracle wants to be the first who does."""
    missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs the train extra: {', '.join(missing)} not installed")


@pytest.fixture(scope="module")
def digits() -> Splits:
    try:
        return load_digits()
    except DataPackageMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def km3net() -> dict[str, Dataset]:
    try:
        splits, external = load_km3net(), load_km3net_external()
    except DataPackageMissingError as error:
        pytest.skip(str(error))
    return {part.name: part for part in (splits.validation, splits.test, external)}


def stated(readme: Path, *first_cells: str) -> list[float]:
    """The numbers of the README's first table row that begins with these cells."""
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in readme.read_text().splitlines()
        if line.startswith("|")
    ]
    row = next(row for row in rows if tuple(row[: len(first_cells)]) == first_cells)
    return [float(cell) for cell in row[len(first_cells) :]]


# Sums of a quantized network are exact in float32 on every processor; those of a float network are not.
@pytest.mark.parametrize(("file", "tolerance", "least"), [("digits.h5", 0.0, 0.975), ("digits_float.h5", 0.003, 0.96)])
def test_the_digits_networks_are_as_accurate_as_their_readme_says(
    digits: Splits, file: str, tolerance: float, least: float
) -> None:
    _, _, validation, test, _ = stated(MODELS / "digits" / "README.md", f"`{file}`")
    for part, figure in ((digits.validation, validation), (digits.test, test)):
        answer = run_keras(MODELS / "digits" / file, [part.x])
        assert answer.outputs[0].shape == (len(part), 10)
        assert accuracy(answer.outputs[0], part.y) == pytest.approx(figure, abs=tolerance + 0.00005)
    assert test >= least


@pytest.mark.parametrize(("file", "tolerance"), [("km3net.h5", 0.0), ("km3net_float.h5", 0.003)])
def test_the_km3net_networks_separate_as_well_as_their_readme_says(
    km3net: dict[str, Dataset], file: str, tolerance: float
) -> None:
    for name, part in km3net.items():
        auc, efficiency, low_efficiency = stated(MODELS / "km3net" / "README.md", f"`{file}`", name)
        scores = run_keras(MODELS / "km3net" / file, [part.x]).outputs[0][:, 0]
        seen = [
            roc_auc(scores, part.y),
            *(efficiency_at_false_positive_rate(scores, part.y, rate) for rate in (0.01, 0.001)),
        ]
        assert seen == pytest.approx([auc, efficiency, low_efficiency], abs=tolerance + 0.00005)
        assert auc >= 0.992


def test_every_layers_result_is_given_by_name(digits: Splits) -> None:
    answer = run_keras(MODELS / "digits" / "digits.h5", [digits.test.x[:5]], layers=True)
    shapes = {name: array.shape[1:] for name, array in answer.layers.items()}
    assert shapes == {
        "conv1": (6, 6, 8),
        "relu1": (6, 6, 8),
        "conv2": (4, 4, 16),
        "relu2": (4, 4, 16),
        "pool": (2, 2, 16),
        "flatten": (64,),
        "logits": (10,),
    }
    assert np.array_equal(answer.layers["logits"], answer.outputs[0])
    assert np.array_equal(answer.layers["relu1"] * 16, np.clip(np.rint(answer.layers["conv1"] * 16), 0, 63))
    assert {array.dtype for array in answer.layers.values()} == {np.dtype(np.float64)}


def test_layers_are_given_only_when_asked_for_and_the_batch_does_not_matter(digits: Splits) -> None:
    file = MODELS / "digits" / "digits.h5"
    whole, pieces = run_keras(file, [digits.test.x]), run_keras(file, [digits.test.x], batch=7)
    assert not whole.layers
    assert np.array_equal(whole.outputs[0], pieces.outputs[0])


def test_two_inputs_two_outputs_and_a_layer_called_twice(tmp_path: Path) -> None:
    keras = open_keras().keras
    left, right = keras.Input((3,), name="left"), keras.Input((3,), name="right")
    shared = keras.layers.Dense(2, name="shared")
    first, second = shared(left), shared(right)
    model = keras.Model([left, right], [keras.layers.Add(name="sum")([first, second]), second])
    x = np.arange(6.0).reshape(2, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(tmp_path / "two.h5")
    answer = run_keras(tmp_path / "two.h5", [x, x + 1], layers=True)
    total, of_right = answer.outputs
    assert total == pytest.approx(answer.layers["shared"] + of_right)
    assert np.array_equal(answer.layers["shared:1"], of_right)
    assert np.array_equal(answer.layers["left"], x)


def test_pruning_wrappers_are_stripped_and_what_they_mask_stays_masked(tmp_path: Path) -> None:
    modules = open_keras()
    keras, qkeras = modules.keras, modules.qkeras
    dense = qkeras.QDense(2, kernel_quantizer=qkeras.quantized_bits(4, 0, alpha=1), name="dense")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pruned = modules.tfmot.sparsity.keras.prune_low_magnitude(keras.Sequential([keras.Input((3,)), dense]))
        mask = np.array(
            [[1, 0], [0, 1], [0, 0]], np.float32
        )  # the optimizer may have moved a weight since the mask was applied
        next(one for one in pruned.weights if one.name.endswith("mask:0")).assign(mask)
        pruned.save(tmp_path / "pruned.h5")
        expected = pruned.predict(np.eye(3), verbose=0)
    answer = run_keras(tmp_path / "pruned.h5", [np.eye(3)], layers=True)
    assert list(answer.layers) == ["dense"]
    assert np.array_equal(answer.outputs[0], expected)
    network = frontends.load(tmp_path / "pruned.h5")
    assert np.array_equal(evaluate(network, [np.eye(3)], quantized=True)["dense"], expected)
    assert np.count_nonzero(expected) <= np.count_nonzero(mask)


def test_training_twice_from_one_seed_gives_the_same_network_and_never_looks_at_the_test_part(
    digits: Splits, tmp_path: Path
) -> None:
    modules = open_keras()
    nothing = Dataset(name="none", x=digits.test.x[:0], y=digits.test.y[:0], description="")
    few = Dataset(name="few", x=digits.train.x[:100], y=digits.train.y[:100], description="")
    schedule = Schedule(seed=5, epochs=3, batch=32, learning_rate=0.01)
    answers = []
    for file in (tmp_path / "one.h5", tmp_path / "two.h5"):
        make_reproducible(modules, schedule.seed)
        model = modules.keras.Sequential(
            [modules.keras.Input((8, 8, 1)), modules.keras.layers.Flatten(), modules.keras.layers.Dense(10)]
        )
        loss = modules.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        best = fit(
            modules, model, Splits(train=few, validation=digits.validation, test=nothing), loss=loss, schedule=schedule
        )
        assert 1 <= best <= schedule.epochs
        save(model, file)
        answers.append(run_keras(file, [digits.test.x]).outputs[0])
    assert np.array_equal(answers[0], answers[1])
    assert accuracy(answers[0], digits.test.y) > 0.2


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter without our settings, because TensorFlow is imported once in a process's life."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "CUDA_"))}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=MODELS.parent, env=environment
    )


def test_the_oracle_is_silent() -> None:
    code = f"""
import numpy as np
from pathlib import Path
from fpgacnn.training.keras.oracle import run_keras
run_keras(Path({str(MODELS)!r}, "digits", "digits.h5"), [np.zeros((1, 8, 8, 1))])
"""
    done = run_python(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_importing_the_oracle_does_not_import_tensorflow() -> None:
    done = run_python("import fpgacnn.training.keras.oracle, sys; sys.exit('tensorflow' in sys.modules)")
    assert done.returncode == 0, done.stderr


def test_keras_3_in_the_way_is_named() -> None:
    code = """
import tensorflow
tensorflow.keras.layers
from fpgacnn.errors import ForeignToolError
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.training.keras import Schedule, fit, make_reproducible, open_keras, save
try:
    open_keras()
except ForeignToolError as error:
    print(error)
"""
    assert "Keras 3 was loaded before fpgacnn could select Keras 2" in run_python(code).stdout


@pytest.mark.parametrize("package", EXTRA)
def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=f"needs {package}, which is not installed") as caught:
        open_keras()
    assert "fpgacnn[train]" in caught.value.hint
