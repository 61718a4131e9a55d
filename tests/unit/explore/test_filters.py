"""Networks with other numbers of filters: scaled as a whole, trained once, and points like others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fpgacnn
from fpgacnn import frontends
from fpgacnn.design import IoType
from fpgacnn.errors import MissingExtraError, StudyError, UsageError
from fpgacnn.ir import source as src
from fpgacnn.ir.source import SourceModel
from fpgacnn.jobs.explore.evaluate import Workbench
from fpgacnn.jobs.explore.networks import train as training
from fpgacnn.jobs.explore.networks.channels import channel_groups
from fpgacnn.jobs.explore.networks.record import parse_factors
from fpgacnn.jobs.explore.networks.scale import scaled
from fpgacnn.jobs.explore.networks.train import TrainedFloat, TrainingRequest, beside
from fpgacnn.jobs.explore.points.tune_point import point_request as tune_request
from fpgacnn.jobs.explore.prepare import prepare
from fpgacnn.jobs.explore.record import ExploreRecord, Level
from fpgacnn.jobs.explore.run import Amount, Where, explore
from fpgacnn.jobs.quantize.record import QuantizeRequest
from fpgacnn.passes.widths.widths import Widths, fold_normalizations
from fpgacnn.reporting.formats.html import html
from fpgacnn.reporting.page.study import study_page
from fpgacnn.reporting.terminal.exploring import study_report
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.training.keras.loop import Checkpoint, TrainingSettings
from tests.support.files import (
    Entry,
    entry,
    functional_file,
    input_layer,
    linear,
    normalization,
    sequential_file,
    values,
)
from tests.support.optional import needs_optuna
from tests.support.studies import small_events, small_request, small_study, why_damaged

# --- scaling ---------------------------------------------------------------------------------------------------------


def network(folder: Path, *layers: Entry, outputs: tuple[str, ...]) -> SourceModel:
    file = functional_file(folder / "m.h5", *layers, inputs=("x",), outputs=outputs)
    return fold_normalizations(frontends.load(file))


def conv(name: str, before: str, channels: int, filters: int, **options: object) -> Entry:
    weights = linear(3, 3, channels, filters)
    given = {"filters": filters, "kernel_size": [3, 3], "padding": "same", "weights": weights} | options
    return entry("Conv2D", name, before, **given)


def residual(folder: Path) -> SourceModel:
    """A residual block with a depthwise convolution and a gate for each channel, a concatenation, and a dense head."""
    return network(
        folder,
        input_layer("x", 6, 6, 2),
        conv("a", "x", 2, 4, activation="relu"),
        conv("b", "a", 4, 4),
        entry("BatchNormalization", "bn", "b", weights=normalization(4)),
        entry(
            "DepthwiseConv2D",
            "dw",
            "bn",
            kernel_size=[3, 3],
            padding="same",
            weights={"depthwise_kernel": values(3, 3, 4, 1), "bias": values(4)},
        ),
        entry("Add", "sum", "a", "dw"),
        entry("GlobalAveragePooling2D", "mean", "sum", keepdims=True),
        entry("Dense", "gate", "mean", units=4, activation="sigmoid", weights=linear(4, 4)),
        entry("Multiply", "product", "sum", "gate"),
        conv("c", "x", 2, 3),
        entry("Concatenate", "joined", "product", "c", axis=-1),
        entry("PReLU", "bent", "joined", shared_axes=[1, 2], weights={"alpha": values(1, 1, 7)}),
        entry("MaxPooling2D", "pool", "bent", pool_size=[2, 2]),
        entry("Flatten", "flat", "pool"),
        entry("Dense", "hidden", "flat", units=6, activation="relu", weights=linear(63, 6)),
        entry("Dense", "last", "hidden", units=3, weights=linear(6, 3)),
        outputs=("last",),
    )


def units(network: SourceModel) -> dict[str, int]:
    return {
        one.name.removesuffix("/0"): one.shape[-1] for one in network.layers if isinstance(one.operation, src.Linear)
    }


def answers(network: SourceModel, seed: int = 3) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    events = [random.normal(size=(5, *network.layer(name).shape)) for name in network.inputs]
    found = evaluate(network, events, quantized=False)
    return [found[name] for name in network.outputs]


def test_tied_layers_are_scaled_together_and_outputs_keep_their_size(tmp_path: Path) -> None:
    given = residual(tmp_path)
    groups = channel_groups(given)
    own = {name.removesuffix("/0"): group for name, group in groups.own.items()}
    assert not any(groups.is_fixed(own[name]) for name in ("a", "b", "hidden"))
    assert groups.root(own["a"]) == groups.root(own["b"]) == groups.root(own["gate"])
    assert groups.is_fixed(own["last"])
    for factor, a, hidden in ((0.5, 2, 3), (0.1, 1, 1), (1.5, 6, 9), (2.0, 8, 12)):
        found = units(scaled(given, factor, seed=1))
        assert (found["a"], found["b"], found["dw"], found["hidden"], found["last"]) == (a, a, a, hidden, 3)


def test_channels_that_meet_those_of_several_layers_keep_their_number(tmp_path: Path) -> None:
    """The channels of a sum with a concatenation are those of no single layer."""
    given = network(
        tmp_path,
        input_layer("x", 6, 6, 2),
        conv("a", "x", 2, 4),
        conv("b", "x", 2, 3),
        conv("c", "x", 2, 7),
        entry("Concatenate", "joined", "a", "b", axis=-1),
        entry("Add", "sum", "joined", "c"),
        conv("d", "sum", 7, 4),
        entry("GlobalAveragePooling2D", "mean", "d"),
        entry("Dense", "last", "mean", units=3, weights=linear(4, 3)),
        outputs=("last",),
    )
    groups = channel_groups(given)
    assert [groups.is_fixed(groups.own[name]) for name in "abcd"] == [True, True, True, False]
    assert units(scaled(given, 0.5, seed=1)) == {"a": 4, "b": 3, "c": 7, "d": 2, "last": 3}


def wide_structures(folder: Path) -> Iterator[SourceModel]:
    yield network(
        folder,
        input_layer("x", 6, 6, 2),
        conv("a", "x", 2, 4, activation="relu"),
        conv("b", "a", 4, 4),
        entry("Add", "sum", "a", "b"),
        conv("c", "x", 2, 3),
        entry("Concatenate", "joined", "sum", "c", axis=-1),
        entry("GlobalAveragePooling2D", "mean", "joined"),
        entry("Dense", "last", "mean", units=3, weights=linear(7, 3)),
        outputs=("last",),
    )
    yield network(
        folder,
        input_layer("x", 6, 4, 2),
        conv("a", "x", 2, 3, activation="relu"),
        entry("Permute", "turned", "a", dims=[3, 1, 2]),
        entry("Flatten", "flat", "turned"),
        entry("Dense", "hidden", "flat", units=5, activation="relu", weights=linear(72, 5)),
        entry("Dense", "last", "hidden", units=2, weights=linear(5, 2)),
        outputs=("last", "hidden"),
    )
    yield network(
        folder,
        input_layer("x", 4, 4, 2),
        conv("squeeze", "x", 2, 4, activation="relu"),
        entry("GlobalAveragePooling2D", "mean", "squeeze", keepdims=True),
        entry("Dense", "gate", "mean", units=4, activation="sigmoid", weights=linear(4, 4)),
        entry("Multiply", "product", "squeeze", "gate"),
        conv("attention", "product", 4, 1, activation="sigmoid"),
        entry("Multiply", "seen", "product", "attention"),
        entry(
            "Conv2DTranspose",
            "up",
            "seen",
            filters=3,
            kernel_size=[2, 2],
            strides=[2, 2],
            weights={"kernel": values(2, 2, 3, 4), "bias": values(3)},
        ),
        conv("last", "up", 3, 2),
        outputs=("last",),
    )
    yield network(
        folder,
        input_layer("x", 6, 6, 2),
        conv("a", "x", 2, 2),
        entry("Concatenate", "rows", "x", "a", axis=1),
        entry("Flatten", "flat", "rows"),
        entry("Dense", "hidden", "flat", units=5, activation="relu", weights=linear(144, 5)),
        entry("Dense", "last", "hidden", units=2, weights=linear(5, 2)),
        outputs=("last",),
    )
    yield network(
        folder,
        input_layer("x", 6, 6, 2),
        conv("a", "x", 2, 4),
        entry("Permute", "turned", "a", dims=[3, 1, 2]),
        entry("GlobalAveragePooling2D", "mean", "a", keepdims=True),
        entry("Dense", "gate", "mean", units=4, activation="sigmoid", weights=linear(4, 4)),
        entry("Permute", "turned_gate", "gate", dims=[3, 1, 2]),
        entry("Multiply", "seen", "turned", "turned_gate"),
        entry("Flatten", "flat", "seen"),
        entry("Dense", "hidden", "flat", units=5, activation="relu", weights=linear(144, 5)),
        entry("Dense", "last", "hidden", units=2, weights=linear(5, 2)),
        outputs=("last",),
    )


def test_wider_networks_without_noise_give_the_same_answers(tmp_path: Path) -> None:
    """Copies share the weights behind them, through merges, pools, reordered axes and gates."""
    changed = []
    for given in (*wide_structures(tmp_path), residual(tmp_path)):
        for factor in (1.5, 2.0):
            wider = scaled(given, factor, seed=1, noise=0.0)
            assert units(wider) != units(given)
            for one, other in zip(answers(given), answers(wider), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
            changed.append(
                [
                    np.abs(one - other).max()
                    for one, other in zip(answers(given), answers(scaled(given, factor, seed=1)), strict=True)
                ]
            )
    assert all(max(one) > 0 for one in changed)


def test_narrower_networks_answer_as_if_the_units_that_were_left_out_were_zero(tmp_path: Path) -> None:
    given = next(wide_structures(tmp_path))
    narrow = scaled(given, 0.5, seed=1)
    assert (units(narrow)["a"], units(narrow)["b"], units(narrow)["c"]) == (2, 2, 2)

    def silenced(name: str, kept: set[int]) -> src.SourceLayer:
        layer = given.layer(name)
        assert isinstance(layer.operation, src.Convolution)
        assert layer.operation.bias is not None
        mask = np.array([place in kept for place in range(layer.shape[-1])], float)
        kernel, bias = layer.operation.kernel, layer.operation.bias
        return replace(
            layer,
            operation=replace(
                layer.operation,
                kernel=replace(kernel, values=kernel.values * mask),
                bias=replace(bias, values=bias.values * mask),
            ),
        )

    def norms(*names: str) -> np.ndarray:
        return np.sum([np.sqrt(np.square(_kernel(given, name)).sum(axis=(0, 1, 2))) for name in names], axis=0)

    kept = {
        name: set(np.argsort(-norms(*tied), kind="stable")[:2].tolist())
        for tied in (("a/0", "b"), ("c",))
        for name in tied
    }
    layers = tuple(silenced(one.name, kept[one.name]) if one.name in kept else one for one in given.layers)
    for one, other in zip(answers(replace(given, layers=layers)), answers(narrow), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def _kernel(network: SourceModel, name: str) -> np.ndarray:
    operation = network.layer(name).operation
    assert isinstance(operation, src.Linear)
    return operation.kernel.values


def test_a_network_without_hidden_layers_is_refused(tmp_path: Path) -> None:
    given = network(
        tmp_path,
        input_layer("x", 5),
        entry("Dense", "last", "x", units=3, weights=linear(5, 3)),
        outputs=("last",),
    )
    with pytest.raises(UsageError, match=r"the factor 1\.5 changes the number of filters of no hidden layer"):
        scaled(given, 1.5, seed=1)


@pytest.mark.parametrize(
    ("text", "factors"),
    [
        ("0.5..1.5", (0.5, 0.75, 1.0, 1.25, 1.5)),
        ("0.5..0.9", (0.5, 0.75, 0.9, 1.0)),
        ("0.5, 2", (0.5, 1.0, 2.0)),
        ("1.5..1.5", (1.0, 1.5)),
    ],
)
def test_factors_are_read(text: str, factors: tuple[float, ...]) -> None:
    assert parse_factors(text) == factors


@pytest.mark.parametrize("text", ["", "0", "1.5..0.5", "0.5..5", "0.05..1", "a..b", "1", "0.25..4", "-1", "nan", "1e9"])
def test_other_factors_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--scale-filters"):
        parse_factors(text)


# --- studies ---------------------------------------------------------------------------------------------------------

FACTORS = (0.5, 1.0, 1.5)
NAMES = {"conv/0": "conv_0", "conv": "conv_1", "pool": "pool", "flatten": "flatten", "last": "last"}


class FakeTrainer:
    """Writes the scaled network as it begins, in a file with other layer names, and counts its calls."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.trained = folder, [0]

    def __call__(self, network: SourceModel, request: TrainingRequest, checkpoint: Checkpoint) -> TrainedFloat:
        assert checkpoint.file.name.startswith(checkpoint.signature)
        self.trained[0] += 1
        layers = {one.name: one.operation for one in network.layers}
        first, last = layers["conv/0"], layers["last"]
        assert isinstance(first, src.Convolution)
        assert isinstance(last, src.Dense)
        assert first.bias is not None
        assert last.bias is not None
        count = first.kernel.values.shape[-1]
        path = sequential_file(
            self.folder / "trained.h5",
            entry("Conv2D", "conv_0", filters=count, kernel_size=[3, 3], weights=_weights(first)),
            entry("ReLU", "conv_1"),
            entry("MaxPooling2D", "pool", pool_size=[2, 2]),
            entry("Flatten", "flatten"),
            entry("Dense", "last", units=3, weights=_weights(last)),
            shape=(6, 6, 1),
        )
        loaded = frontends.load(path)
        names = NAMES | dict(zip(network.inputs, loaded.inputs, strict=True))
        return TrainedFloat(content=path.read_bytes(), names=names, best_epoch=request.settings.epochs)


