"""The verdicts of a report: is the project exact, was it checked, does it fit, how fast is it?"""

from __future__ import annotations

from fpgacnn.records.flatten import comparison_name
from fpgacnn.records.record import PlanRecord, RunRecord
from fpgacnn.records.report_input import ReportInput
from fpgacnn.reporting.formatting import NOTHING, number, plural, score
from fpgacnn.reporting.page import layer_costs, resources
from fpgacnn.reporting.page.page import Tone, Verdict
from fpgacnn.sim.compare import READING, OutputBound, VerificationReport

WITHIN = "within the bound"
PROMISES = {
    "Exact": "Every answer equals the quantized network’s, bit for bit, for every possible input.",
    "Lossless": "No bit is lost in hardware; the framework’s own float32 may round where the hardware does not.",
    "Bounded": "Results are rounded; the error has a bound that holds for every possible input.",
    "Loose": "Results are rounded; the bound of the error is too large to be useful.",
}


def verdicts(entry: ReportInput) -> tuple[Verdict, ...]:
    """The verdicts at the top of a report."""
    record = entry.record
    run = (exactness(record), proof(record), reading(record)) if record else (UNKNOWN,)
    return (
        *run,
        *in_rtl(entry),
        resources.fits_part(entry),
        resources.speed(entry),
        *layer_costs.slowest(entry),
        *(quality(record) if record else ()),
    )


UNKNOWN = Verdict(
    question="Exact?",
    answer="Not known",
    detail="fpgacnn did not write this project and has not checked it.",
    tone=Tone.PLAIN,
)


def in_rtl(entry: ReportInput) -> tuple[Verdict, ...]:
    """The result of RTL simulation, if it was run."""
    cosim = entry.synthesis.cosim if entry.synthesis else None
    if cosim is None or cosim.status not in ("Pass", "Fail"):
        return ()
    passed = cosim.status == "Pass"
    detail = f"{cosim.language or 'RTL'} against the test bench in C."
    return (
        Verdict(
            question="In RTL?",
            answer="Passes" if passed else "Fails",
            detail=detail,
            tone=Tone.GOOD if passed else Tone.BAD,
        ),
    )


def promise(plan: PlanRecord) -> str:
    """The promise of the precision plan."""
    return plan.word.capitalize() if plan.word.capitalize() in PROMISES else NOTHING


def reading(record: RunRecord) -> Verdict:
    """Whether the file's framework computes the network that was read."""
    report = next((one for one in record.verification if one.left == READING), None)
    if report is None:
        why = next(
            (note for note in record.notes if note.startswith("reading not checked")),
            "reading not checked against the framework",
        )
        return Verdict(
            question="Read right?", answer="Not checked", detail=f"{why[0].upper()}{why[1:]}.", tone=Tone.PLAIN
        )
    if not report.holds:
        where = f", first in layer {report.first.layer}" if report.first else ""
        return Verdict(
            question="Read right?",
            answer="No",
            detail=f"{report.right} computes another function{where}.",
            tone=Tone.BAD,
        )
    values = f"{report.values:,} values of {plural(report.layers, 'layer')} on {plural(report.events, 'event')}"
    return Verdict(
        question="Read right?",
        answer="Yes",
        detail=f"{report.right} loads the file itself: {values}, {outcome(report)}.",
        tone=Tone.GOOD,
    )


def exactness(record: RunRecord) -> Verdict:
    """The promise of the plan for every possible input."""
    word = promise(record.plan)
    detail = PROMISES.get(word, "The record has a promise that this version of fpgacnn does not have.")
    loosest = next((report.loosest for report in record.verification if report.loosest), None)
    if word == "Loose" and loosest:
        sizes = (
            f"The bound of {loosest.output} is {number(loosest.bound, 3)}, and its answers span"
            f" {number(loosest.span, 3)}"
        )
        detail = f"Results are rounded. {sizes}: the bound is too large to be useful."
    elif word == "Bounded":
        outputs = [layer for layer in record.plan.decisions if layer.name in record.outputs]
        bound = max((layer.error for layer in outputs), default=None)
        if bound is not None:  # records of older versions name no outputs
            detail = f"Outputs are off by at most {number(bound, 3)}, for every possible input."
    return Verdict(
        question="Exact?", answer=word, detail=detail, tone=Tone.GOOD if word in ("Exact", "Lossless") else Tone.WARN
    )


