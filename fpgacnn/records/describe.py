"""Make records from a design: its layers and precision plan as text and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from fpgacnn.design import Design
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.hardware import HardwareModel
from fpgacnn.ir.source import SourceModel
from fpgacnn.ir.text import operation_text
from fpgacnn.passes.quantization import SoftmaxChoice
from fpgacnn.records.record import LayerRecord, ModelRecord, PlanRecord, TargetRecord
from fpgacnn.sim.compare import OutputBound


def plan_record(
    design: Design,
    network: SourceModel,
    noise: Mapping[str, float | None],
    seen: Mapping[str, tuple[float, float]],
    outputs: Sequence[OutputBound],
) -> PlanRecord:
    """The plan with each decision and its reason.

    `seen`: codes of the run's events, `outputs`: bounds of the outputs.
    """
    plan = design.plan
    record = PlanRecord(
        exact=plan.is_exact and not network.has_given_widths,
        lossless=plan.is_lossless,
        losses=plan.losses,
        decisions=tuple(
            replace(_layer(layer, design, network, noise.get(layer.source)), seen=seen.get(layer.name))
            for layer in design.model.layers
        ),
    )
    return replace(record, promise="loose" if any(one.loose for one in outputs) else record.word)


def _layer(layer: hw.Layer, design: Design, network: SourceModel, noise: float | None) -> LayerRecord:
    precision = design.plan.layers[layer.name]
    weight, bias = _constants(layer.operation)
    accumulator = precision.accumulator
    return LayerRecord(
        name=layer.name,
        source=layer.source,
        kind=layer.kind,
        what=_what(layer, design.model, network),
        shape=layer.shape,
        parameters=parameters(layer.operation),
        weight=weight,
        bias=bias,
        accumulator=str(accumulator.format) if accumulator else "",
        accumulator_reason=accumulator.reason if accumulator else "",
        result=str(precision.result.format),
        result_reason=precision.result.reason,
        tables={name: f"{decision.format}: {decision.reason}" for name, decision in precision.tables.items()},
        error=precision.error,
        loss=precision.loss,
        signal_to_noise_db=noise if layer.is_result else None,
        inputs=layer.inputs,
        reach=precision.reach,
        folded=layer.folded,
    )


def _what(layer: hw.Layer, model: HardwareModel, network: SourceModel) -> str:
    """What a node computes: the layers that are folded into it, then its own.

    Of a layer with other nodes, for example the products of a dense layer, only the scale is in the weights.
    """
    source = network.layer(layer.source)
    own = operation_text(source.operation) if layer.is_result else f"part of {source.kind}"
    others = {name for one in model.layers if one.name != layer.name for name in (one.source, *one.folded)}
    scales = others.intersection(layer.scales)
    before = [
        f"{name}: {'its scale' if name in scales else operation_text(network.layer(name).operation)}"
        for name in layer.folded
    ]
    return "; then ".join([*before, own])


def _constants(operation: hw.Operation) -> tuple[str, str]:
    match operation:
        case hw.Convolution() | hw.Depthwise() | hw.Dense():
            return str(operation.kernel.format), str(operation.bias.format)
        case hw.Affine():
            return str(operation.scale.format), str(operation.shift.format)
        case hw.LeakyRelu():
            return str(operation.slope.format), ""
        case _:
            return "", ""


def parameters(operation: hw.Operation) -> int:
    """Number of constants that the hardware needs for an operation."""
    match operation:
        case hw.Convolution() | hw.Depthwise() | hw.Dense():
            return operation.kernel.array.size + operation.bias.array.size
        case hw.Lookup():
            return operation.table.array.size
        case hw.Thresholds():
            return operation.thresholds.array.size + operation.values.array.size
        case hw.LeakyRelu():
            return operation.slope.array.size
        case hw.Affine():
            return operation.scale.array.size + operation.shift.array.size
        case _:
            return 0


def total_parameters(model: HardwareModel) -> int:
    """Number of constants that the hardware needs in total."""
    return int(np.sum([parameters(layer.operation) for layer in model.layers]))


def model_record(network: SourceModel, design: Design, file: str) -> ModelRecord:
    """The record of the network."""
    return ModelRecord(
        file=file,
        digest=network.digest,
        framework=network.framework,
        layers=len(network.layers),
        parameters=total_parameters(design.model),
    )


def target_record(design: Design, softmax: SoftmaxChoice) -> TargetRecord:
    """The record of the target."""
    target = design.target
    return TargetRecord(
        part=target.part,
        clock_ns=target.clock_ns,
        io=target.io.value,
        strategy=target.strategy.value,
        reuse=target.reuse,
        backend=target.backend.value,
        softmax=softmax.value,
    )