def _weights(operation: src.Linear) -> Mapping[str, np.ndarray]:
    assert operation.bias is not None
    return {"kernel": operation.kernel.values, "bias": operation.bias.values}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("filters")


@pytest.fixture(scope="module")
def trainer(folder: Path) -> Iterator[FakeTrainer]:
    with pytest.MonkeyPatch.context() as patch:
        fake = FakeTrainer(folder)
        patch.setattr(training, "train", fake)
        yield fake


@pytest.fixture(scope="module")
def study(folder: Path, trainer: FakeTrainer) -> ExploreRecord:
    assert trainer.folder == folder
    return small_study(folder, trials=50, scale_filters=FACTORS, io=(IoType.STREAM, IoType.PARALLEL))


@needs_optuna
def test_networks_are_trained_once_and_lie_in_the_study(
    folder: Path, study: ExploreRecord, trainer: FakeTrainer
) -> None:
    assert [one.factor for one in study.settings.networks] == [0.5, 1.0, 1.5]
    assert [one.parameters for one in study.settings.networks] == [47, 91, 135]
    assert not beside(folder / "study").exists()
    for one in study.settings.networks:
        assert one.is_given or (folder / "study" / one.file).is_file()
    before = trainer.trained[0]
    again = small_study(folder, trials=60, scale_filters=FACTORS, io=(IoType.STREAM, IoType.PARALLEL))
    assert (trainer.trained[0], again.points[:50]) == (before, study.points)


