"""The section of a profile: every tensor against its format, the signal to noise, and the worst events."""

from __future__ import annotations

from importlib.metadata import version
from math import ceil, floor, log2

from fpgacnn.reporting import charts
from fpgacnn.reporting.formatting import NOTHING, number, percent, power
from fpgacnn.reporting.page.page import Cell, Column, Page, Section, Table, Tone, cell, count
from fpgacnn.sim.profiling import LEVELS, Profile, TensorProfile, WorstEvent

LEGEND = (
    "Light band: what the format represents, from its largest value to its last bit. Thin line: from the smallest to"
    " the largest magnitude that is not 0. Box: the middle half of them. White line: the median."
)
MANY_SATURATED = 0.01
"""A larger share of saturated values is marked."""


def profile_page(profile: Profile, title: str) -> Page:
    """A page with nothing but a profile."""
    return Page(title=title, version=version("fpgacnn"), overview=(profile_section(profile),), chapters=())


def profile_section(profile: Profile) -> Section:
    """Distributions, shares that are lost, and the worst events."""
    words = (
        f"Weights and results on {profile.events:,} events. Rounded to zero: the float network has another value,"
        " smaller than one step. Saturated: at an end of a format that saturates."
        " Unused bits: at the top, needed by no value."
    )
    tables = [_tensors(profile)]
    if profile.worst:
        tables.append(_worst(profile))
    return Section(key="profile", title="Profile", words=(words,), legend=(LEGEND,), tables=tuple(tables))


def _tensors(profile: Profile) -> Table:
    axis = _axis(profile.tensors)
    most = max((one.signal_to_noise_db or 0.0 for one in profile.tensors), default=0.0)
    span = f"{power(2, axis.high)} to {power(2, axis.low)}" if axis else ""
    columns = (
        Column(name="Layer"),
        Column(name="Tensor"),
        Column(name="Format", code=True),
        Column(name=f"Magnitudes, {span}", drawn=True),
        Column(name="Zeros", number=True, minor=True),
        Column(name="Rounded to zero", number=True),
        Column(name="Saturated", number=True),
        Column(name="Unused bits", number=True),
        Column(name="Signal to noise", unit="dB", number=True),
        Column(name="0 to the best", drawn=True),
    )
    rows = tuple(_row(one, axis, most) for one in profile.tensors)
    return Table(caption="Distribution of every tensor against its format", columns=columns, rows=rows)


def _row(one: TensorProfile, axis: charts.BitAxis | None, most: float) -> tuple[Cell, ...]:
    form, noise = charts.form_of(one.format), one.signal_to_noise_db
    drawn = charts.box(form, axis, one.quantiles) if form and axis and one.quantiles else None
    return (
        cell(one.name),
        cell(one.what),
        cell(one.format),
        Cell(text="", mark=drawn),
        _share(one.zeros),
        _share(one.rounded_to_zero),
        _share(one.saturated, Tone.WARN if one.saturated > MANY_SATURATED and one.what == "result" else Tone.PLAIN),
        count(one.unused_bits),
        Cell(text=NOTHING if noise is None else f"{noise:.1f}", number=noise),
        Cell(text="", mark=None if noise is None else charts.bar(max(noise, 0.0), most)),
    )


def _share(share: float | None, tone: Tone = Tone.PLAIN) -> Cell:
    return Cell(text=percent(share), number=share, tone=tone)


def _axis(tensors: tuple[TensorProfile, ...]) -> charts.BitAxis | None:
    """An axis that contains every format and every magnitude."""
    formats = charts.bit_axis([form for one in tensors if (form := charts.form_of(one.format))])
    if formats is None:
        return None
    seen = [end for one in tensors if one.quantiles for end in (one.quantiles[0], one.quantiles[4])]
    return charts.BitAxis(
        low=min([formats.low, *(floor(log2(end)) for end in seen)]),
        high=max([formats.high, *(ceil(log2(end)) for end in seen)]),
    )


def _worst(profile: Profile) -> Table:
    columns = (
        Column(name="First input", drawn=True),
        Column(name="Event", number=True),
        Column(name="Label"),
        Column(name=f"At {profile.output}"),
        Column(name="Hardware", number=True),
        Column(name="Float network", number=True),
        Column(name="Difference", number=True),
    )
    rows = tuple(_event(one) for one in profile.worst)
    return Table(caption="Events that quantization changes most", columns=columns, rows=rows, ordered=True)


def _event(one: WorstEvent) -> tuple[Cell, ...]:
    return (
        Cell(text="", mark=charts.image(one.picture, LEVELS)),
        count(one.event),
        cell("" if one.label is None else number(one.label)),
        cell(str(list(one.index))),
        count(one.hardware),
        count(one.float_network),
        count(one.difference, 3),
    )
