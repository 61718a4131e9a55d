"""Records written by hand, so that reports are tested without a conversion."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fpgacnn.hardware import estimation
from fpgacnn.hardware.estimation import Figure
from fpgacnn.hardware.synthesis import report as tools
from fpgacnn.records.record import (
    InputRecord,
    LayerRecord,
    ModelRecord,
    PlanRecord,
    ProjectRecord,
    Quality,
    RunRecord,
    TargetRecord,
)
from fpgacnn.records.report_input import ReportInput
from fpgacnn.sim.compare import Difference, VerificationReport


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
    linear = {
        "weight": "fixed<6,1>",
        "bias": "fixed<6,1>",
        "accumulator": "fixed<12,4>",
        "accumulator_reason": "exact bound of 9 products",
    }
    return (
        layer(
            "image",
            "Input",
            result="ufixed<8,0>",
            result_reason="the input's format",
            shape=(8, 8, 1),
            reach=(0.0, 255 / 256),
            seen=(0.0, 0.5),
        ),
        layer("conv1", "Convolution", "image", parameters=40, signal_to_noise_db=31.25, **linear),
        layer("conv2", "Convolution", "conv1", parameters=148, signal_to_noise_db=28.0, **linear),
        layer(
            "add",
            "Merge",
            "conv1",
            "conv2",
            result="fixed<13,5>",
            result_reason="exact result in [-13, 14]",
            reach=(-13.0, 14.0),
        ),
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
    given: dict[str, Any] = {
        "events": 100,
        "layers": 1,
        "values": 6400,
        "mismatches": 0,
        "max_abs_difference": 0.0,
        "allowed": 0.0,
        "holds": True,
    }
    return VerificationReport(left=left, right=right, **{**given, **more})


def broken() -> VerificationReport:
    """A comparison that does not hold."""
    first = Difference(layer="conv2", index=(3, 0, 1, 2), left=17.0, right=16.0)
    return comparison(mismatches=5, max_abs_difference=0.25, holds=False, first=first, differences={"conv2": 0.25})


def record(**changed: Any) -> RunRecord:
    """A run that is bounded, proven, and judged."""
    within = comparison(
        "emulator",
        "quantized network",
        layers=5,
        values=128_000,
        mismatches=12,
        max_abs_difference=0.000244140625,
        allowed=0.00048828125,
    )
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
        target=TargetRecord(
            part="xcku115-flvb2104-2-i",
            clock_ns=5.0,
            io="stream",
            strategy="latency",
            reuse=1,
            backend="vitis",
            softmax="logits",
        ),
        plan=PlanRecord(
            exact=False,
            lossless=False,
            losses=(("score", "table of sigmoid: at most 0.00049 off"),),
            decisions=layers(),
        ),
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


def entry(name: str = "small", **changed: Any) -> ReportInput:
    """A run with a name."""
    return ReportInput(name=name, record=record(**changed))


def figure(value: float, *, off: float = 0.25) -> Figure:
    """An estimate with a band of a quarter to both sides."""
    return Figure(value=value, low=value * (1 - off), high=value * (1 + off))


def estimated_resources(lut: float, dsp: float) -> estimation.ResourceEstimate:
    """Half as many registers as LUTs, four blocks of memory."""
    return estimation.ResourceEstimate(
        lut=figure(lut), ff=figure(lut / 2), dsp=figure(dsp), bram_18k=figure(4), uram=figure(0)
    )


def estimated(*, lut: float = 20_000, dsp: float = 96) -> estimation.Estimate:
    """An estimate for a part with 53,200 LUTs and 220 DSP blocks."""
    layers = tuple(
        estimation.LayerEstimate(
            name=name,
            kind="convolution",
            resources=estimated_resources(lut / 2, dsp / 2),
            after_synthesis=estimated_resources(lut / 4, dsp / 2),
            latency_cycles=figure(cycles),
            ii_cycles=figure(64),
            multipliers=36,
            fifo_bits=0,
            fifo_bram_18k=0,
            method="digits of the constants",
        )
        for name, cycles in (("conv1", 80.0), ("conv2", 120.0))
    )
    totals = estimation.Totals(
        resources=estimated_resources(lut, dsp),
        latency_cycles=figure(160),
        latency_ns=figure(800),
        ii_cycles=figure(64),
        ii_ns=figure(320),
        multipliers=72,
        fifo_bits=0,
    )
    caution = estimation.Caution(
        code="FC121", layer="conv1", text="a loop over 5,000 is unrolled", cure="use a reuse factor of 4"
    )
    return estimation.Estimate(
        stage="csynth",
        tool="Vitis HLS",
        part="xc7z020-clg400-1",
        clock_ns=5.0,
        layers=layers,
        totals=totals,
        after_synthesis=estimated_resources(lut / 2, dsp),
        available=estimation.Available(
            device="xc7z020", source="DS190", lut=53_200, ff=106_400, dsp=220, bram_18k=280, uram=0, slrs=1
        ),
        shortages=(),
        method="structure",
        warnings=(caution,),
    )


def zynq(stage: tools.Stage, file: str) -> tools.Resources:
    """What the part has."""
    return tools.Resources(
        origin=tools.Origin(stage=stage, file=file), lut=53_200, ff=106_400, dsp=220, bram_18k=280, uram=0
    )


def counted(stage: tools.Stage, file: str, *, lut: int, dsp: int) -> tools.Resources:
    """What a tool counts."""
    return tools.Resources(
        origin=tools.Origin(stage=stage, file=file), lut=lut, ff=lut // 2, dsp=dsp, bram_18k=4, uram=0
    )


def cycles(least: int | None, most: int | None) -> tools.IntRange:
    return tools.IntRange(least=least, most=most)


def synthesized(*, lut: int = 30_000, dsp: int = 100, with_vivado: bool = True) -> tools.SynthesisReport:
    """C synthesis with two layers, RTL simulation, and Vivado's word on it."""
    file, vivado = "solution1/syn/report/myproject_csynth.rpt", "vivado_synth.rpt"
    room = zynq(tools.Stage.CSYNTH, file)
    module = tools.ModuleReport(
        name="myproject",
        origin=tools.Origin(stage=tools.Stage.CSYNTH, file=file),
        tool="Vitis HLS",
        version="2023.2",
        date="2026-11-25T12:00:00",
        project="myproject_prj",
        solution="solution1",
        family="zynq",
        part="xc7z020-clg400-1",
        clock=tools.Clock(target_ns=5.0, estimated_ns=4.3, uncertainty_ns=0.6),
        latency_cycles=cycles(150, 170),
        latency_ns=None,
        interval_cycles=cycles(64, 64),
        pipeline="dataflow",
        resources=counted(tools.Stage.CSYNTH, file, lut=lut, dsp=dsp),
        available=room,
        available_per_slr=None,
        by_kind={},
        loops=(),
        instances=(),
        fifos=(),
        memories=(),
        dsp_blocks=(),
        interface=None,
    )
    layers = tuple(
        tools.LayerReport(
            index=index,
            name=name,
            kind="conv_2d_cl",
            instances=(f"conv_{index}_U0",),
            latency_cycles=cycles(most, most),
            interval_cycles=cycles(64, 64),
            resources=counted(tools.Stage.CSYNTH, file, lut=lut // 2, dsp=dsp // 2) if most else None,
            loops=(),
            memories=(),
            fifos=(),
            why="" if most else "inlined into its caller",
        )
        for index, name, most in ((2, "conv1", 80), (3, "conv2", 120), (5, "relu", None))
    )
    placed = tools.Utilization(
        origin=tools.Origin(stage=tools.Stage.SYNTH, file=vivado),
        design="myproject",
        version="2023.2",
        date=None,
        part="xc7z020-clg400-1",
        state="Synthesized",
        resources=counted(tools.Stage.SYNTH, vivado, lut=lut // 2, dsp=dsp),
        available=zynq(tools.Stage.SYNTH, vivado),
        lut_logic=None,
        lut_memory=None,
        ramb36=None,
        ramb18=None,
    )
    cosim = tools.Cosim(
        origin=tools.Origin(stage=tools.Stage.COSIM, file="solution1/sim/report/myproject_cosim.rpt"),
        date=None,
        solution="solution1",
        language="Verilog",
        status="Pass",
        latency_cycles=cycles(161, 165),
        average_latency_cycles=163,
        interval_cycles=cycles(64, 66),
        average_interval_cycles=65,
        total_cycles=1000,
    )
    slack = tools.TimingReport(
        origin=tools.Origin(stage=tools.Stage.IMPL, file="timing.rpt"),
        design="myproject",
        version="2023.2",
        date=None,
        part=None,
        worst_setup_slack_ns=-0.12,
        total_setup_slack_ns=-3.5,
        failing_endpoints=40,
        worst_hold_slack_ns=0.02,
        worst_pulse_width_slack_ns=None,
        clock_periods_ns={"ap_clk": 5.0},
        met=False,
    )
    return tools.SynthesisReport(
        folder="small",
        solution="solution1",
        top="myproject",
        part="xc7z020-clg400-1",
        tool="Vitis HLS",
        version="2023.2",
        csynth=module,
        network=module,
        layers=layers,
        modules=(module,),
        summary=None,
        design_size=None,
        cosim=cosim if with_vivado else None,
        synth=placed if with_vivado else None,
        impl=None,
        utilizations=(placed,) if with_vivado else (),
        timings=(slack,) if with_vivado else (),
        export=None,
        files=(
            tools.SourceFile(
                file=file,
                kind="C synthesis of a module",
                stage=tools.Stage.CSYNTH,
                tool="Vitis HLS",
                version="2023.2",
                date=None,
            ),
        ),
        unread=(tools.Unread(file="broken.rpt", code="FC100", why="broken.rpt: section 'Latency': it is cut off"),),
        notes=("the part of the report is not that of the project",),
    )
