"""What data ask of a network, how its answers are judged, and labels that do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.errors import (
    AlreadyQuantizedError,
    ArrayFileError,
    ArrayShapeError,
    LabelsError,
    TooFewEventsError,
    UsageError,
)
from fpgacnn.ir.source import SourceModel
from fpgacnn.jobs.quantize import objective
from fpgacnn.jobs.quantize.objective import Distillation, Labelled, TaskEvents
from fpgacnn.jobs.quantize.run import refuse_quantizers
from fpgacnn.jobs.quantize.training_data import read_training_data
from fpgacnn.training.keras.loop import Loss
from tests.support.files import Entry, entry, functional_file, input_layer, linear, sequential_file, tiny_model


def network(folder: Path, units: int = 3, **options: object) -> SourceModel:
    layers = (entry("Flatten", "flatten"), entry("Dense", "d", units=units, weights=linear(4, units), **options))
    return frontends.load(sequential_file(folder / "m.h5", *layers, shape=(2, 2, 1)))


def two_outputs(folder: Path) -> SourceModel:
    def dense(name: str, **options: object) -> Entry:
        return entry("Dense", name, "x", units=2, weights=linear(4, 2), **options)

    layers = (input_layer("x", 4), dense("a", activation="softmax"), dense("b", activation="sigmoid"), dense("c"))
    return frontends.load(functional_file(folder / "m.h5", *layers, inputs=["x"], outputs=["a", "b", "c"]))


def events(labels: list[int] | None, shape: tuple[int, ...] = (2, 2, 1)) -> TaskEvents:
    count = 6 if labels is None else len(labels)
    return TaskEvents(
        inputs=(np.random.default_rng(1).random((count, *shape)),), labels=None if labels is None else np.array(labels)
    )


def test_labels_make_classes_or_one_score_and_nothing_makes_an_imitation(tmp_path: Path) -> None:
    assert objective.task_of(network(tmp_path), [events([0, 1, 2])], "d") == Labelled(classes=3)
    assert objective.task_of(network(tmp_path, 1), [events([0, 1, 1])], "d") == Labelled(classes=1)
    assert objective.task_of(two_outputs(tmp_path), [events(None, (4,))], "d") == Distillation()
    assert [objective.measure_name(task) for task in (Labelled(classes=3), Labelled(classes=1))] == [
        "accuracy",
        "ROC AUC",
    ]


@pytest.mark.parametrize(
    ("units", "labels", "words"),
    [
        (3, [0, 3], "d: labels from 0 to 3 do not fit an output of 3: expected 0 to 2"),
        (3, [-1, 2], "d: labels from -1 to 2 do not fit an output of 3: expected 0 to 2"),
        (1, [0, 2], "d: labels from 0 to 2 do not fit an output of 1: expected 0 to 1"),
        (1, [1, 1], "d: one of training, validation and test has events of one class only"),
    ],
)
def test_labels_that_do_not_fit_the_output_are_refused(
    units: int, labels: list[int], words: str, tmp_path: Path
) -> None:
    with pytest.raises(LabelsError) as caught:
        objective.task_of(network(tmp_path, units), [events(labels)], "d")
    assert str(caught.value) == words
    assert "without labels the quantized network learns the answers of the float network" in caught.value.hint


def test_labels_of_only_some_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match="d: only some of the files have labels"):
        objective.task_of(network(tmp_path), [events([0, 1, 2]), events(None)], "d")


def test_labels_are_for_one_output(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match="labels need a network with one output of one axis"):
        objective.task_of(two_outputs(tmp_path), [events([0, 1], (4,))], "d")


def test_losses_follow_the_last_activations(tmp_path: Path) -> None:
    assert objective.losses(two_outputs(tmp_path), Distillation()) == (Loss.CLASSES, Loss.YES_NO, Loss.VALUES)
    assert objective.losses(network(tmp_path), Labelled(classes=3)) == (Loss.CLASSES,)
    assert objective.losses(network(tmp_path, 1), Labelled(classes=1)) == (Loss.YES_NO,)


def test_goals_are_one_hot_labels_or_the_float_answers() -> None:
    assert objective.goals(Labelled(classes=3), events([2, 0]), ()).targets[0].tolist() == [[0, 0, 1], [1, 0, 0]]
    assert objective.goals(Labelled(classes=1), events([1, 0]), ()).targets[0].tolist() == [[1], [0]]
    float_answers = (np.ones((6, 2)),)
    assert objective.goals(Distillation(), events(None), float_answers).targets[0] is float_answers[0]


def test_an_imitation_is_judged_by_its_worst_output() -> None:
    wanted = [np.array([[0.0], [2.0], [4.0]]), np.array([[1.0], [-1.0], [0.0]])]
    seen = [wanted[0] + [[0.0], [1.0], [-1.0]], wanted[1]]
    assert objective.quality(Distillation(), seen, events(None), wanted) == pytest.approx(1 - 2 / 8)
    assert objective.quality(Distillation(), wanted, events(None), wanted) == 1.0


def test_answers_in_parts_are_the_answers_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, given = network(tmp_path), events(list(range(3)) * 5)
    whole = objective.answers(model, given.inputs, quantized=False)
    monkeypatch.setattr(objective, "CHUNK_EVENTS", 4)
    assert np.array_equal(objective.answers(model, given.inputs, quantized=False)[0], whole[0])


def test_the_test_part_can_be_a_file_of_its_own(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    np.savez(tmp_path / "d.npz", input_0=random.random((60, 2, 2, 1)), labels=np.arange(60) % 3)
    np.savez(tmp_path / "t.npz", input_0=random.random((7, 2, 2, 1)), labels=np.arange(7) % 3)
    alone = read_training_data(str(tmp_path / "d.npz"), None, network(tmp_path))
    both = read_training_data(str(tmp_path / "d.npz"), tmp_path / "t.npz", network(tmp_path))
    assert [len(part) for part in (alone.train, alone.validation, alone.test)] == [42, 9, 9]
    assert [len(part) for part in (both.train, both.validation, both.test)] == [42, 9, 7]
    assert alone.digest() != both.digest()
    assert both.origin == "d.npz, test t.npz"


def test_data_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    model = network(tmp_path)
    with pytest.raises(
        ArrayShapeError, match=r"digits: input_0 has shape \(1100, 8, 8, 1\), expected \(events, 2, 2, 1\)"
    ):
        read_training_data("digits", None, model)
    np.savez(tmp_path / "g.npz", input_0=np.random.default_rng(1).random((9, 2, 2, 1)), groups=np.zeros(4))
    with pytest.raises(ArrayFileError, match="groups must be 9 whole numbers"):
        read_training_data(str(tmp_path / "g.npz"), None, model)
    np.savez(tmp_path / "f.npz", input_0=np.zeros((9, 2, 2, 1)))
    with pytest.raises(TooFewEventsError, match=r"f\.npz: 9 events in 1 groups are too few"):
        read_training_data(str(tmp_path / "f.npz"), None, model)


def test_a_network_with_quantizers_is_not_quantized_again(tmp_path: Path) -> None:
    with pytest.raises(
        AlreadyQuantizedError, match=r"layer 'conv' has a quantizer already: quantized_bits\(6,0,0,alpha=1\)"
    ):
        refuse_quantizers(frontends.load(tiny_model(tmp_path / "tiny.h5")))
    refuse_quantizers(network(tmp_path))
    with pytest.raises(UsageError, match="the network has no weights to quantize"):
        refuse_quantizers(
            frontends.load(sequential_file(tmp_path / "flat.h5", entry("Flatten", "flatten"), shape=(2, 2, 1)))
        )