@needs_optuna
def test_a_study_of_other_epochs_is_not_continued(folder: Path, study: ExploreRecord) -> None:
    assert study.points
    other = {"training": TrainingSettings(epochs=3), "io": (IoType.STREAM, IoType.PARALLEL)}
    with pytest.raises(StudyError, match=r"no network with the factor 0\.5 that was trained with these"):
        small_study(folder, scale_filters=FACTORS, **other)
    with pytest.raises(StudyError, match="no network with the factor 2 that was trained with these"):
        small_study(folder, scale_filters=(1.0, 2.0), io=(IoType.STREAM, IoType.PARALLEL))
    with pytest.raises(StudyError, match="it was made with another space"):
        small_study(folder, io=(IoType.STREAM, IoType.PARALLEL))


@needs_optuna
def test_trained_networks_survive_a_kill_before_the_study_begins(folder: Path, trainer: FakeTrainer) -> None:
    request = small_request(folder, "early", scale_filters=FACTORS)
    before = trainer.trained[0]
    prepare(request)
    assert (trainer.trained[0] - before, len(list(beside(folder / "early").glob("*.h5")))) == (2, 2)
    whole = prepare(request)
    assert trainer.trained[0] - before == 2
    assert len(whole.networks) == 4


@needs_optuna
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scale_filters": (0.5, 0.9, 1.0)}, "the factor 0.9 changes the number of filters of no hidden layer"),
        ({"scale_filters": FACTORS, "sampler": "bogus"}, "bogus"),
    ],
)
def test_what_is_refused_is_refused_before_a_training(
    folder: Path, trainer: FakeTrainer, options: Mapping[str, object], words: str
) -> None:
    before = trainer.trained[0]
    with pytest.raises(UsageError, match=words):
        prepare(small_request(folder, "refused", **options))
    assert trainer.trained[0] == before


