"""What folded casts and scales save, and that no answer changes; weights with a rounded scale in them: within bounds.

`benchmarks/dataflow.py --folding` measures networks of its own, `--folding-of FOLDER` quantized model files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from networks import cnn, mlp, svhn

from fpgacnn.design import BackendName, Design, IoType, Target
from fpgacnn.errors import FpgacnnError
from fpgacnn.hardware.estimation import estimate
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.ir.fixed_point import Codes, parse_format
from fpgacnn.passes.precision import fold_casts, legalize
from fpgacnn.passes.quantization import quantize
from fpgacnn.pipeline.request import Request
from fpgacnn.pipeline.stages import plan_source
from fpgacnn.records.estimates import TargetOverrides
from fpgacnn.sim.emulator import engine

EVENTS = 32
INPUT = parse_format("ufixed<8,0>")
TARGET = Target(io=IoType.STREAM, backend=BackendName.VIVADO)
SUFFIXES = {".h5", ".keras", ".onnx"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A network with every layer of its own, and with folded casts."""

    name: str
    plain: Design
    folded: Design


def own_networks() -> Iterator[Pair]:
    """The networks of the emulator's benchmark: ReLUs of six bits, with and without normalizations before them."""
    for network in (mlp(), cnn(), svhn()):
        legal = legalize(quantize(network, inputs=[INPUT] * len(network.inputs)))
        plain, folded = (Design(model=model, plan=plan, target=TARGET) for model, plan in (legal, fold_casts(*legal)))
        yield Pair(name=network.name, plain=plain, folded=folded)


def files(folder: Path) -> Iterator[Pair | str]:
    """The model files of a folder that have quantizers; for others, why they are left out."""
    for file in sorted(one for one in folder.iterdir() if one.suffix in SUFFIXES):
        request = Request(model=file, input_type=str(INPUT))
        try:
            plain, folded = (
                plan_source(file, replace(request, fold=fold), TargetOverrides(io=TARGET.io, backend=TARGET.backend))[0]
                for fold in (False, True)
            )
        except FpgacnnError as error:
            yield f"{file.name}: left out ({str(error)[:80]})"
            continue
        yield Pair(name=file.name, plain=plain, folded=folded)


def line(pair: Pair) -> tuple[str, tuple[int, int]]:
    """Processes, bits of FIFOs that hold a frame, LUTs and cycles before and after, and a comparison of answers."""
    before, after = (estimate(hardware_graph(one)) for one in (pair.plain, pair.folded))
    bits = before.totals.fifo_bits, after.totals.fifo_bits
    lut = [one.totals.resources.lut.value for one in (before, after)]
    cycles = [one.totals.latency_cycles.value for one in (before, after)]
    words = (
        f"{len(before.layers)} -> {len(after.layers)} processes; FIFO bits {bits[0]:,} -> {bits[1]:,}"
        f" ({bits[1] / bits[0] - 1:+.0%}); LUT {lut[0]:,.0f} -> {lut[1]:,.0f}; csynth latency"
        f" {cycles[0]:,.0f} -> {cycles[1]:,.0f}; {differences(pair):,} values of {EVENTS} events differ"
    )
    return f"{pair.name}: {words}{'' if lut[1] <= lut[0] else ' MORE LUT'}", bits


def differences(pair: Pair) -> int:
    """Number of values that differ between both designs, in every result that both have.

    Where weights with a scale in them may be rounded, only values that differ by more than both bounds count.
    """
    random = np.random.default_rng(2)
    codes = [
        Codes(
            array=random.integers(one.format.low, one.format.high, (EVENTS, *layer.shape), endpoint=True),
            format=one.format,
        )
        for layer, one in pair.plain.model.input_layers
    ]
    left, right = (engine(one, threads=1).run(codes, trace=True).trace for one in (pair.plain, pair.folded))
    rounds = any(layer.scales for layer in pair.folded.model.layers) and not pair.folded.plan.is_lossless
    return sum(
        int((np.abs(left[name].values - right[name].values) > _allowed(pair, name) * rounds).sum())
        for name in right.keys() & left.keys() & _results(pair.plain) & _results(pair.folded)
    )


def _results(design: Design) -> set[str]:
    return {layer.name for layer in design.model.layers if layer.is_result}


def _allowed(pair: Pair, name: str) -> float:
    """The sum of both bounds of a node."""
    return pair.plain.plan.layers[name].error + pair.folded.plan.layers[name].error
