"""Studies: pure trials, the same points after any interruption, and a folder that nothing half-written is in."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import fpgacnn
from fpgacnn.design import IoType
from fpgacnn.design.serialize import dump
from fpgacnn.errors import (
    AlreadyQuantizedError,
    FpgacnnError,
    InternalError,
    KernelBuildError,
    OutOfMemoryError,
    OutputExistsError,
    StudyError,
    StudyInUseError,
    UsageError,
    WriteError,
)
from fpgacnn.hardware.estimation.fifo_choice import FifoChoice
from fpgacnn.jobs.explore import folder as study_folder
from fpgacnn.jobs.explore.context import smallest
from fpgacnn.jobs.explore.evaluate import Workbench
from fpgacnn.jobs.explore.folder import StudyFolder, trial_key
from fpgacnn.jobs.explore.measures import Objective, PointResult
from fpgacnn.jobs.explore.points.convert_point import convert_point, point_request
from fpgacnn.jobs.explore.points.tune_point import point_request as tune_request
from fpgacnn.jobs.explore.points.tune_point import rounds_of
from fpgacnn.jobs.explore.prepare import Preparation, data_arrays, events_of, prepare, scored_events
from fpgacnn.jobs.explore.record import ExploreRecord, StudyProgress, best_numbers
from fpgacnn.jobs.explore.run import Amount, Where, _Search, explore, read_study
from fpgacnn.jobs.explore.sampler import chosen_sampler, open_optuna, seed_of
from fpgacnn.jobs.explore.space import Values, WidthRange
from fpgacnn.jobs.explore.storage import DATABASE, JOURNAL, mended, opened, storage_name, tables_of
from fpgacnn.jobs.fit.search import FitLimits
from fpgacnn.jobs.quantize.record import QuantizeRequest
from fpgacnn.passes.quantization import SoftmaxChoice
from fpgacnn.passes.widths.widths import Widths, with_quantizers
from fpgacnn.pipeline.planning import as_planned
from fpgacnn.pipeline.request import Request
from fpgacnn.pipeline.stages import Compilation, run_passes
from fpgacnn.sim.source_reference import evaluate
from tests.support.files import entry, quantized_bits, sequential_file, values
from tests.support.optional import needs_optuna
from tests.support.studies import small_events, small_model, small_request, small_study

pytestmark = needs_optuna


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("studies")


@pytest.fixture(scope="module")
def study(folder: Path) -> ExploreRecord:
    return small_study(folder, trials=110)


def told(record: ExploreRecord) -> list[tuple[int, Mapping[str, int], PointResult]]:
    return [(one.number, one.values, one.result) for one in record.points]


# --- trials ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prepared(folder: Path) -> Preparation:
    return prepare(small_request(folder))


def test_a_trial_depends_on_its_point_alone(prepared: Preparation) -> None:
    """A fresh bench, and one that has measured others before, give the same result."""
    points = list(prepared.settings.starts)[::5]
    used = Workbench(context=prepared.context)
    first = [used.measure(one) for one in points]
    again = [used.measure(one) for one in reversed(points)][::-1]
    fresh = [Workbench(context=prepared.context).measure(one) for one in points]
    assert first == again == fresh


def test_quality_is_that_of_the_network_with_the_points_quantizers(prepared: Preparation) -> None:
    """The independent float64 reference of the quantized network gives the same classes, event by event."""
    context = prepared.context
    for point in list(prepared.settings.starts)[::7]:
        network = with_quantizers(context.network, context.quantizers_of(context.space.widths(point)))
        answers = evaluate(network, prepared.material.validation.inputs, quantized=True)["last"]
        labels = prepared.material.validation.labels
        assert labels is not None
        right = float((answers.argmax(axis=1) == labels).mean())
        assert Workbench(context=context).measure(point).quality == right


def test_the_score_is_measured_on_validation_and_training_events(prepared: Preparation) -> None:
    """The float64 reference gives accuracy and softmax; few validation events are completed from the training part."""
    context, material = prepared.context, prepared.material
    assert context.validation == len(material.validation)
    assert len(context.codes[0]) == len(material.validation) + len(material.train)
    point = prepared.settings.starts[2]
    network = with_quantizers(context.network, context.quantizers_of(context.space.widths(point)))
    inputs = [np.concatenate([material.validation.inputs[0], material.train.inputs[0]])]
    labels = np.concatenate([material.validation.labels, material.train.labels])
    answers = evaluate(network, inputs, quantized=True)["last"]
    shares = np.exp(answers) / np.exp(answers).sum(axis=1, keepdims=True)
    wanted = ((answers.argmax(axis=1) == labels).mean() + shares[np.arange(len(labels)), labels].mean()) / 2
    found = Workbench(context=context).measure(point)
    assert found.score == pytest.approx(float(wanted), abs=1e-12)
    assert found.compared_quality == found.score != found.quality


@pytest.mark.parametrize("labels", [False, True])
def test_a_point_is_as_good_with_its_softmax_as_without_it(tmp_path: Path, *, labels: bool) -> None:
    """Probabilities are compared with probabilities, and no softmax is applied twice."""
    found = {}
    for softmax in SoftmaxChoice:
        options = {"model": small_model(tmp_path, softmax=True), "softmax": softmax}
        made = prepare(replace(small_request(tmp_path), data=str(small_events(tmp_path, labels=labels)), **options))
        widest = max(made.settings.starts, key=lambda point: sum(made.context.space.widths(point).values()))
        found[softmax] = Workbench(context=made.context).measure(widest)
    logits, kept, argmax = (found[one] for one in (SoftmaxChoice.LOGITS, SoftmaxChoice.KEEP, SoftmaxChoice.ARGMAX))
    assert kept.score == pytest.approx(logits.score, abs=0.001 if labels else 0.01)
    assert argmax.score > 0.8
    if labels:
        assert argmax.quality == kept.quality == logits.quality
    else:  # a one-hot answer explains little of the variance of others, so its quality says nothing there
        assert kept.quality == pytest.approx(logits.quality, abs=0.01)


@pytest.mark.parametrize("name", ["run?2", "a%20b", "a{b}", "a#b", "ü&=@: b"])
def test_a_study_keeps_its_database_in_its_own_folder(tmp_path: Path, study: ExploreRecord, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    with opened(folder, replace(study.settings, storage="sqlite"), None, "identity"):
        assert [one.name for one in tmp_path.iterdir()] == [name]
        assert (folder / DATABASE).is_file()


def test_many_validation_events_are_not_completed(prepared: Preparation) -> None:
    material = prepared.material
    many = replace(material, validation=material.train.take(np.arange(2000) % len(material.train)))
    assert len(scored_events(many)) == 2000
    assert len(scored_events(replace(many, validation=material.train.take(np.zeros(2500, np.int64))))) == 2500


def test_the_digest_of_a_context_sees_every_part(prepared: Preparation) -> None:
    context = prepared.context
    assert replace(context).digest == context.digest
    changed = (
        replace(context, target=replace(context.target, clock_ns=4.0)),
        replace(context, fold=False),
        replace(context, codes=tuple(one + 1 for one in context.codes)),
        replace(context, labels=None, classes=None),
        replace(context, validation=context.validation - 1),
        replace(context, quantizers=context.quantizers[1:]),
        replace(context, space=replace(context.space, axes=context.space.axes[1:])),
    )
    assert len({context.digest, *(one.digest for one in changed)}) == len(changed) + 1


def test_codes_travel_in_the_smallest_type() -> None:
    for low, high, kind in ((0, 127, "i1"), (0, 128, "i2"), (-128, 127, "i1"), (-129, 0, "i2"), (0, 1 << 40, "i8")):
        codes = np.array([low, high], np.int64)
        assert smallest(codes).dtype == np.dtype(kind)
        assert smallest(codes).tolist() == codes.tolist()


def test_a_point_that_cannot_be_built_is_a_result_with_the_reason(prepared: Preparation) -> None:
    context = replace(prepared.context, target=replace(prepared.context.target, part="no-such-part"))
    found = Workbench(context=context).measure(prepared.settings.starts[0])
    assert found.refused.startswith("FC120: ")


@pytest.mark.parametrize("kind", [InternalError, KernelBuildError, OutOfMemoryError, WriteError])
def test_an_error_of_the_machine_is_not_the_result_of_a_point(
    prepared: Preparation, kind: type[FpgacnnError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise kind(**dict.fromkeys(("what", "why", "file"), "no space left"))

    monkeypatch.setattr("fpgacnn.jobs.explore.evaluate.FloatEmulator", fail)
    with pytest.raises(kind):
        Workbench(context=prepared.context).measure(prepared.settings.starts[0])


# --- searches --------------------------------------------------------------------------------------------------------


def test_the_front_is_nowhere_behind_uniform_widths(study: ExploreRecord) -> None:
    numbers = study.settings.numbers
    front = [numbers(one.result) for one in study.front]
    for one in study.points[: len(study.settings.starts)]:
        quality, lut, latency = numbers(one.result)
        assert any(best[0] >= quality and best[1] <= lut and best[2] <= latency for best in front)


def test_the_same_seed_gives_the_same_points_and_another_seed_others(folder: Path, study: ExploreRecord) -> None:
    assert told(small_study(folder, "again", trials=60)) == told(study)[:60]
    other = small_study(folder, "other", trials=60, seed=2)
    starts = len(study.settings.starts)
    assert told(other)[:starts] == told(study)[:starts]
    assert told(other) != told(study)[:60]


def test_a_search_in_parts_gives_the_points_of_one(folder: Path, study: ExploreRecord) -> None:
    """Ends within a generation and at its end; only what is new is computed."""
    computed = []
    for trials in (7, 50, 73, 110):
        found = small_study(folder, "parts", trials=trials)
        assert told(found) == told(study)[:trials]
        computed.append(found.computed)
    assert sum(computed) == len({one.key for one in study.points})
    again = small_study(folder, "parts", trials=110)
    assert (again.computed, told(again)) == (0, told(study))


class InterruptedSearchError(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("after", [0, 1, 30, 49])
def test_what_was_computed_before_a_kill_is_not_computed_again(
    folder: Path, study: ExploreRecord, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"killed-{after}"
    kept: list[str] = []
    keep = StudyFolder.keep

    def keep_some(self: StudyFolder, key: str, result: PointResult) -> None:
        if len(kept) == after:
            raise InterruptedSearchError
        kept.append(key)
        keep(self, key, result)

    with monkeypatch.context() as patch, pytest.raises(InterruptedSearchError):
        patch.setattr(StudyFolder, "keep", keep_some)
        small_study(folder, name, trials=60)
    found = small_study(folder, name, trials=60)
    assert told(found) == told(study)[:60]
    assert found.computed == len({one.key for one in found.points}) - after


@pytest.mark.parametrize("step", ["record", "complete"])
def test_a_kill_between_two_files_loses_and_doubles_nothing(
    folder: Path, study: ExploreRecord, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the generation is recorded, and between the record and the storage."""
    name = f"between-{step}"

    def interrupt(*_: object) -> None:
        raise InterruptedSearchError

    with monkeypatch.context() as patch, pytest.raises(InterruptedSearchError):
        from fpgacnn.jobs.explore.storage import TrialStorage

        patch.setattr(
            _Search, "begin", _begin_then(patch, StudyFolder if step == "record" else TrialStorage, step, interrupt)
        )
        small_study(folder, name, trials=60)
    found = small_study(folder, name, trials=60)
    assert told(found) == told(study)[:60]
    assert stored(folder / name, found) == 60