@needs_optuna
def test_answers_and_costs_are_those_of_the_points_network(folder: Path, trainer: FakeTrainer) -> None:
    assert trainer.folder == folder
    prepared = prepare(small_request(folder, "direct", scale_filters=FACTORS))
    context, material = prepared.context, prepared.material
    assert len(context.codes[0]) == len(material.validation)  # networks were trained on the other events
    bench, found = Workbench(context=context), []
    assert context.space.filters is not None
    for place, factor in enumerate(FACTORS):
        point = {**context.space.uniform(5), context.space.filters.name: place}
        network = context.network_of(point)
        assert units(network) == {"conv": round(4 * factor), "last": 3}
        reference = evaluate(network, material.validation.inputs, quantized=True)["last"]
        found.append(bench.measure(point))
        assert found[-1].quality == float((reference.argmax(axis=1) == material.validation.labels).mean())
    luts = [one.resources.lut.value for one in found if one.resources is not None]
    assert luts == sorted(luts)
    assert luts[0] < 0.75 * luts[2]
    assert len({one.score for one in found}) == 3


@needs_optuna
def test_without_labels_only_points_of_the_given_network_are_trained(folder: Path, trainer: FakeTrainer) -> None:
    """Another network would be trained on its own answers, and be measured against them."""
    assert trainer.folder == folder
    request = replace(
        small_request(folder, "unlabelled", scale_filters=FACTORS), data=str(small_events(folder, labels=False))
    )
    found = explore(request, Amount(trials=40), Where(workers=0))
    axis = found.settings.space.filters
    assert axis is not None
    scaled_point = next(one.number for one in found.points if axis.factors[one.values[axis.name]] != 1)
    wanted = QuantizeRequest(
        model=Path(found.folder),
        output=folder / "q.h5",
        settings=TrainingSettings(epochs=1),
        data="",
        widths=Widths(bits=2),
    )
    with pytest.raises(UsageError, match="it would be trained on its own answers"):
        tune_request(Path(found.folder), scaled_point, wanted)


