"""Records written by hand, so that reports are tested without a conversion."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fpgacnn.flow.record import InputRecord, LayerRecord, ModelRecord, PlanRecord, ProjectRecord, Quality, RunRecord, TargetRecord
from fpgacnn.flow.subjects import Subject
from fpgacnn.verification import Difference, VerificationReport


def layer(name: str, kind: str, *inputs: str, result: str = "fixed<12,4>", **more: Any) -> LayerRecord:
    """A node; what is not said is empty."""
    given: dict[str, Any] = {
        "what": kind.lower(),
        "shape": (8, 8, 4),
        "parameters": 0,
        "weight": "",
        "bias": "",
        "accumulator": "",
        "accumulator_reason": "",
        "result_reason": "values pass unchanged",
        "tables": {},
        "error": 0.0,
        "loss": "",
        "signal_to_noise_db": None,
        "reach": (-6.5, 7.0),
        "seen": (-1.5, 3.25),
    }
    return LayerRecord(name=name, source=name, kind=kind, inputs=inputs, result=result, **{**given, **more})


def layers() -> tuple[LayerRecord, ...]:
    """Input, convolution, a skip connection around another, their sum, and a table of a sigmoid."""
    linear = {"weight": "fixed<6,1>", "bias": "fixed<6,1>", "accumulator": "fixed<12,4>", "accumulator_reason": "exact bound of 9 products"}
    return (
        layer("image", "Input", result="ufixed<8,0>", result_reason="the input's format", shape=(8, 8, 1), reach=(0.0, 255 / 256), seen=(0.0, 0.5)),
        layer("conv1", "Convolution", "image", parameters=40, signal_to_noise_db=31.25, **linear),
        layer("conv2", "Convolution", "conv1", parameters=148, signal_to_noise_db=28.0, **linear),
        layer("add", "Merge", "conv1", "conv2", result="fixed<13,5>", result_reason="exact result in [-13, 14]", reach=(-13.0, 14.0)),
        layer(
            "score",
            "Lookup",
            "add",
            result="ufixed<10,0>",
            result_reason="the function at every code",
            tables={"entry": "ufixed<10,0>: the function at every code of the input, rounded once"},
            error=0.00048828125,
            loss="table of sigmoid: at most 0.00049 off",
            reach=(0.0, 0.9990234375),
            seen=(0.25, 0.96875),
            signal_to_noise_db=26.5,
        ),
    )


def comparison(left: str = "csim", right: str = "emulator", **more: Any) -> VerificationReport:
    """A comparison that holds."""
    given: dict[str, Any] = {"events": 100, "layers": 1, "values": 6400, "mismatches": 0, "max_abs_difference": 0.0, "allowed": 0.0, "holds": True}
    return VerificationReport(left=left, right=right, **{**given, **more})


def broken() -> VerificationReport:
    """A comparison that does not hold."""
    first = Difference(layer="conv2", index=(3, 0, 1, 2), left=17.0, right=16.0)
    return comparison(mismatches=5, max_abs_difference=0.25, holds=False, first=first, differences={"conv2": 0.25})


def record(**changed: Any) -> RunRecord:
    """A run that is bounded, proven, and judged."""
    within = comparison("emulator", "quantized network", layers=5, values=128_000, mismatches=12, max_abs_difference=0.000244140625, allowed=0.00048828125)
    whole = RunRecord(
        version="0.1.0",
        model=ModelRecord(file="small.h5", digest="ab" * 32, framework="Keras 2.15.0", layers=5, parameters=188),
        inputs=(
            InputRecord(
                name="image",
                shape=(8, 8, 1),
                format="ufixed<8,0>",
                reason="the narrowest that holds every given value",
                events=100,
                origin="events.npz",
                rounded_values=3,
                largest_rounding=0.001953125,
            ),
        ),
        target=TargetRecord(part="xcku115-flvb2104-2-i", clock_ns=5.0, io="stream", strategy="latency", reuse=1, backend="vitis", softmax="logits"),
        plan=PlanRecord(exact=False, lossless=False, losses=(("score", "table of sigmoid: at most 0.00049 off"),), decisions=layers()),
        verification=(comparison(), replace(within, differences={"score": 0.000244140625})),
        quality=(Quality(measure="ROC AUC", events=100, float_network=0.9876, quantized=0.9871, hardware=0.9870),),
        project=ProjectRecord(folder="hls_projects/small", digest="cd" * 32, files=104, bytes=1_303_504),
        notes=("a note of the run",),
        timings_s={"load": 0.02, "plan": 0.005, "csim": 1.5},
        tools={"fpgacnn": "0.1.0", "hls4ml": "1.3.0", "compiler": "g++ 12.2.0"},
        outputs=("score",),
    )
    return replace(whole, **changed)


def exact_record() -> RunRecord:
    """A run without any loss."""
    decisions = tuple(replace(one, error=0.0, loss="", tables={}) for one in layers())
    return record(
        plan=PlanRecord(exact=True, lossless=True, losses=(), decisions=decisions),
        verification=(comparison(), comparison("emulator", "quantized network", layers=5)),
    )


def subject(name: str = "small", **changed: Any) -> Subject:
    """A run with a name."""
    return Subject(name=name, record=record(**changed))