def _begin_then(patch: pytest.MonkeyPatch, kind: type, method: str, replacement: object) -> object:
    begin = _Search.begin

    def begin_and_patch(self: _Search) -> None:
        begin(self)
        patch.setattr(kind, method, replacement)

    return begin_and_patch


def stored(folder: Path, record: ExploreRecord, storage: str | None = None) -> int:
    """Trials in the storage, whose numbers are all different and whose points are those of the study."""
    with opened(folder, record.settings, storage, record.settings.identity) as found:
        trials = found.backend.get_all_trials(found.number)
    assert [one.number for one in trials] == list(range(len(trials)))
    assert [one.params for one in trials] == [dict(one.values) for one in record.points[: len(trials)]]
    return len(trials)


def test_limits_are_met_on_the_front(folder: Path) -> None:
    found = small_study(folder, "limits", trials=60, limits=FitLimits(latency_ns=200.0, utilization=1.0))
    assert found.front
    assert all(found.settings.numbers(one.result)[2] <= 200.0 for one in found.front)
    none = small_study(folder, "none", trials=50, limits=FitLimits(latency_ns=1.0, utilization=1.0))
    assert not none.found
    assert none.chosen is None
    assert none.nearest is not None


def test_two_objectives_are_searched_with_tpe_in_parts_too(folder: Path) -> None:
    pair = (Objective.QUALITY, Objective.EBOPS)
    whole = small_study(folder, "tpe", trials=45, objectives=pair)
    assert (whole.settings.sampler, whole.settings.generation) == ("tpe", 20)
    small_study(folder, "tpe-parts", trials=30, objectives=pair)
    assert told(small_study(folder, "tpe-parts", trials=45, objectives=pair)) == told(whole)


