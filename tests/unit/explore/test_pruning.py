"""Pruning as a part of the space: what a point cuts is zero in its trial, its project and its training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fpgacnn
from fpgacnn.design import IoType, Strategy, Target
from fpgacnn.errors import StudyError, UsageError
from fpgacnn.ir import source as src
from fpgacnn.ir.source import SourceModel
from fpgacnn.jobs.explore import folder as study_folder
from fpgacnn.jobs.explore.evaluate import Workbench
from fpgacnn.jobs.explore.measures import Objective
from fpgacnn.jobs.explore.points.tune_point import point_request as tune_request
from fpgacnn.jobs.explore.prepare import Preparation, prepare
from fpgacnn.jobs.explore.record import ExploreRecord
from fpgacnn.jobs.explore.run import read_study
from fpgacnn.jobs.explore.space import PruningAxis, Searched, parse_searched
from fpgacnn.jobs.quantize.record import QuantizeRequest
from fpgacnn.jobs.quantize.run import _masks
from fpgacnn.passes.widths.pruning import kept, pruned
from fpgacnn.passes.widths.widths import Part, Point, Widths
from fpgacnn.reporting.formats.html import html
from fpgacnn.reporting.page.study import study_page
from fpgacnn.sim.source_reference import evaluate
from tests.support.optional import needs_optuna
from tests.support.studies import small_request, small_study, why_damaged

pytestmark = needs_optuna

SEARCHED = (Searched.WIDTHS, Searched.PRUNING)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pruning")


@pytest.fixture(scope="module")
def prepared(folder: Path) -> Preparation:
    return prepare(small_request(folder, searched=SEARCHED))


@pytest.fixture(scope="module")
def study(folder: Path) -> ExploreRecord:
    return small_study(folder, trials=50, searched=SEARCHED)


def kernels(network: SourceModel) -> dict[str, np.ndarray]:
    layers = [(layer.name, layer.operation) for layer in network.layers]
    return {name: one.kernel.values for name, one in layers if isinstance(one, src.Linear)}


def test_the_smallest_weights_of_a_layer_become_zero(prepared: Preparation) -> None:
    before = kernels(prepared.context.network)
    after = kernels(pruned(prepared.context.network, {"conv/0": 30, "other": 50}))
    assert np.array_equal(after["last"], before["last"])
    changed = after["conv/0"] != before["conv/0"]
    assert changed.sum() == round(0.3 * 36)
    assert not after["conv/0"][changed].any()
    assert np.abs(before["conv/0"][changed]).max() < np.abs(before["conv/0"][~changed]).min()
    assert pruned(prepared.context.network, {}) is prepared.context.network


def test_every_kernel_has_an_axis_that_begins_with_all_weights(prepared: Preparation) -> None:
    axes = [axis for axis in prepared.context.space.axes if isinstance(axis, PruningAxis)]
    assert [(axis.layer, axis.low, axis.percent(axis.high)) for axis in axes] == [("conv/0", 0, 90), ("last", 0, 90)]
    starts = [prepared.context.space.pruned(one) for one in prepared.settings.starts]
    assert starts[0] == {}
    assert {"conv/0": 40, "last": 40} in starts


def test_answers_are_those_of_the_network_with_zeros(prepared: Preparation) -> None:
    """The float64 reference of the pruned and quantized network gives the same classes, event by event."""
    context, material = prepared.context, prepared.material
    bench = Workbench(context=context)
    uniform = context.space.uniform(4)
    found = []
    for share in (0.0, 0.3, 0.9):
        point = context.space.with_pruning(share, uniform)
        cut = {name: round(100 * share) for name in ("conv/0", "last")}
        network = pruned(context.network, cut)
        values = kernels(context.network_of(point))
        for name, one in kernels(network).items():
            assert np.array_equal(values[name], one)
            assert (one == 0).sum() == round(share * one.size)
        answers = evaluate(context.network_of(point), material.validation.inputs, quantized=True)["last"]
        found.append(bench.measure(point))
        assert found[-1].quality == float((answers.argmax(axis=1) == material.validation.labels).mean())
    assert len({one.score for one in found}) == 3  # what a worker remembers of one share is not the answer of another


def test_zeros_cost_neither_luts_nor_effective_bit_operations(prepared: Preparation) -> None:
    context = prepared.context
    bench, uniform = Workbench(context=context), context.space.uniform(5)
    found = [bench.measure(context.space.with_pruning(share, uniform)) for share in (0.0, 0.3, 0.6, 0.9)]
    luts = [one.resources.lut.value for one in found if one.resources is not None]
    ebops = [one.ebops for one in found]
    assert luts == sorted(luts, reverse=True)
    assert luts[-1] < 0.7 * luts[0]
    assert ebops == sorted(ebops, reverse=True)
    assert ebops[-1] < 0.15 * ebops[0]


def error(values: np.ndarray, integer: int) -> float:
    """The squared error of three bits, rounded half to even and limited."""
    step = 2.0 ** (integer - 2)
    return float(np.square(np.clip(np.round(values / step), -4, 3) * step - values).sum())


def test_the_step_of_a_pruned_kernel_is_the_best_for_the_weights_that_stay(prepared: Preparation) -> None:
    context = prepared.context
    kernel = kernels(context.network)["conv/0"]
    for percent in (0, 50, 90):
        values = np.where(kept(kernel, percent / 100), kernel, 0.0)
        point = Point(layer="conv/0", part=Part.KERNEL)
        chosen = context.quantizers_of({point: 3}, {"conv/0": percent})[point]
        assert isinstance(chosen, src.QuantizedBits)
        errors = {integer: error(values, integer) for integer in range(-6, 3)}
        assert errors[chosen.integer] == min(errors.values())


def test_a_pruned_point_becomes_the_project_that_was_measured(folder: Path, study: ExploreRecord) -> None:
    number = next(one.number for one in study.points if set(study.settings.space.pruned(one.values).values()) == {60})
    one = study.points[number]
    record = fpgacnn.convert(study.folder, point=number, output=folder / "project", csim_events=0)
    assert record.holds
    assert one.result.resources is not None
    assert record.estimate.after_synthesis.lut.value == one.result.resources.lut.value
    assert any("60 % of conv/0, 60 % of last" in note for note in record.notes)


def test_training_keeps_the_zeros_of_a_point(folder: Path, study: ExploreRecord) -> None:
    number = next(one.number for one in study.points if set(study.settings.space.pruned(one.values).values()) == {40})
    request = QuantizeRequest(model=Path("x"), data="x", output=folder / "q.h5", widths=Widths(bits=2))
    found = tune_request(Path(study.folder), number, request)
    assert found.pruned == {"conv/0": 40, "last": 40}
    assert found.assigned == study.settings.quantizers_of(study.points[number].values)
    network = prepare(small_request(folder, searched=SEARCHED)).context.network
    masks = _masks(network, found.pruned)
    assert masks is not None
    for mask, values in zip(masks, kernels(pruned(network, found.pruned)).values(), strict=True):
        assert np.array_equal(mask, (values != 0).astype(np.float32))
    assert _masks(network, {}) is None


def test_the_page_shows_shares_as_percent(study: ExploreRecord) -> None:
    point = next(one for one in study.points if study.settings.space.pruned(one.values))
    page = html(study_page(study, {}, point))
    assert "pruned weights of conv/0" in page
    assert "90 %" in page


RESOURCE = Target(strategy=Strategy.RESOURCE, reuse=4)


def test_pruning_without_an_effect_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="--search pruning saves nothing: products that share multipliers"):
        prepare(small_request(folder, searched=SEARCHED, target=RESOURCE))


def test_zeros_save_next_to_nothing_where_multipliers_are_shared(prepared: Preparation) -> None:
    """The reason of the refusal, as the estimate counts it: narrower sums are all that is saved."""
    for target, least, most in ((RESOURCE, 0.98, 1.0), (replace(RESOURCE, reuse=1), 0.0, 0.8)):
        context = replace(prepared.context, target=target)
        bench, whole = Workbench(context=context), context.space.uniform(5)
        found = [bench.measure(one) for one in (whole, context.space.with_pruning(0.9, whole))]
        before, after = (one.resources.lut.value for one in found if one.resources is not None)
        assert least * before <= after <= most * before


def test_effective_bit_operations_as_an_objective_are_an_effect(folder: Path) -> None:
    pair = (Objective.QUALITY, Objective.EBOPS)
    found = prepare(small_request(folder, searched=SEARCHED, target=RESOURCE, objectives=pair))
    assert any(isinstance(axis, PruningAxis) for axis in found.context.space.axes)


def test_a_layer_without_an_effect_is_not_pruned(folder: Path) -> None:
    target = Target(strategy_of={"last": Strategy.RESOURCE}, reuse_of={"last": 4})
    found = prepare(small_request(folder, searched=SEARCHED, target=target, io=(IoType.PARALLEL,)))
    axes = [axis.layer for axis in found.context.space.axes if isinstance(axis, PruningAxis)]
    assert axes == ["conv/0"]
    assert any(note.startswith("weights of last are not pruned") for note in found.settings.notes)


def test_pruning_is_searched_only_if_asked_for() -> None:
    assert Searched.PRUNING in parse_searched("pruning,widths")
    assert Searched.PRUNING not in parse_searched("widths,settings,io")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"high": 9', '"high": 10', "has no values"),
        ('"step": 10', '"step": 11', "quantizers of its points are missing"),
        ('"step": 10', '"step": 0', "has no values"),
    ],
)
def test_a_damaged_axis_is_named(study: ExploreRecord, old: str, new: str, words: str) -> None:
    assert words in why_damaged(study, old, new)


def test_quantizers_that_are_missing_are_named(study: ExploreRecord) -> None:
    file = Path(study.folder) / study_folder.MARK
    whole = file.read_text()
    document = json.loads(whole)
    document["quantizers"] = document["quantizers"][1:]
    file.write_text(json.dumps(document))
    try:
        with pytest.raises(StudyError, match="quantizers of its points are missing"):
            read_study(Path(study.folder))
    finally:
        file.write_text(whole)


def test_contexts_of_other_pruning_have_other_digests(prepared: Preparation) -> None:
    axes = tuple(
        replace(axis, high=1) if isinstance(axis, PruningAxis) else axis for axis in prepared.context.space.axes
    )
    changed = replace(prepared.context, space=replace(prepared.context.space, axes=axes))
    assert changed.digest != prepared.context.digest
