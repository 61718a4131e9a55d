"""Widths under a budget: what is asked for is kept, bits go where they help, and what cannot be kept is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgacnn import frontends
from fpgacnn.errors import BudgetError
from fpgacnn.ir.source import SourceModel
from fpgacnn.jobs.quantize.budget import (
    FEWEST_BITS,
    Budget,
    BudgetRecord,
    EbopsLimit,
    LutLimit,
    QualityDrop,
    _first_good,
    _last_good,
    fit_widths,
    parse_budget,
)
from fpgacnn.passes.widths.ebops import costs, multiplications, total_ebops
from fpgacnn.passes.widths.trainable import least_error, trainable_points
from fpgacnn.passes.widths.widths import with_quantizers
from fpgacnn.sim.source_reference import evaluate
from tests.support.studies import small_model

EVENTS = np.random.default_rng(3).integers(0, 64, size=(80, 6, 6, 1)) / 64
INPUT_BITS = 6
BITS = 6


@pytest.fixture
def network(tmp_path: Path) -> SourceModel:
    """A float network whose first layer makes 12 times the multiplications of its last."""
    return frontends.load(small_model(tmp_path))


def closeness(network: SourceModel, quantized: SourceModel) -> float:
    real, seen = (
        evaluate(network, [EVENTS], quantized=False)["last"],
        evaluate(quantized, [EVENTS], quantized=True)["last"],
    )
    return 1 - float(np.square(seen - real).sum() / np.square(real - real.mean(axis=0)).sum())


def fitted(network: SourceModel, text: str) -> tuple[SourceModel, BudgetRecord]:
    return fit_widths(
        network,
        [EVENTS],
        evaluate(network, [EVENTS], quantized=False),
        {network.inputs[0]: INPUT_BITS},
        parse_budget(text),
        bits=BITS,
        float_quality=1.0,
        judge=lambda quantized: closeness(network, quantized),
        count_luts=lambda quantized: ebops(network, quantized) // 7,
    )


def uniform(network: SourceModel, bits: int) -> SourceModel:
    seen = evaluate(network, [EVENTS], quantized=False)
    return with_quantizers(network, least_error(network, dict.fromkeys(trainable_points(network), bits), seen))


def ebops(network: SourceModel, quantized: SourceModel) -> int:
    """EBOPs in which every weight counts."""
    return sum(cost.ebops for cost in costs(quantized, {quantized.inputs[0]: INPUT_BITS}, multiplications(network)))


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("ebops=200000", EbopsLimit(text="ebops=200000", number=200_000)),
        ("lut=30%", LutLimit(text="lut=30%", fraction=0.3)),
        (" ebops=50% ", EbopsLimit(text=" ebops=50% ", fraction=0.5)),
        ("accuracy-drop=0.5%", QualityDrop(text="accuracy-drop=0.5%", drop=0.005)),
    ],
)
def test_a_budget_is_a_number_a_fraction_or_a_drop(text: str, budget: Budget) -> None:
    assert parse_budget(text) == budget


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dsp=3", "--budget dsp=3: not understood"),
        ("ebops=-1", "--budget ebops=-1: not understood"),
        (f"ebops={'9' * 400}", f"--budget ebops={'9' * 193}…: not understood"),
        ("lut=²", "--budget lut=²: not understood"),
        ("ebops=0", "--budget ebops=0: the limit must be positive"),
        ("accuracy-drop=0.5", "--budget accuracy-drop=0.5: a drop is a percentage below 100"),
        ("accuracy-drop=100%", "--budget accuracy-drop=100%: a drop is a percentage below 100"),
    ],
)
def test_other_budgets_are_refused_by_what_was_said(text: str, words: str) -> None:
    with pytest.raises(BudgetError) as caught:
        parse_budget(text)
    assert str(caught.value) == words


@pytest.mark.parametrize("percent", [90, 60, 40])
def test_a_limit_is_kept_and_better_used_than_by_uniform_widths(network: SourceModel, percent: int) -> None:
    found, record = fitted(network, f"ebops={percent}%")
    assert total_ebops(found, {found.inputs[0]: INPUT_BITS}) <= ebops(network, found)
    assert ebops(network, found) == record.chosen_ebops <= percent / 100 * record.uniform_ebops
    assert record.uniform_ebops == ebops(network, uniform(network, BITS))
    best = max(
        (bits for bits in range(2, BITS + 1) if ebops(network, uniform(network, bits)) <= record.chosen_ebops),
        default=None,
    )
    assert best is not None
    assert closeness(network, found) >= closeness(network, uniform(network, best))


def test_the_path_gets_cheaper_and_its_points_are_kept(network: SourceModel) -> None:
    _, record = fitted(network, "ebops=50%")
    costs, noises = [one.ebops for one in record.pareto], [one.noise for one in record.pareto]
    assert costs == sorted(costs, reverse=True)
    assert noises == sorted(noises)
    assert record.chosen_ebops in costs
    assert record.pareto[0].ebops > record.uniform_ebops
    assert set(record.pareto[-1].bits) == {"conv/0 kernel", "conv result", "last kernel"}
    assert set(record.pareto[-1].bits.values()) == {FEWEST_BITS}
    assert record.pareto[0].quality > record.pareto[-1].quality


def test_a_drop_of_quality_is_kept_with_the_fewest_ebops(network: SourceModel) -> None:
    loose, tight = fitted(network, "accuracy-drop=10%"), fitted(network, "accuracy-drop=0.5%")
    assert closeness(network, loose[0]) >= 0.9
    assert closeness(network, tight[0]) >= 0.995
    assert loose[1].chosen_ebops < tight[1].chosen_ebops


def test_luts_are_counted_and_kept(network: SourceModel) -> None:
    found, record = fitted(network, "lut=60%")
    assert record.uniform_lut == record.uniform_ebops // 7
    assert record.chosen_lut == ebops(network, found) // 7 <= 0.6 * record.uniform_lut
    nearest = max((one.ebops for one in record.pareto if one.ebops < record.chosen_ebops), default=0)
    assert nearest < record.chosen_ebops
    assert (fitted(network, "ebops=60%")[1].uniform_lut, fitted(network, "ebops=60%")[1].chosen_lut) == (None, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lut=10", r"--budget lut=10: even 2 bits everywhere need [\d]+ LUTs"),
        ("ebops=10", r"--budget ebops=10: even 2 bits everywhere need [\d]+ EBOPs"),
        ("accuracy-drop=0.0000001%", "8 bits everywhere lose more than that; give more --bits"),
    ],
)
def test_a_budget_that_no_widths_keep_is_refused(network: SourceModel, text: str, words: str) -> None:
    with pytest.raises(BudgetError, match=words):
        fitted(network, text)


@given(length=st.integers(1, 60), good=st.integers(0, 60))
def test_the_last_and_the_first_good_place_are_found(length: int, good: int) -> None:
    wanted = min(good, length) - 1
    assert _last_good(length, lambda place: place < good) == (wanted if wanted >= 0 else None)
    assert _first_good(length, lambda place: place >= good) == (good if good < length else None)