def test_tpe_in_parts_gives_the_same_points_where_a_part_ends_among_the_starts(folder: Path) -> None:
    options = {
        "objectives": (Objective.QUALITY, Objective.EBOPS),
        "widths": WidthRange(low=2, high=8),
        "io": (IoType.STREAM, IoType.PARALLEL),
    }
    whole = small_study(folder, "tpe-wide", trials=60, **options)
    assert len(whole.settings.starts) > whole.settings.generation
    small_study(folder, "tpe-wide-parts", trials=20, **options)
    assert told(small_study(folder, "tpe-wide-parts", trials=60, **options)) == told(whole)


def test_samplers_are_chosen_by_the_number_of_objectives() -> None:
    pair, three = (Objective.QUALITY, Objective.LUT), (Objective.QUALITY, Objective.LUT, Objective.LATENCY)
    assert [chosen_sampler(None, pair), chosen_sampler("auto", three), chosen_sampler("random", pair)] == [
        "tpe",
        "nsga2",
        "random",
    ]
    with pytest.raises(UsageError, match="--sampler gp: expected auto, nsga2, tpe, random"):
        chosen_sampler("gp", pair)
    assert len({seed_of(seed, generation) for seed in range(20) for generation in range(20)}) == 400


# --- the folder ------------------------------------------------------------------------------------------------------


