"""Train the scaled networks of a study again, each once: what was trained is kept by the digest of all it depends on.

Until the study has begun, trained networks lie in a folder beside it; they move into the study with its first file. A
kill during a training loses at most one epoch.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from fpgacnn import frontends
from fpgacnn.errors import InternalError, StudyError
from fpgacnn.ir.source import SourceModel
from fpgacnn.jobs.explore import folder as study_folder
from fpgacnn.jobs.explore.networks.record import GIVEN, ScaledNetwork
from fpgacnn.jobs.explore.networks.scale import refuse_unchanged, scaled
from fpgacnn.jobs.quantize import objective
from fpgacnn.jobs.quantize.objective import Distillation, Task, TaskEvents
from fpgacnn.jobs.quantize.training_data import TrainingData
from fpgacnn.passes.widths.trainable import trainable_points
from fpgacnn.passes.widths.widths import fold_normalizations
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.files.output import write_atomically
from fpgacnn.system.files.regular import ANY_SIZE, read_regular
from fpgacnn.training.keras import make_reproducible, open_keras, save
from fpgacnn.training.keras.loop import Checkpoint, DataPart, TrainingSettings, fine_tune
from fpgacnn.training.keras.qkeras_export import export_to_qkeras

NETWORKS = study_folder.NETWORKS
CHECKPOINT = ".training.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedFloat:
    """A trained float network: its Keras file, the names of its layers there, and the epoch that was kept."""

    content: bytes
    names: Mapping[str, str]
    best_epoch: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Networks:
    """The float networks of a study by the place of their factors, all with the layer names of the given one."""

    networks: tuple[SourceModel, ...]
    records: tuple[ScaledNetwork, ...]
    files: Mapping[str, bytes]


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingRequest:
    """What the trainings of a study depend on; `network` has no normalizations that could be folded."""

    network: SourceModel
    material: TrainingData
    task: Task
    settings: TrainingSettings

    def key(self, factor: float) -> str:
        """The digest of all that the network with this factor depends on."""
        about = [self.network.digest, self.material.digest(), repr(self.task), asdict(self.settings), factor]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()

    def quality(self, network: SourceModel) -> float:
        """The quality of a float network on the validation events."""
        events = self.material.validation
        real = objective.answers(self.network, events.inputs, quantized=False)
        return objective.quality(self.task, objective.answers(network, events.inputs, quantized=False), events, real)


def all_networks(request: TrainingRequest, factors: Sequence[float], study: Path) -> Networks:
    """The networks with these factors: read from the study, or trained.

    Raises StudyError for a study without one of them, and the errors of a training.
    """
    for factor in factors:
        if factor != GIVEN:
            refuse_unchanged(request.network, factor)
    networks, records, files = [], [], {}
    for factor in factors:
        if factor == GIVEN:
            networks.append(request.network)
            records.append(_given(request))
            continue
        path = _trained(request, factor, study)
        one = _record(study, path)
        networks.append(named(fold_normalizations(frontends.load(path)), one.names, request.network))
        records.append(one)
        for file in (path, path.with_suffix(".json")):
            files[f"{NETWORKS}/{file.name}"] = read_regular(file, limit=ANY_SIZE)
    return Networks(networks=tuple(networks), records=tuple(records), files=files)


def beside(study: Path) -> Path:
    """The folder of trained networks of a study that has not begun."""
    return study.with_name(f"{study.name}.{NETWORKS}")


def discard_beside(study: Path, networks: Sequence[ScaledNetwork]) -> None:
    """Remove the networks beside a study that has them in its folder."""
    for one in networks:
        if not one.is_given:
            for suffix in (".h5", ".json"):
                (beside(study) / Path(one.file).name).with_suffix(suffix).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # missing, or with other networks
        beside(study).rmdir()


def _given(request: TrainingRequest) -> ScaledNetwork:
    return ScaledNetwork(
        factor=GIVEN, parameters=_parameters(request.network), quality=request.quality(request.network)
    )


def _parameters(network: SourceModel) -> int:
    return sum(layer.parameters for layer in network.layers)


def _trained(request: TrainingRequest, factor: float, study: Path) -> Path:
    """The file of the network with a factor, with its record beside it."""
    key = request.key(factor)
    if study_folder.is_study(study):
        path = study / NETWORKS / f"{key}.h5"
        if not path.is_file():
            why = f"it has no network with the factor {factor:g} that was trained with these events, seed and epochs"
            raise StudyError(folder=study, why=why)
        return path
    path = beside(study) / f"{key}.h5"
    if path.with_suffix(".json").is_file() and path.is_file():
        return path
    start = scaled(request.network, factor, request.settings.seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint = path.with_name(f"{key}{CHECKPOINT}")
    found = train(start, request, Checkpoint(file=checkpoint, signature=key))
    write_atomically(path, found.content)
    network = named(fold_normalizations(frontends.load(path)), found.names, request.network)
    one = ScaledNetwork(
        factor=factor,
        parameters=_parameters(network),
        quality=request.quality(network),
        file=f"{NETWORKS}/{path.name}",
        names=found.names,
        epochs=request.settings.epochs,
        best_epoch=found.best_epoch,
    )
    write_atomically(path.with_suffix(".json"), study_folder.as_text(one))
    checkpoint.unlink(missing_ok=True)
    return path


def _record(study: Path, path: Path) -> ScaledNetwork:
    one = study_folder.read_record(study, path.with_suffix(".json"), ScaledNetwork)
    if one.file != f"{NETWORKS}/{path.name}":
        raise StudyError(folder=study, why=f"{path.with_suffix('.json').name} is damaged: it is of another file")
    return one


def train(network: SourceModel, request: TrainingRequest, checkpoint: Checkpoint) -> TrainedFloat:
    """Train a float network on the training events of a study.

    Raises MissingExtraError without TensorFlow, NotExportableError for a layer that Keras 2 cannot train,
    DivergedError, WriteError.
    """
    modules = open_keras()
    make_reproducible(modules, request.settings.seed)
    exported = export_to_qkeras(modules, network)
    result = fine_tune(
        modules,
        exported,
        objective.losses(network, request.task),
        _goals(request, request.material.train),
        _goals(request, request.material.validation),
        request.settings,
        checkpoint=checkpoint,
    )
    with temporary_folder("fpgacnn-network-") as folder:
        save(exported.model, folder / "network.h5")
        content = read_regular(folder / "network.h5", limit=ANY_SIZE)
    return TrainedFloat(content=content, names=exported.names, best_epoch=result.best)


def _goals(request: TrainingRequest, part: TaskEvents) -> DataPart:
    """Labels; without labels, the answers of the given network."""
    imitates = isinstance(request.task, Distillation)
    answers = objective.answers(request.network, part.inputs, quantized=False) if imitates else ()
    return objective.goals(request.task, part, answers)


def named(network: SourceModel, names: Mapping[str, str], given: SourceModel) -> SourceModel:
    """A network with the layer names of the given one, whose names in the file are `names`.

    Raises InternalError if it has quantizers at other places than the given one.
    """
    back = {name: old for old, name in names.items()}
    taken = set(names)
    for layer in network.layers:
        if layer.name not in back:  # a layer that only Keras needs
            new = layer.name
            while new in taken:
                new = f"{new}+"
            back[layer.name] = new
            taken.add(new)
    layers = tuple(
        replace(layer, name=back[layer.name], inputs=tuple(back[name] for name in layer.inputs))
        for layer in network.layers
    )
    found = replace(
        network,
        layers=layers,
        inputs=tuple(back[name] for name in network.inputs),
        outputs=tuple(back[name] for name in network.outputs),
    )
    if set(trainable_points(found)) != set(trainable_points(given)) or found.inputs != given.inputs:
        raise InternalError(what="a network that was trained again has other layers than the given one")
    return found