@needs_optuna
def test_settings_are_legal_for_each_network(study: ExploreRecord) -> None:
    """The reuse factor of a point divides the products of its own network."""
    space, target = study.settings.space, study.settings.target
    for one in study.points:
        filters = (2, 4, 6)[space.network(one.values)]
        chosen = space.target(one.values, target)
        assert (9 * filters) % chosen.reuse_of["conv/0"] == 0
        assert (4 * filters * 3) % chosen.reuse_of["last"] == 0


@needs_optuna
def test_points_say_which_network_they_have_and_become_projects_of_it(folder: Path, study: ExploreRecord) -> None:
    point = next(one for one in study.points if study.settings.space.network(one.values) == 0)
    assert study.level_of(point.number) is Level.RETRAINED
    assert study.level_of(0) is Level.EMULATED
    assert study.settings.space.words(point.values, IoType.PARALLEL)["filters"] == "0.5 times, trained again"
    record = fpgacnn.convert(study.folder, point=point.number, output=folder / "project", csim_events=0)
    assert record.holds
    assert point.result.resources is not None
    assert record.estimate.after_synthesis.lut.value == point.result.resources.lut.value
    request = QuantizeRequest(model=Path("x"), data="x", output=folder / "q.h5", widths=Widths(bits=2))
    tuned = tune_request(Path(study.folder), point.number, request)
    assert tuned.model.parent.name == "networks"
    assert tuned.assigned is not None
    assert {one.layer for one in tuned.assigned} == {"conv_0", "conv_1", "last"}


@needs_optuna
def test_pages_and_tables_show_the_networks(study: ExploreRecord) -> None:
    assert "Networks of the study" in html(study_page(study, {}, None))
    headings = [one.headings[0].name for one in study_report(study) if hasattr(one, "headings")]
    assert "filters" in headings


@needs_optuna
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"file": "networks/', '"file": "../../networks/', "names a file outside of the study"),
        ('"factor": 0.5', '"factor": 0.75', "its networks are not those of its points"),
        ('"last": "last"', '"first": "last"', "its networks are not those of its points"),
        ('"last": "last"', '"last": "x"', "its networks are not those of its points"),
    ],
)
def test_damaged_networks_are_named(study: ExploreRecord, old: str, new: str, words: str) -> None:
    assert words in why_damaged(study, old, new)


@needs_optuna
def test_without_tensorflow_the_extra_is_named(folder: Path) -> None:
    def missing() -> None:
        raise MissingExtraError(package="tensorflow", extra="train")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "open_keras", missing)
        patch.setattr(training, "train", REAL_TRAIN)
        with pytest.raises(MissingExtraError, match="tensorflow"):
            prepare(small_request(folder, "missing", scale_filters=FACTORS))
    assert not (folder / "missing").exists()


REAL_TRAIN = training.train