def test_a_study_reads_back_as_it_was(study: ExploreRecord) -> None:
    read = read_study(Path(study.folder))
    assert (read.settings, read.points, read.front) == (study.settings, study.points, study.front)
    assert json.loads(read.to_json())["trials"] == 110


def test_data_read_back_as_they_were(prepared: Preparation) -> None:
    arrays = data_arrays(prepared.material)
    for name in ("train", "validation", "test"):
        whole, back = getattr(prepared.material, name), events_of(arrays, name)
        assert all(np.array_equal(one, other) for one, other in zip(whole.inputs, back.inputs, strict=True))
        assert np.array_equal(whole.labels, back.labels)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 5}, "with seed 1, not 5"),
        ({"sampler": "random"}, "with sampler nsga2, not random"),
        ({"objectives": (Objective.QUALITY, Objective.FF, Objective.DSP)}, "with another objectives"),
        ({"limits": FitLimits(latency_ns=5.0)}, "with another limits"),
        ({"io": (IoType.STREAM,)}, "with another space"),
        ({"storage": None}, "with storage journal, not sqlite"),
    ],
)
def test_a_study_with_other_settings_is_not_continued(
    folder: Path, study: ExploreRecord, changes: dict[str, object], words: str
) -> None:
    assert study.points
    with pytest.raises(StudyError, match=words):
        small_study(folder, **changes)


def test_one_command_at_a_time_works_on_a_study(folder: Path, study: ExploreRecord) -> None:
    with study_folder.locked(Path(study.folder)), pytest.raises(StudyInUseError):
        small_study(folder, trials=120)


def test_a_folder_of_others_is_refused(folder: Path) -> None:
    (folder / "thesis").mkdir()
    (folder / "thesis" / "text.tex").write_text("x")
    with pytest.raises(OutputExistsError):
        small_study(folder, "thesis")
    assert [one.name for one in (folder / "thesis").iterdir()] == ["text.tex"]


