"""Numbers as a reader wants them."""

from __future__ import annotations

from math import inf, nan

import pytest

from fpgacnn.reporting.formatting import clean, duration, duration_band, number, percent, plural, power, rough, times


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (12345, "12,345"),
        (-12345, "−12,345"),
        (0, "0"),
        (3.0, "3"),
        (0.123456, "0.1235"),
        (-0.5, "−0.5"),
        (31.254, "31.25"),
        (1.25e-7, "1.25e-07"),
        (1234567.5, "1.23e+06"),
        (12345.6, "12,346"),
        (inf, "∞"),
        (-inf, "−∞"),
        (nan, "–"),
        (None, "–"),
    ],
)
def test_numbers_are_grouped_and_short(value: float | None, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.431, "43 %"), (0.0431, "4.3 %"), (0.0001, "< 0.1 %"), (0.0, "0 %"), (1.2, "120 %"), (None, "–"), (nan, "–")],
)
def test_shares_are_percent(share: float | None, shown: str) -> None:
    assert percent(share) == shown


@pytest.mark.parametrize(
    ("ns", "shown"),
    [(5.0, "5 ns"), (840.0, "840 ns"), (1240.0, "1.24 µs"), (3.1e6, "3.1 ms"), (2e9, "2 s"), (None, "–"), (inf, "–")],
)
def test_times_have_the_unit_that_suits_them(ns: float | None, shown: str) -> None:
    assert duration(ns) == shown


@pytest.mark.parametrize(
    ("band", "shown"),
    [
        ((1080.0, 810.0, 1890.0), "1.08 µs (0.81–1.89)"),
        ((965.0, 724.0, 1688.0), "965 ns (724–1,690)"),
        ((0.0, 0.0, 5.0), "0 ns (0–5)"),
        ((840.0, 840.0, 840.0), "840 ns"),
    ],
)
def test_bands_of_times_have_the_unit_of_the_time(band: tuple[float, float, float], shown: str) -> None:
    assert duration_band(*band) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (52_615.3, "52,600"),
        (999.6, "1,000"),
        (1234.0, "1,230"),
        (18.25, "18"),
        (0.123456, "0"),
        (0.0, "0"),
        (5, "5"),
        (1.39e6, "1,390,000"),
        (inf, "∞"),
    ],
)
def test_estimates_have_three_digits(value: float, shown: str) -> None:
    assert rough(value) == shown


def test_counts_and_powers_and_shapes() -> None:
    assert (plural(1, "layer"), plural(2000, "layer"), power(2, -12), times((8, 8, 1))) == (
        "1 layer",
        "2,000 layers",
        "2⁻¹²",
        "8×8×1",
    )


def test_clean_text_stands_on_one_line() -> None:
    assert clean("  a\nb\x1b[2J ") == r"a\nb\x1b[2J"
