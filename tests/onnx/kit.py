"""Small ONNX graphs made by the package onnx; its reference and the functions of qonnx are compared with ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from qonnx.custom_op.general.bipolar_quant import binary_quant
from qonnx.custom_op.general.intquant import int_quant
from qonnx.custom_op.general.trunc import trunc_v1, trunc_v2

from fpgacnn import frontends
from fpgacnn.design import Design, Target
from fpgacnn.ir.fixed_point import Codes, Format, parse_format, quantize_values
from fpgacnn.ir.source import SourceModel
from fpgacnn.passes.precision import fold_casts, legalize
from fpgacnn.passes.quantization import SoftmaxChoice, quantize
from fpgacnn.pipeline.inputs import choose_formats
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.result import SimulationResult
from fpgacnn.sim.source_reference import evaluate

QONNX = "qonnx.custom_op.general"
CHANNELS_LAST = "qonnx.custom_op.channels_last"
EVENTS = 16
INPUT = "fixed<8,3>"


class Quant(OpRun):
    op_domain = QONNX

    def _run(
        self, x: Any, scale: Any, zero: Any, bits: Any, signed: int = 1, narrow: int = 0, rounding_mode: str = "ROUND"
    ) -> tuple[Any]:
        return (
            np.asarray(
                int_quant(x, scale, zero, np.asarray(bits, np.float32), signed, narrow, rounding_mode), np.float32
            ),
        )


class BipolarQuant(OpRun):
    op_domain = QONNX

    def _run(self, x: Any, scale: Any) -> tuple[Any]:
        return (np.asarray(binary_quant(x, scale), np.float32),)


class Trunc(OpRun):
    op_domain = QONNX

    def _run(self, *inputs: Any, rounding_mode: str = "FLOOR", signed: int = 1, narrow: int = 0) -> tuple[Any]:
        if len(inputs) == 6:
            x, scale, zero, width, out_scale, out_width = inputs
            return (
                np.asarray(
                    trunc_v2(x, scale, zero, width, narrow, signed, out_scale, np.asarray(out_width), rounding_mode),
                    np.float32,
                ),
            )
        return (np.asarray(trunc_v1(*inputs, rounding_mode), np.float32),)


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A graph under construction: nodes and stored arrays."""

    nodes: list[Any]
    stored: dict[str, np.ndarray]

    @classmethod
    def empty(cls) -> Graph:
        return cls(nodes=[], stored={})

    def store(self, array: Any, kind: Any = np.float32) -> str:
        name = f"w{len(self.stored)}"
        self.stored[name] = np.asarray(array, kind)
        return name

    def add(self, kind: str, *inputs: str, domain: str = "", outputs: int = 1, **attributes: Any) -> str:
        names = [f"t{len(self.nodes)}"] + [f"t{len(self.nodes)}_{number}" for number in range(1, outputs)]
        self.nodes.append(
            helper.make_node(kind, list(inputs), names, name=f"{kind}_{len(self.nodes)}", domain=domain, **attributes)
        )
        return names[0]

    def quant(self, source: str, scale: Any, bits: Any, *, zero: Any = 0.0, domain: str = QONNX, **options: Any) -> str:
        settings = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND", **options}
        return self.add(
            "Quant", source, self.store(scale), self.store(zero), self.store(bits), domain=domain, **settings
        )

    def model(self, inputs: Mapping[str, Sequence[Any]], outputs: Sequence[str], opset: int = 17) -> Any:
        ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        graph = helper.make_graph(
            self.nodes, "g", ports, ends, [numpy_helper.from_array(array, name) for name, array in self.stored.items()]
        )
        domains = [helper.make_opsetid("", opset), helper.make_opsetid(QONNX, 1), helper.make_opsetid(CHANNELS_LAST, 1)]
        return helper.make_model(graph, opset_imports=domains, ir_version=8)


