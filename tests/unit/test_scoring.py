"""Quality of regressions, autoencoders and classifiers, compared with figures computed here; and what is not used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fpgacnn
from fpgacnn.errors import ArrayFileError, ArrayShapeError
from fpgacnn.records.record import RunRecord
from fpgacnn.system.npz import class_numbers, events_for
from tests.support.files import entry, linear, quantized_bits, sequential_file

OPTIONS: dict[str, Any] = {"csim_events": 0, "reference": "none", "input_type": "fixed<10,5>"}
RANDOM = np.random.default_rng(8)


def dense(name: str, *sizes: int) -> Any:
    return entry("QDense", name, units=sizes[1], kernel_quantizer=quantized_bits(4, 0), weights=linear(*sizes))


def converted(folder: Path, file: Path, **arrays: Any) -> tuple[RunRecord, np.ndarray]:
    """A run on these arrays, and the hardware's answers to them."""
    run = fpgacnn.convert(file, input=arrays, output=folder / "p", **OPTIONS)
    answers = fpgacnn.simulate(folder / "p", {"input_0": arrays["input_0"]}).values
    return run, next(iter(answers.values()))


def area(scores: np.ndarray, labels: np.ndarray) -> float:
    """ROC AUC by counting all pairs."""
    pairs = [(one, other) for one in scores[labels == 1] for other in scores[labels == 0]]
    return sum(1.0 if one > other else 0.5 if one == other else 0.0 for one, other in pairs) / len(pairs)


def test_wanted_answers_give_the_mean_squared_error(tmp_path: Path) -> None:
    file = sequential_file(tmp_path / "m.h5", dense("energy", 6, 2), shape=(6,))
    events, wanted = RANDOM.normal(size=(30, 6)), RANDOM.normal(size=(30, 2))
    run, answers = converted(tmp_path, file, input_0=events, target_0=wanted)
    (found,) = run.quality
    assert (found.measure, found.events) == ("MSE of energy", 30)
    assert found.hardware == pytest.approx(float(np.mean((answers - wanted) ** 2)))
    assert found.quantized == found.hardware


def test_an_autoencoder_is_judged_by_its_reconstruction_and_labels_by_the_error_of_each_event(tmp_path: Path) -> None:
    file = sequential_file(tmp_path / "m.h5", dense("code", 6, 2), dense("decoded", 2, 6), shape=(6,))
    events, labels = RANDOM.normal(size=(40, 6)), np.arange(40) % 2
    events[labels == 1] *= 2
    run, answers = converted(tmp_path, file, input_0=events, labels=labels)
    errors = np.mean((answers - events) ** 2, axis=1)
    assert [one.measure for one in run.quality] == ["reconstruction MSE", "ROC AUC of the reconstruction MSE"]
    assert run.quality[0].hardware == pytest.approx(float(errors.mean()))
    assert run.quality[1].hardware == pytest.approx(area(errors, labels))
    alone, _ = converted(tmp_path, file, input_0=events)
    assert [one.measure for one in alone.quality] == ["reconstruction MSE"]
    assert not any("not used" in note for note in alone.notes)
    wrong, _ = converted(tmp_path, file, input_0=events, labels=np.arange(40) % 3)
    assert [one.measure for one in wrong.quality] == ["reconstruction MSE"]
    assert any("labels beside an error for each event must be 0 and 1" in note for note in wrong.notes)


def test_every_class_has_its_efficiency_and_one_hot_labels_are_classes(tmp_path: Path) -> None:
    file = sequential_file(tmp_path / "m.h5", dense("scores", 6, 3), shape=(6,))
    events, labels = RANDOM.normal(size=(60, 6)), RANDOM.integers(0, 3, 60)
    run, answers = converted(tmp_path, file, input_0=events, labels=labels)
    (found,) = run.quality
    chosen = answers.argmax(axis=1)
    assert found.hardware == pytest.approx(float(np.mean(chosen == labels)))
    assert [(one.label, one.events) for one in found.classes] == [(k, int(np.sum(labels == k))) for k in range(3)]
    for one in found.classes:
        assert one.hardware == pytest.approx(float(np.mean(chosen[labels == one.label] == one.label)))
    again, _ = converted(tmp_path, file, input_0=events, labels=np.eye(3)[labels])
    assert again.quality == run.quality


def test_arrays_without_a_use_are_named(tmp_path: Path) -> None:
    file = sequential_file(tmp_path / "m.h5", dense("scores", 6, 3), shape=(6,))
    run, _ = converted(tmp_path, file, input_0=RANDOM.normal(size=(9, 6)), y=np.arange(9) % 3, groups=np.arange(9))
    assert run.quality == ()
    (note,) = (note for note in run.notes if "not used" in note)
    assert note.startswith("y of arrays in memory is not used: labels are named labels")


def test_wanted_answers_of_a_softmax_that_is_left_out_are_not_used(tmp_path: Path) -> None:
    softmax = entry("Activation", "probability", activation="softmax")
    file = sequential_file(tmp_path / "m.h5", dense("scores", 6, 3), softmax, shape=(6,))
    run, _ = converted(tmp_path, file, input_0=RANDOM.normal(size=(9, 6)), target_0=np.full((9, 3), 1 / 3))
    assert run.quality == ()
    assert any(note.startswith("target_0 is not used: the hardware leaves the final softmax out") for note in run.notes)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.eye(3)[[2, 0, 1]], [2, 0, 1]),
        (np.eye(2, dtype=bool)[[1, 1, 0]], [1, 1, 0]),
        (np.eye(4, dtype=np.int8)[[3]], [3]),
    ],
    ids=["floats", "booleans", "integers"],
)
def test_one_hot_rows_are_class_numbers(labels: np.ndarray, classes: list[int]) -> None:
    found = class_numbers(labels)
    assert found is not None
    assert found.tolist() == classes


@pytest.mark.parametrize(
    "labels",
    [np.zeros((3, 2)), np.ones((3, 2)), np.full((3, 2), 0.5), np.eye(3)[:, :1], np.array([[0, 2], [1, 0]])],
    ids=["no one", "two ones", "halves", "one class", "a two"],
)
def test_other_rows_are_no_labels(labels: np.ndarray) -> None:
    assert class_numbers(labels) is labels
    events = {"input_0": np.zeros((len(labels), 2)), "labels": labels}
    from fpgacnn.system.npz import arrays_in_memory

    with pytest.raises(ArrayFileError, match="whole numbers"):
        events_for(arrays_in_memory("memory", events), {"x": (2,)})


def test_wanted_answers_of_another_shape_are_refused(tmp_path: Path) -> None:
    file = sequential_file(tmp_path / "m.h5", dense("scores", 6, 3), shape=(6,))
    with pytest.raises(ArrayShapeError, match="target_0 has shape"):
        converted(tmp_path, file, input_0=RANDOM.normal(size=(9, 6)), target_0=np.zeros((9, 2)))