def damaged(folder: Path) -> Iterator[tuple[Path, bytes, str]]:
    settings = folder / study_folder.MARK
    yield settings, settings.read_bytes()[:-40], "is damaged"
    yield settings, settings.read_bytes().replace(b'"seed": 1', b'"seed": "1"'), "seed is a text"
    trials = folder / "trials" / "000000.json"
    yield trials, trials.read_bytes()[:100], "000000.json is damaged"
    yield trials, trials.read_bytes().replace(b'"number": 3,', b'"number": 4,'), "trial 3 is missing"


def test_a_damaged_study_is_named(study: ExploreRecord) -> None:
    for file, content, words in damaged(Path(study.folder)):
        whole = file.read_bytes()
        assert content != whole
        file.write_bytes(content)
        try:
            with pytest.raises(StudyError, match=words):
                read_study(Path(study.folder))
        finally:
            file.write_bytes(whole)


def test_a_damaged_pending_result_is_computed_again(folder: Path) -> None:
    small_study(folder, "pending", trials=20)
    keep = folder / "pending" / "pending" / f"{'0' * 64}.json"
    keep.parent.mkdir(exist_ok=True)
    keep.write_text("{")
    assert StudyFolder(folder=folder / "pending").pending() == {}


def test_keys_depend_on_context_and_point() -> None:
    keys = {trial_key(context, point) for context in "ab" for point in ({"x": 1}, {"x": 2}, {"y": 1}, {"x": 1, "y": 1})}
    assert len(keys) == 8
    assert trial_key("a", {"x": 1, "y": 2}) == trial_key("a", {"y": 2, "x": 1})


def test_a_network_with_quantizers_is_refused(tmp_path: Path, folder: Path) -> None:
    layer = entry(
        "QDense",
        "d",
        units=3,
        kernel_quantizer=quantized_bits(),
        bias_quantizer=None,
        use_bias=False,
        weights={"kernel": values(36, 3)},
    )
    model = sequential_file(tmp_path / "q.h5", entry("Flatten", "f"), layer, shape=(6, 6, 1))
    with pytest.raises(AlreadyQuantizedError):
        explore(replace(small_request(folder), model=model, output=tmp_path / "s"), Amount(trials=5), Where(workers=0))
    assert not (tmp_path / "s").exists()


def test_events_without_labels_are_judged_by_the_float_answers(folder: Path, tmp_path: Path) -> None:
    from tests.support.studies import small_events

    request = replace(small_request(folder), data=str(small_events(tmp_path, labels=False)), output=tmp_path / "s")
    found = explore(request, Amount(trials=20), Where(workers=0))
    assert found.settings.measure == "variance of the float answers explained"
    widest, narrowest = found.points[0].result.quality, found.points[3].result.quality
    assert 0.9 < widest <= 1.0
    assert narrowest < widest


def test_a_study_whose_first_point_has_other_numbers_here_is_not_continued(folder: Path) -> None:
    """As after another version of the estimator; a study that has all its points is shown as it is."""
    small_study(folder, "old", trials=20)
    trials = folder / "old" / "trials" / "000000.json"
    first = read_study(folder / "old").points[0].result
    trials.write_text(trials.read_text().replace(f'"ebops": {first.ebops},', f'"ebops": {first.ebops + 1},', 1))
    assert small_study(folder, "old", trials=20).computed == 0
    with pytest.raises(StudyError, match="point 0 gives other numbers here"):
        small_study(folder, "old", trials=30)


