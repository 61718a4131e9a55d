"""Hardware graphs that a test makes by hand, as planning and legalization take them: codes are the trained numbers."""

from __future__ import annotations

from fpgacnn.ir import graph
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import quantized as q
from fpgacnn.ir.hardware import HardwareModel
from fpgacnn.ir.quantized import QuantizedModel
from fpgacnn.passes.precision import PrecisionPlan, nodes
from fpgacnn.passes.precision.planner import Planner


def plan(model: HardwareModel) -> PrecisionPlan:
    """Lossless formats for every node."""
    planner = Planner()
    for layer in model.layers:
        planner.add(planned_node(layer))
    return PrecisionPlan(layers=planner.decided)


def planned_node(layer: hw.Layer) -> nodes.Node:
    """A node of the hardware for the planner."""
    return graph.Node(
        name=layer.name,
        source=layer.source,
        operation=_planned(layer.operation),
        inputs=layer.inputs,
        shape=layer.shape,
        is_result=layer.is_result,
    )


def _planned(operation: hw.Operation) -> nodes.Operation:
    match operation:
        case hw.Convolution() | hw.Depthwise() | hw.Dense():
            return q.Linear(sums=operation)
        case hw.Affine(scale=scale, shift=shift, format=form):
            return nodes.PlannedAffine(scale=scale, shift=shift, trained=trained(operation), format=form)
        case hw.LeakyRelu(slope=slope):
            return q.LeakyRelu(slope=slope, trained=slope.values)
        case hw.Cast(format=form):
            return nodes.PlannedCast(format=form)
        case hw.Relu(format=form):
            return q.Relu(format=form)
        case hw.Lookup(table=table):
            return nodes.PlannedLookup(table=table, error=0.0, what="test")
        case hw.Thresholds(thresholds=thresholds, values=values):
            return nodes.PlannedThresholds(
                thresholds=thresholds, values=values, error=0.0, what="test", rounds_in_float32=False
            )
        case hw.Pool() | hw.GlobalPool():
            return nodes.PlannedPool(pooling=operation)
        case _:
            return operation


def trained(operation: hw.Affine) -> q.Line:
    """The constants as real numbers."""
    return q.Line(scale=operation.scale.values, shift=operation.shift.values)


def quantized(model: HardwareModel) -> QuantizedModel:
    """The quantized graph that says the same; without lookups, thresholds and scales with a format."""
    layers = [
        graph.Node(
            name=layer.name,
            source=layer.source,
            operation=_quantized(layer.operation),
            inputs=layer.inputs,
            shape=layer.shape,
            is_result=layer.is_result,
        )
        for layer in model.layers
    ]
    return QuantizedModel(
        name=model.name,
        source_digest=model.source_digest,
        layers=tuple(layers),
        inputs=model.inputs,
        outputs=model.outputs,
    )


def _quantized(operation: hw.Operation) -> q.Operation:
    match operation:
        case hw.Affine(scale=scale, shift=shift, format=None):
            return q.Affine(scale=scale, shift=shift, trained=trained(operation))
        case hw.Cast(format=form):
            return q.Cast(format=form)
        case hw.Pool() | hw.GlobalPool():
            return operation
        case _:
            found = _planned(operation)
            assert not isinstance(
                found,
                nodes.PlannedAffine
                | nodes.PlannedCast
                | nodes.PlannedLookup
                | nodes.PlannedThresholds
                | nodes.PlannedPool,
            )
            return found