def proof(record: RunRecord) -> Verdict:
    """The result of the comparisons of the run."""
    reports = record.verification
    failed = [report for report in reports if not report.holds]
    if failed:
        where = where_first(failed[0])
        if failed[0].deadlock:
            detail = f"{failed[0].left}: each process waits for the next: {where}."
            return Verdict(question="Shown?", answer="Deadlock", detail=detail, tone=Tone.BAD)
        detail = f"{comparison_name(failed[0])}{f': {where}' if where else ''}."
        return Verdict(question="Shown?", answer="Different", detail=detail, tone=Tone.BAD)
    reports = tuple(report for report in reports if report.left != READING)  # which has a verdict of its own
    if not reports:
        return Verdict(question="Shown?", answer="Not checked", detail="Nothing was compared.", tone=Tone.WARN)
    values = sum(report.values for report in reports)
    events = max(report.events for report in reports)
    tied = sum(report.mismatches for report in reports if report.float32_events)
    differing = sum(report.mismatches for report in reports) - tied
    excused = sum(report.float32_events for report in reports)
    loosest = next((report.loosest for report in reports if report.loosest), None)
    bound = (
        f"within a bound that is too large to be useful ({loosest.output}: seen at most {number(loosest.seen, 3)})"
        if loosest
        else "within the bound"
    )
    words = [f"{differing:,} {bound}"] if differing else []
    words += [f"{tied:,} differ where float32 rounds a tie, in {plural(excused, 'event')}"] if tied else []
    equal = ", ".join([*words, "the others equal"]) if words else "all equal"
    detail = f"{values:,} values of {plural(events, 'event')} in {plural(len(reports), 'comparison')}, {equal}."
    rtl = next((report for report in reports if report.left == "rtl"), None)
    if rtl is not None:
        if rtl.events < events:
            detail = f"RTL simulation computed {plural(rtl.events, 'event')}. {detail}"
        detail = f"Every answer comes in the clock of its schedule. {detail}"
        return Verdict(question="Shown?", answer="In RTL simulation", detail=detail, tone=Tone.GOOD)
    if not any(report.left == "csim" for report in reports):
        return Verdict(
            question="Shown?", answer="By emulation only", detail=f"C simulation was not run. {detail}", tone=Tone.WARN
        )
    simulated = max(report.events for report in reports if report.left == "csim")
    if simulated < events:
        detail = f"C simulation computed {plural(simulated, 'event')}. {detail}"
    return Verdict(question="Shown?", answer="In C simulation", detail=detail, tone=Tone.GOOD)


def quality(record: RunRecord) -> tuple[Verdict, ...]:
    """The first quality measure, if there were labels."""
    if not record.quality:
        return ()
    first = record.quality[0]
    trained = f"; float network {score(first.measure, first.float_network)}" if first.float_network is not None else ""
    detail = (
        f"{first.measure} of the hardware on {plural(first.events, 'event')}. Quantized network"
        f" {score(first.measure, first.quantized)}{trained}."
    )
    return (
        Verdict(
            question="How good?",
            answer=score(first.measure, first.hardware),
            detail=detail[0].upper() + detail[1:],
            tone=Tone.PLAIN,
        ),
    )


def where_first(report: VerificationReport) -> str:
    """Where a comparison first fails: the circle of a deadlock, a value, or a layer with other clocks; may be empty."""
    if report.deadlock:
        return " → ".join(report.deadlock)
    if report.first:
        one = report.first
        return f"first at {one.layer}{list(one.index)}: {one.left:g} and {one.right:g}"
    if not report.other_clocks:
        return ""
    first, *others = report.other_clocks
    more = f" and {len(others)} more" if others else ""
    return f"words of {first}{more} come in other clocks than those of the schedule"


def outcome(report: VerificationReport) -> str:
    """The result of a comparison in a few words."""
    if not report.holds:
        return "deadlock" if report.deadlock else "different"
    if report.left == READING:
        steps = (
            f" but for {plural(report.float32_events, 'event')} in which it steps at a threshold"
            if report.float32_events
            else ""
        )
        return f"equal within float32 rounding{steps}" if report.max_abs_difference or steps else "equal"
    if report.float32_events:
        return f"equal but for {plural(report.float32_events, 'event')} in which float32 rounds a tie"
    if report.loosest:
        return loose_words(report.loosest, report.events)
    return WITHIN if report.mismatches else "equal"


def loose_words(one: OutputBound, events: int) -> str:
    """The largest difference seen at an output whose bound is too large to be useful."""
    return (
        f"bound too large to be useful; seen at most {number(one.seen, 3)} on {plural(events, 'event')} ({one.output})"
    )