def test_of_two_commands_that_begin_a_study_at_once_one_writes_it(
    folder: Path, study: ExploreRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one has read everything before the study was there, and continues it."""
    create = study_folder.create

    def late(path: Path, *rest: object) -> None:
        monkeypatch.setattr(study_folder, "create", create)
        identities.append(small_study(folder, "raced", trials=20).settings.identity)
        create(path, *rest)  # type: ignore[arg-type]  # those of the caller

    identities: list[str] = []
    monkeypatch.setattr(study_folder, "create", late)
    found = small_study(folder, "raced", trials=60)
    assert [found.settings.identity] == identities
    assert told(found) == told(study)[:60]
    assert found.computed < 60 - 10


# --- storages --------------------------------------------------------------------------------------------------------


def test_every_storage_has_all_trials(folder: Path, tmp_path: Path) -> None:
    for place, storage in enumerate(("sqlite", "journal", str(tmp_path / "other.log"), f"sqlite:///{tmp_path}/own.db")):
        found = small_study(folder, f"storage-{place}", trials=20, storage=storage)
        assert stored(Path(found.folder), found, storage) == 20


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is hours behind UTC."""
    with monkeypatch.context() as change:
        change.setenv("TZ", "XXX+5")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_from_utc")
def test_rows_that_are_written_here_are_those_of_optuna(study: ExploreRecord, tmp_path: Path) -> None:
    """Optuna writes the same trials to another database; both are read by Optuna."""
    points = (*study.points[:8], replace(study.points[8], result=PointResult(refused="FC000: no")))
    found = []
    for place in range(2):
        settings = replace(study.settings, storage=f"sqlite:///{tmp_path}/{place}.db")
        with opened(tmp_path, settings, None, "same") as storage:
            assert storage.tables is not None
            for more in (points[:3], points):
                (replace(storage, tables=None) if place else storage).complete(more)
            found.append(storage.backend.get_all_trials(storage.number))
    assert [len(one) for one in found] == [9, 9]
    for one, other in zip(*found, strict=True):
        for name in ("number", "state", "values", "params", "distributions", "user_attrs", "system_attrs"):
            assert getattr(one, name) == getattr(other, name), name
        assert abs(one.datetime_complete - other.datetime_complete).total_seconds() < 3000


def test_optuna_writes_tables_of_another_version(study: ExploreRecord, tmp_path: Path) -> None:
    import sqlite3

    settings = replace(study.settings, storage=f"sqlite:///{tmp_path}/own.db")
    with opened(tmp_path, settings, None, "same") as storage:
        storage.complete(study.points[:2])
        with sqlite3.connect(tmp_path / "own.db") as database:
            database.execute("UPDATE version_info SET schema_version = schema_version + 1")
        assert tables_of(storage.backend) is None


def test_the_best_numbers_are_those_of_all_points(study: ExploreRecord, folder: Path) -> None:
    """What progress shows, counted with each result, and again when a study is continued."""
    shown: list[StudyProgress] = []
    for trials in (30, 70):
        explore(small_request(folder, "shown"), Amount(trials=trials), Where(workers=0), watch=shown.append)
        assert shown[-1].done == trials
        assert shown[-1].best == best_numbers(study.settings, [one.result for one in study.points[:trials]])


def test_two_studies_share_a_storage(folder: Path, tmp_path: Path) -> None:
    shared = f"sqlite:///{tmp_path}/shared.db"
    for name, seed in (("shared-1", 1), ("shared-2", 2)):
        small_study(folder, name, trials=20, storage=shared, seed=seed)
    names = [one.study_name for one in open_optuna().get_all_study_summaries(shared)]
    assert len(set(names)) == 2


@pytest.mark.parametrize("cut", [1, 40, 5000])
def test_a_journal_that_was_cut_short_gets_what_it_lacks(folder: Path, cut: int) -> None:
    found = small_study(folder, f"cut-{cut}", trials=20)
    journal = folder / f"cut-{cut}" / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-cut])
    (folder / f"cut-{cut}" / f"{JOURNAL}.lock").symlink_to("left by a kill")
    again = small_study(folder, f"cut-{cut}", trials=20)
    assert told(again) == told(found)
    assert stored(folder / f"cut-{cut}", again) == 20


def test_a_journal_keeps_its_complete_lines(tmp_path: Path) -> None:
    file = tmp_path / "j"
    for before, after in ((b"a\nbc", b"a\n"), (b"abc", b""), (b"", b""), (b"a\n", b"a\n"), (b"x" * 200_000, b"")):
        file.write_bytes(before)
        mended(file)
        assert file.read_bytes() == after


