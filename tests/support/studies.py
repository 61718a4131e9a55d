"""A small network with its events, for studies that take seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fpgacnn.design import IoType
from fpgacnn.errors import StudyError
from fpgacnn.jobs.explore import folder as study_folder
from fpgacnn.jobs.explore.prepare import ExploreRequest
from fpgacnn.jobs.explore.record import ExploreRecord
from fpgacnn.jobs.explore.run import Amount, Where, explore, read_study
from fpgacnn.jobs.explore.space import WidthRange
from tests.support.files import entry, sequential_file

EVENTS, CLASSES = 160, 3


def small_model(folder: Path, *, softmax: bool = False) -> Path:
    """A convolution, a pooling layer and a dense layer, with or without a softmax behind it."""
    random = np.random.default_rng(4)

    def weights(*shape: int) -> dict[str, np.ndarray]:
        return {
            "kernel": random.normal(size=shape) / np.sqrt(np.prod(shape[:-1])),
            "bias": random.normal(size=shape[-1:]) / 8,
        }

    layers = (
        entry("Conv2D", "conv", filters=4, kernel_size=[3, 3], activation="relu", weights=weights(3, 3, 1, 4)),
        entry("MaxPooling2D", "pool", pool_size=[2, 2]),
        entry("Flatten", "flatten"),
        entry("Dense", "last", units=CLASSES, weights=weights(16, CLASSES)),
        *([entry("Activation", "shares", activation="softmax")] if softmax else []),
    )
    return sequential_file(folder / ("softmax.h5" if softmax else "small.h5"), *layers, shape=(6, 6, 1))


def small_events(folder: Path, *, labels: bool = True) -> Path:
    """Images of a grid of 1/16 with the float network's answers as labels, a tenth of them wrong."""
    from fpgacnn import frontends
    from fpgacnn.sim.source_reference import evaluate

    random = np.random.default_rng(3)
    images = random.integers(0, 16, size=(EVENTS, 6, 6, 1)) / 16
    arrays = {"input_0": images}
    if labels:
        answers = evaluate(frontends.load(small_model(folder)), [images], quantized=False)["last"]
        classes = answers.argmax(axis=1)
        wrong = random.random(EVENTS) < 0.1
        arrays["labels"] = np.where(wrong, (classes + 1) % CLASSES, classes)
    np.savez(folder / "events.npz", **arrays)
    return folder / "events.npz"


def small_request(folder: Path, study: str = "study", **options: object) -> ExploreRequest:
    """A study of the small network, with four widths and one io type, which are quick."""
    given = {"io": (IoType.PARALLEL,), "storage": "journal", "widths": WidthRange(low=2, high=5)} | options
    return ExploreRequest(
        model=small_model(folder),
        data=str(small_events(folder)),
        output=folder / study,
        **given,  # type: ignore[arg-type]  # options of the request
    )


def why_damaged(study: ExploreRecord, old: str, new: str) -> str:
    """What reading a study says with one piece of its file changed; the file is as before afterwards."""
    file = Path(study.folder) / study_folder.MARK
    whole = file.read_text()
    assert old in whole
    file.write_text(whole.replace(old, new, 1))
    try:
        with pytest.raises(StudyError) as caught:
            read_study(Path(study.folder))
    finally:
        file.write_text(whole)
    return str(caught.value)


def small_study(folder: Path, study: str = "study", *, trials: int = 60, **options: object) -> ExploreRecord:
    """A study that is computed in this process."""
    return explore(small_request(folder, study, **options), Amount(trials=trials), Where(workers=0))