def grid(seed: int, *shape: int, bits: int = 5, fraction: int = 4) -> np.ndarray:
    """Seeded weights that few bits hold."""
    return np.random.default_rng(seed).integers(-(1 << (bits - 1)), 1 << (bits - 1), size=shape).astype(
        np.float32
    ) * np.float32(2.0**-fraction)


def floats(seed: int, *shape: int, spread: float = 0.5) -> np.ndarray:
    """Seeded weights that no few bits hold."""
    return (np.random.default_rng(seed).normal(size=shape) * spread).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """One network answered three ways on the same events, and its plan."""

    source: SourceModel
    design: Design
    oracle: list[np.ndarray]
    reference: list[np.ndarray]
    hardware: list[np.ndarray]


def answers(
    model: Any, folder: Path, *, form: str = INPUT, seed: int = 5, softmax: SoftmaxChoice = SoftmaxChoice.KEEP
) -> Answers:
    """Read a model, plan it and ask everybody."""
    path = folder / "m.onnx"
    onnx.save(model, path)
    source = frontends.load(path)
    formats = [
        choice.format if choice.reason.startswith("the network") else parse_format(form)
        for choice in choose_formats(source, None, None)
    ]
    quantized, planned = legalize(quantize(source, inputs=formats, softmax=softmax))
    design = Design(model=quantized, plan=planned, target=Target())
    random = np.random.default_rng(seed)
    codes = [
        _codes(random, one, (EVENTS, *source.layer(name).shape))
        for one, name in zip(formats, source.inputs, strict=True)
    ]
    values = [one.values for one in codes]
    reference = evaluate(source, values, quantized=True)
    run = ReferenceEmulator(design).run(codes)
    _same_with_folded_casts(design, codes, run)
    return Answers(
        source=source,
        design=design,
        oracle=_ask(model, values),
        reference=[reference[name] for name in source.outputs],
        hardware=[run.outputs[name].values for name in design.model.outputs],
    )


def _same_with_folded_casts(design: Design, codes: Sequence[Codes], run: SimulationResult) -> None:
    model, plan = fold_casts(design.model, design.plan)
    if len(model.layers) == len(design.model.layers):
        return
    folded = ReferenceEmulator(replace(design, model=model, plan=plan)).run(codes)
    for name, one in run.outputs.items():
        assert np.array_equal(folded.outputs[name].values, one.values), name
    assert plan.is_exact == design.plan.is_exact


def _codes(random: np.random.Generator, form: Format, shape: tuple[int, ...]) -> Codes:
    spread = quantize_values(random.normal(size=shape) * 2.0 ** (form.integer - 2), form)
    extreme = random.integers(form.low, form.high, size=shape, endpoint=True)
    return Codes(array=np.where(random.random(shape) < 0.7, spread, extreme), format=form)  # most near zero


def _ask(model: Any, values: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The reference, one event at a time: some graphs fix the number of events."""
    session = ReferenceEvaluator(model, new_ops=[Quant, BipolarQuant, Trunc])
    names = [port.name for port in model.graph.input]
    events = [
        session.run(
            None, {name: one[number : number + 1].astype(np.float32) for name, one in zip(names, values, strict=True)}
        )
        for number in range(EVENTS)
    ]
    return [
        np.stack([event[output].reshape(-1) for event in events]).astype(np.float64)
        for output in range(len(model.graph.output))
    ]


def agree(found: Answers, *, exact: bool = True, tolerance: float = 0.0) -> None:
    """The oracle, our reference and the hardware: equal, or within what the plan promises."""
    for oracle, reference, hardware in zip(found.oracle, found.reference, found.hardware, strict=True):
        wanted = oracle.reshape(reference.shape)
        np.testing.assert_allclose(reference, wanted, rtol=0, atol=tolerance)
        error = max(found.design.plan.layers[name].error for name in found.design.model.outputs)
        np.testing.assert_allclose(
            hardware.reshape(reference.shape),
            reference,
            rtol=0,
            atol=error + 1e-9 * float(np.abs(reference).max()) * (not exact),
        )
    if exact:
        assert found.design.plan.is_lossless, found.design.plan.losses