def test_the_settings_have_no_password() -> None:
    assert storage_name(None) == "sqlite"
    for given in ("postgresql://me:secret@host:5432/db", "postgresql://me@host:5432/db?password=secret"):
        assert storage_name(given) == "postgresql://me@host:5432/db"
    assert storage_name("postgresql://me:secr%2Fet%40@host/db?pwd=secret") == "postgresql://me@host/db"


@pytest.mark.parametrize(
    "rest",
    [
        "me:a/secret@host/db",
        "me@host/db?password=secret",
        "me:p@secret@host/db",
        "me:secret@host:port/db",
        "me/x:secret@host/db",
        "me:p@secret@host/db?password=secret",
    ],
)
@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "Nothing+x"])
def test_no_message_and_no_setting_has_the_password(scheme: str, rest: str) -> None:
    try:
        shown = storage_name(f"{scheme}://{rest}")
    except UsageError as error:
        shown = f"{error} {error.hint} {error.data}"
        assert f"--storage {scheme}://...: " in shown
    else:
        assert scheme == "postgresql"
    assert "secret" not in shown


# --- conversion ------------------------------------------------------------------------------------------------------


def test_a_point_converts_to_the_design_that_was_measured(study: ExploreRecord, prepared: Preparation) -> None:
    one = study.front[0]
    folder = Path(study.folder)
    request = point_request(folder, study.settings, one, Request(model=folder))
    state = run_passes(Compilation(file=request.model, request=request), "load", "design")
    measured = Workbench(context=prepared.context).planned(one.values)
    assert dump(as_planned(state).design, measured.network) == dump(measured.design, measured.network)


def test_values_of_points_are_within_the_space(study: ExploreRecord) -> None:
    points: list[Values] = [one.values for one in study.points]
    assert all(study.settings.space.is_valid(one) for one in points)


def test_halving_gives_the_last_point_all_epochs() -> None:
    assert rounds_of(4, 16) == [(4, 2), (8, 1), (16, 1)]
    assert rounds_of(1, 16) == [(16, 1)]
    assert rounds_of(3, 4) == [(1, 2), (2, 1), (4, 1)]
    assert rounds_of(0, 4) == []
    with pytest.raises(UsageError, match="2 epochs are too few to halve 8 points"):
        rounds_of(8, 2)


def test_training_has_the_studys_choices(folder: Path) -> None:
    """Softmax, folding, FIFOs and the input type of the study are those of the project of a trained point."""
    fifo, io = FifoChoice(frame=True), (IoType.STREAM,)
    options = {"softmax": SoftmaxChoice.ARGMAX, "fold": False, "fifo": fifo, "input_type": "ufixed<6,2>"}
    small_study(folder, "choices", trials=2, io=io, **options)
    wanted = QuantizeRequest(model=folder, data="", output=folder / "q.h5", widths=Widths(bits=2))
    found = tune_request(folder / "choices", 1, wanted)
    assert {name: getattr(found, name) for name in options} == options


def test_bits_cannot_be_given_with_a_point(study: ExploreRecord, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a point of a study decides bits"):
        fpgacnn.quantize(study.folder, None, tmp_path / "q.h5", point=1, bits="4")


def test_an_array_cannot_be_given_with_a_point(study: ExploreRecord) -> None:
    with pytest.raises(UsageError, match="a point of a study decides calibrate"):
        fpgacnn.convert(study.folder, point=1, calibrate=np.zeros((2, 6, 6, 1)))


@pytest.mark.parametrize("own", [True, False])
def test_the_quality_of_other_events_is_not_recorded(
    folder: Path,
    own: bool,  # noqa: FBT001  # a case
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small_study(folder, f"levels-{own}", trials=2)
    quality = SimpleNamespace(hardware=0.25)
    record = SimpleNamespace(quality=[quality], project=None, holds=True)
    monkeypatch.setattr("fpgacnn.jobs.explore.points.convert_point.convert", lambda *_: record)
    events = None if own else folder / "events.npz"
    convert_point(folder / f"levels-{own}", 1, Request(model=folder, events=events))
    (level,) = read_study(folder / f"levels-{own}").levels
    assert level.quality == (0.25 if own else None)
