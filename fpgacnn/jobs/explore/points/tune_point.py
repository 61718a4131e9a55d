"""Train a point of a study with its quantizers and its zeros, by the machinery of `quantize`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fpgacnn.design import IoType
from fpgacnn.errors import UsageError
from fpgacnn.jobs.explore.folder import DATA, StudyFolder
from fpgacnn.jobs.explore.points.choices import point_choices
from fpgacnn.jobs.explore.points.convert_point import built_point
from fpgacnn.jobs.explore.prepare import PARTS, events_of
from fpgacnn.jobs.explore.record import ExploreRecord, Level, LevelResult, StudySettings
from fpgacnn.jobs.explore.run import read_study
from fpgacnn.jobs.explore.space import Values
from fpgacnn.jobs.quantize.record import QuantizeRecord, QuantizeRequest
from fpgacnn.jobs.quantize.run import quantize
from fpgacnn.jobs.quantize.training_data import TrainingData
from fpgacnn.system.npz import read_arrays
from fpgacnn.system.progress import Progress, silent
from fpgacnn.training.data.catalog import CATALOG
from fpgacnn.training.keras.loop import Watch

TUNED = "tuned"
HALVES = 2
"""Each round of successive halving keeps one of so many points, and trains them so many times longer."""


def tune_point(
    folder: Path, number: int, request: QuantizeRequest, progress: Progress = silent, watch: Watch | None = None
) -> QuantizeRecord:
    """Train a point on the study's events; `request` gives output, training and conversion.

    Raises StudyError for a point that is not there or cannot be built, and the errors of `quantize`.
    """
    record = quantize(point_request(folder, number, request), progress, watch)
    StudyFolder(folder=folder).record_level(
        LevelResult(
            number=number,
            level=Level.TUNED,
            quality=record.quality[-1].fine_tuned,
            project=record.output,
            holds=None if record.conversion is None else record.conversion.holds,
        )
    )
    return record


def point_request(folder: Path, number: int, request: QuantizeRequest) -> QuantizeRequest:
    """The request that trains a point.

    Raises StudyError, UsageError for a point that would be trained on its own answers.
    """
    study = read_study(folder)
    settings, one = study.settings, built_point(study, number)
    choices = point_choices(folder, settings, one.values)
    arrays = read_arrays(folder / DATA)
    parts = {name: events_of(arrays, name) for name in PARTS}
    if parts["train"].labels is None and _is_scaled(settings, one.values):
        raise UsageError(
            what=f"point {number} has other numbers of filters, and without labels it would be trained on its own"
            " answers; take a point of the given network"
        )
    known = CATALOG.get(settings.data)
    return replace(
        request,
        model=choices.model,
        weights=choices.weights,
        data=settings.data,
        material=TrainingData(**parts, origin=settings.data, augmentation=known.augmentation if known else None),
        assigned=choices.quantizers,
        pruned=choices.pruned,
        target=choices.target,
        open_io=False,
        softmax=settings.softmax,
        fold=settings.fold,
        fifo=settings.fifo if choices.target.io is IoType.STREAM else None,
        input_type=settings.input_type,
    )


def _is_scaled(settings: StudySettings, values: Values) -> bool:
    network = settings.network_of(values)
    return network is not None and not network.is_given


def tune_front(
    record: ExploreRecord, most: int, request: QuantizeRequest, progress: Progress = silent
) -> ExploreRecord:
    """Train points of the front by successive halving, into the study; `request` gives the training of the last round.

    The best of the front in quality begin, at most so many. In each round they are trained from their start, and half
    of them, the best on the validation events, get twice as many epochs in the next one. The last one is trained with
    all epochs. Raises UsageError for fewer epochs than points can be halved, and the errors of `quantize`.
    """
    folder, settings = Path(record.folder), record.settings
    has_labels = events_of(read_arrays(folder / DATA), "train").labels is not None
    points = [one for one in record.front if has_labels or not _is_scaled(settings, one.values)]
    left = [one.number for one in sorted(points, key=lambda one: (-one.result.compared_quality, one.number))][:most]
    if not left:
        raise UsageError(what="without labels, only points of the given network are trained, and the front has none")
    rounds = rounds_of(len(left), request.settings.epochs)
    for epochs, keep in rounds:
        training = replace(request.settings, epochs=epochs, patience=min(request.settings.patience, epochs))
        ranked = []
        for number in left:
            output = folder / TUNED / f"point-{number}.h5"
            output.parent.mkdir(exist_ok=True)
            wanted = replace(request, settings=training, output=output)
            found = tune_point(folder, number, wanted, progress)
            ranked.append((-found.quality[0].fine_tuned, number))
        left = [number for _, number in sorted(ranked)[:keep]]
    return replace(record, levels=StudyFolder(folder=folder).levels(record.points))


def rounds_of(points: int, epochs: int) -> Sequence[tuple[int, int]]:
    """The rounds: epochs of each, and how many points it keeps; the last has all epochs.

    Raises UsageError if the first round would have none.
    """
    counts = [points]
    while counts[-1] > 1:
        counts.append(-(-counts[-1] // HALVES))
    first = epochs // HALVES ** (len(counts) - 1)
    if points and first < 1:
        raise UsageError(what=f"{epochs} epochs are too few to halve {points} points: give fewer points or more epochs")
    return [
        (max(1, epochs // HALVES ** (len(counts) - 1 - place)), counts[min(place + 1, len(counts) - 1)])
        for place in range(len(counts) if points else 0)
    ]
