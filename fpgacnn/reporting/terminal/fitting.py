"""The result of `fit` as tables for a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from fpgacnn.errors import printable
from fpgacnn.frontends import is_model
from fpgacnn.jobs.fit.run import FitRecord, FrontPoint, LayerChoice
from fpgacnn.reporting.formatting import duration
from fpgacnn.reporting.terminal.columns import FittingTable, left, right
from fpgacnn.reporting.terminal.estimate import cautions, speed

SHOWN_FACTORS = 12


def fit_report(record: FitRecord, file: Path | None) -> Iterator[RenderableType]:
    """A whole search: the limits, the best target, other targets, and the next command."""
    target, answer = record.target, record.estimate
    yield Text.assemble(
        (printable(record.source), "bold"),
        f"  for {printable(target.part)} at {target.clock_ns:g} ns, {answer.tool}; limits: {_limits(record)}; an"
        " estimate, no tool has run",
    )
    yield _verdict(record)
    yield _layers(record.layers)
    yield speed(answer)
    yield _front(record.front)
    yield from cautions(answer)
    for note in record.notes:
        yield Text.assemble(("note: ", "yellow"), printable(note))
    yield Text(f"how: {answer.method}; {record.trials:,} targets were tried", style="dim")
    if record.fits and file is not None:
        model = shlex.quote(printable(record.source)) if is_model(Path(record.source)) else "MODEL"
        written = shlex.quote(printable(file))
        yield Text(f"written: {printable(file)}; next: fpgacnn convert {model} --config {written}")
    elif record.fits:
        yield Text("-o target.toml writes it; `fpgacnn convert MODEL --config target.toml` reads it", style="dim")


def _limits(record: FitRecord) -> str:
    limits = record.limits
    times = {"latency": limits.latency_ns, "interval": limits.interval_ns}
    words = [f"{name} {duration(value)}" for name, value in times.items() if value is not None]
    return ", ".join([*words, f"{limits.utilization:.0%} of the part"]) + (
        " at the upper ends of the bands" if limits.sure else ""
    )


def _verdict(record: FitRecord) -> Text:
    if not record.fits:
        short = ", ".join(f"{name} by {excess:.0%}" for name, excess in record.excess.items())
        return Text.assemble(
            ("no target meets the limits", "bold red"),
            f"; the nearest, io_{record.target.io}, exceeds {short} of the limit",
        )
    spread = "" if record.limits.sure else _spread(record)
    return Text.assemble(
        ("fits ", "bold green"),
        f"with io_{record.target.io}: {duration(record.latency_ns)}, {_shares(record.shares)}{spread}",
    )


def _spread(record: FitRecord) -> str:
    """The limits that the upper end of a band would exceed."""
    after, there, limits = (
        record.estimate.after_synthesis,
        record.estimate.available,
        record.limits,
    )
    assert there is not None
    counts = {"LUT": (after.lut.high, there.lut), "FF": (after.ff.high, there.ff), "DSP": (after.dsp.high, there.dsp)}
    over = [
        name
        for name, (high, part) in {**counts, "BRAM": (after.bram_18k.high, there.bram_18k)}.items()
        if high > limits.utilization * part
    ]
    times = {
        "latency": (record.estimate.latency_ns.high, limits.latency_ns),
        "interval": (record.estimate.interval_ns.high, limits.interval_ns),
    }
    over += [name for name, (high, limit) in times.items() if limit is not None and high > limit]
    return f"; at the upper end of the band {', '.join(over)} would not (--sure demands that)" if over else ""


def _shares(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {share:.1%}" for name, share in shares.items())


def _layers(layers: tuple[LayerChoice, ...]) -> FittingTable:
    rows = []
    for one in layers:
        more = ", ..." if len(one.factors) > SHOWN_FACTORS else ""
        factors = ", ".join(map(str, one.factors[:SHOWN_FACTORS])) + more
        rows.append((Text(printable(one.layer)), Text(one.strategy), Text(f"{one.reuse:,}"), Text(factors)))
    return FittingTable(
        headings=(left("layer"), left("strategy"), right("reuse"), left("could be", rank=1, least=20)), rows=tuple(rows)
    )


BAR = 8
"""Characters of a bar for the whole part."""


def share_bar(share: float) -> str:
    """A share of the part as a bar, in eighths of a character."""
    eighths = round(8 * BAR * min(max(share, 0.0), 1.0))
    part = " ▏▎▍▌▋▊▉"[eighths % 8].strip()
    return "█" * (eighths // 8) + part


def _front(points: tuple[FrontPoint, ...]) -> FittingTable:
    """The other targets of the Pareto front."""
    numbers = tuple(map(right, ("latency", "interval", "LUT", "FF", "DSP", "BRAM")))
    rows = tuple(
        (
            Text("→" if one.best else ""),
            Text(one.io),
            Text(duration(one.latency_ns)),
            Text(duration(one.interval_ns)),
            *(Text(f"{one.shares[name]:.1%}") for name in ("LUT", "FF", "DSP", "BRAM")),
            Text(share_bar(max(one.shares.values(), default=0.0))),
            Text(str(one.cautions)),
            Text("met" if one.fits else "not met"),
        )
        for one in points
    )
    return FittingTable(
        headings=(left(""), left("io"), *numbers, left("largest", rank=2), right("cautions", rank=1), left("limits")),
        rows=rows,
        styles=tuple("bold" if one.best else "" if one.fits else "dim" for one in points),
    )
