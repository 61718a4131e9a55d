"""What `quantize` shows on a terminal: data, widths, budget, quality, training and the conversion."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fpgacnn.jobs.quantize.budget import BudgetRecord, Candidate
from fpgacnn.jobs.quantize.record import LayerWidths, QuantizeRecord, StageQuality
from fpgacnn.records.record import ModelRecord
from fpgacnn.reporting.terminal.tables import run_report
from fpgacnn.reporting.terminal.training import training_report, training_words
from fpgacnn.training.keras.loop import Epoch, TrainingSettings
from tests.support.records import record
from tests.unit.reporting.test_terminal import lines


def epoch(number: int) -> Epoch:
    return Epoch(number=number, train_loss=0.5, validation_loss=0.25, learning_rate=0.001, sparsity=0.0)


def candidate(ebops: int, quality: float) -> Candidate:
    return Candidate(ebops=ebops, noise=0.125, quality=quality, bits={"conv1": 6})


TRAINED = QuantizeRecord(
    version="0.1.0",
    model=ModelRecord(file="float.h5", digest="ab" * 32, framework="Keras 2.15.0", layers=5, parameters=12_345),
    output="out\x1b[2J.h5",
    output_digest="cd" * 32,
    data="digits",
    events={"train": 1_200, "validation": 300, "test": 297},
    settings=TrainingSettings(),
    augment=None,
    layers=(
        LayerWidths(
            layer="conv1",
            kind="Conv2D",
            weight_format="fixed<6,1>",
            bias_format="fixed<8,2>",
            result_format="ufixed<5,2>",
            parameters=1_234,
            ebops=56_789,
        ),
    ),
    ebops=56_789,
    budget=None,
    quality=(
        StageQuality(
            measure="accuracy", part="test", events=297, float_network=0.98765, post_training=0.9, fine_tuned=0.975
        ),
    ),
    best_epoch=7,
    epochs=tuple(map(epoch, range(11))),
    continued_from=None,
    conversion=None,
    timings_s={},
    notes=("a note of the run",),
)


def shown(result: QuantizeRecord) -> str:
    """The report, with every run of spaces as one."""
    return " ".join(" ".join(lines(*training_report(result), width=160)).split())


def test_data_widths_quality_and_training_are_shown() -> None:
    text = shown(TRAINED)
    for words in (
        "float.h5 5 layers, 12,345 parameters (Keras 2.15.0)",
        "digits: 1,200 events to train, 300 to validate, 297 to test",
        "conv1 fixed<6,1> fixed<8,2> ufixed<5,2> 1,234 56,789",
        "accuracy test 297 0.9877 0.9000 0.9750",
        "epoch 7 of 10 kept (lowest validation loss)",
        "(56,789 EBOPs)",
        "note: a note of the run",
    ):
        assert words in text, words
    assert "\x1b" not in text
    assert "budget" not in text


def test_candidates_of_a_budget_are_compared_with_uniform_widths() -> None:
    budget = BudgetRecord(
        budget="ebops=50%",
        uniform_ebops=20_000,
        chosen_ebops=9_000,
        uniform_lut=None,
        chosen_lut=None,
        pareto=(candidate(15_000, 0.97), candidate(9_000, 0.95)),
    )
    text = shown(replace(TRAINED, budget=budget))
    assert "budget ebops=50% EBOPs of uniform quality before training" in text
    assert "15,000 75% 0.9700 chosen 9,000 45% 0.9500" in text
    assert "LUTs" not in text
    text = shown(replace(TRAINED, budget=replace(budget, uniform_lut=40_000, chosen_lut=21_000)))
    assert "estimated before training: 21,000 LUTs, with uniform widths 40,000" in text


@pytest.mark.parametrize(
    ("best", "continued", "words"),
    [
        (7, None, "epoch 7 of 10 kept (lowest validation loss)"),
        (0, None, "none of 10 epochs was better than no training"),
        (7, 4, "epoch 7 of 10 kept (lowest validation loss); continued from the checkpoint of epoch 4"),
    ],
)
def test_the_training_is_described_in_one_sentence(best: int, continued: int | None, words: str) -> None:
    assert training_words(replace(TRAINED, best_epoch=best, continued_from=continued)) == words


def test_the_conversion_follows() -> None:
    conversion = " ".join(" ".join(lines(*run_report(record()), width=160)).split())
    assert "small.h5" in conversion
    assert shown(replace(TRAINED, conversion=record())) == f"{shown(TRAINED)} {conversion}"
