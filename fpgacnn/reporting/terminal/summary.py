"""The summary of a run: promise, proof, cost, quality, folder, and the next command."""

from __future__ import annotations

import shlex

from rich.table import Table
from rich.text import Text

from fpgacnn.errors import printable
from fpgacnn.hardware.estimation import Estimate
from fpgacnn.records.record import Quality, RunRecord
from fpgacnn.reporting.formatting import clean, duration, percent, score
from fpgacnn.reporting.page.page import Tone
from fpgacnn.reporting.page.verdicts import proof, reading
from fpgacnn.reporting.terminal.estimate import uncertain, verdict

STYLES = {Tone.GOOD: "green", Tone.WARN: "yellow", Tone.BAD: "red", Tone.PLAIN: "", Tone.SAME: "dim"}


def summary(record: RunRecord) -> Table:
    """One line for each question that a user has at the end of a run."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("promise", promise(record))
    grid.add_row("proof", _proof(record))
    if record.estimate:
        grid.add_row("cost", _cost(record.estimate))
    for one in record.quality:
        grid.add_row("quality", _quality(one))
    if record.project:
        content = f"  ({record.project.files} files, digest {clean(record.project.digest[:12])})"
        grid.add_row("folder", Text.assemble((printable(record.project.folder), "bold"), content))
    for command in next_commands(record):
        grid.add_row("next", Text(command, style="bold"))
    return grid


def promise(record: RunRecord) -> Text:
    """The promise of the plan for the whole network."""
    if record.plan.exact:
        return Text.assemble(("exact: ", "bold green"), "every answer equals the quantized network's, bit for bit")
    if record.plan.lossless:
        return Text.assemble(
            ("lossless: ", "bold green"),
            "no bit is lost; the framework's own float32 may round where the hardware does not",
        )
    losses = "; ".join(clean(f"{name}: {loss}") for name, loss in record.plan.losses)
    if record.plan.word == "loose":
        what = "the bound of an output's error is larger than a quarter of its answers' range, and is not useful"
        return Text.assemble(("loose: ", "bold yellow"), f"{what}; {losses}")
    return Text.assemble(("bounded: ", "bold yellow"), losses)


def _proof(record: RunRecord) -> Text:
    shown, read = proof(record), reading(record)
    words = {"Yes": "the file was read right", "No": "THE FILE WAS READ WRONG"}
    return Text.assemble(
        (f"{clean(shown.answer[0].lower() + shown.answer[1:])}: ", f"bold {STYLES[shown.tone]}"),
        f"{clean(shown.detail)} By its framework: ",
        (words.get(read.answer, "not checked"), STYLES[read.tone]),
    )


def _cost(answer: Estimate) -> Text:
    shares = ", ".join(f"{percent(figure.value / there)} {name}" for name, figure, there in answer.needs if there)
    time = f"; {duration(answer.latency_ns.value)} from input to output, a new event every"
    line = verdict(answer)
    if shares and not uncertain(answer):
        line.append(f": {shares}")
    return line.append(f"{time} {duration(answer.interval_ns.value)} (estimate)") if not answer.stops else line


def _quality(one: Quality) -> Text:
    float_network = "" if one.float_network is None else f", {score(one.measure, one.float_network)} as float network"
    worst = min(one.classes, key=lambda of_class: of_class.hardware, default=None)
    lowest = f"; lowest efficiency {worst.hardware:.4f}, of class {worst.label}" if worst else ""
    return Text(
        f"{clean(one.measure)} {score(one.measure, one.hardware)} in hardware, {score(one.measure, one.quantized)}"
        f" quantized{float_network} ({one.events:,} events){lowest}"
    )


def next_commands(record: RunRecord) -> tuple[str, ...]:
    """What to type next: a report, and what answers a comparison or a part that does not hold."""
    if record.project is None:
        return ()
    folder = shlex.quote(printable(record.project.folder))
    if not record.holds:
        return (f"fpgacnn verify {folder}",)
    report = f"fpgacnn report {folder} -o report.html"
    if record.estimate is not None and record.estimate.available is not None and uncertain(record.estimate):
        return (f"fpgacnn fit {folder} -o target.toml", report)
    return (report,)
