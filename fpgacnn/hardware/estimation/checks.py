"""What makes synthesis fail, hang or blow up, seen before it starts: cautions with codes, not errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

from fpgacnn.design import BackendName, IoType, Strategy
from fpgacnn.hardware.devices import find_device
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph, Role, TemplateCall
from fpgacnn.hardware.estimation.memory import fifo_blocks, fifos
from fpgacnn.hardware.estimation.multiply import PARTITION_LIMIT
from fpgacnn.hardware.estimation.quantities import Quantities
from fpgacnn.hardware.estimation.result import Caution
from fpgacnn.hardware.hls.reuse import is_legal, legal_factors

UNROLL_LIMIT = 4096
PARTITION_BITS = 65_536
VITIS_PARTITION_LIMIT = 1024
MANY_PRODUCTS = 20_000
NEAR_SHOWN = 4
CAUTIONS = {
    "FC122": "A loop over more products than tools unroll, or unroll in reasonable time.",
    "FC123": "An array of so many bits is split into registers that tools give up or take hours.",
    "FC124": "Vivado HLS does not split arrays of more than 4,096 elements: the weights stay in block RAM.",
    "FC125": "A reuse factor that hls4ml's resource strategy does not take.",
    "FC126": "A stream past other layers is shorter than what they take before they answer: the design stops.",
    "FC127": "The buffer of a way past other layers takes much of the block RAM.",
    "FC128": "More products side by side than schedulers handle in reasonable time.",
    "FC129": "Vitis HLS takes long to split arrays of more than 1,024 elements.",
}
"""The page of every caution, by its code."""

WEIGHTED = frozenset({Role.DENSE, Role.CONVOLUTION, Role.DEPTHWISE})


def cautions(model: HardwareGraph, counted: Quantities) -> tuple[Caution, ...]:
    """All cautions of a design, in the order of its layers."""
    found = [caution for layer in model.layers for caution in _layer(layer, model)]
    products = sum(one.product.terms for one in counted.layers if not one.product.in_memory)
    if products > MANY_PRODUCTS:
        text = f"{products:,.0f} products are built side by side; schedulers have needed hours and more memory than machines have for that many"
        found.append(
            Caution(code="FC128", layer="", text=text, cure="--strategy resource with --reuse, or fewer channels")
        )
    return tuple(found + list(bypasses(model)))


def _layer(layer: TemplateCall, model: HardwareGraph) -> Iterator[Caution]:
    if layer.role in WEIGHTED:
        yield from _weighted(layer, model)
    whole = model.io is IoType.PARALLEL or layer.role is Role.DENSE
    bits = prod(layer.in_shape) * layer.input.width
    if whole and bits > PARTITION_BITS:
        text = f"an array of {prod(layer.in_shape):,} values, {bits:,} bits, is split into registers; tools give up or take hours beyond {PARTITION_BITS:,}"
        yield Caution(code="FC123", layer=layer.name, text=text, cure="--io stream, or pooling before it")
    elements = prod(layer.in_shape)
    if whole and model.tool is BackendName.VITIS and elements > VITIS_PARTITION_LIMIT:
        text = f"an array of {elements:,} elements is split into registers; beyond {VITIS_PARTITION_LIMIT:,} Vitis HLS warns and takes long"
        yield Caution(code="FC129", layer=layer.name, text=text, cure="--io stream, or pooling before it")


def _weighted(layer: TemplateCall, model: HardwareGraph) -> Iterator[Caution]:
    inputs, outputs = layer.products
    count = inputs * outputs
    if layer.strategy is Strategy.LATENCY and count > UNROLL_LIMIT:
        text = f"a loop over {count:,} products is unrolled; tools stop at {UNROLL_LIMIT:,} or take hours"
        yield Caution(
            code="FC122", layer=layer.name, text=text, cure=f"--set {layer.name}.strategy=resource and a reuse factor"
        )
        if model.tool is BackendName.VIVADO and layer.reuse > 1:
            text = f"{count:,} weights are more than the {PARTITION_LIMIT:,} elements that Vivado HLS splits: they stay in block RAM and are read as if shared"
            yield Caution(
                code="FC124", layer=layer.name, text=text, cure="--strategy resource says so in its own words"
            )
    if (
        layer.strategy is Strategy.RESOURCE
        and layer.role is not Role.DEPTHWISE
        and not is_legal(inputs, outputs, layer.reuse)
    ):
        near = ", ".join(map(str, nearest_legal(inputs, outputs, layer.reuse)))
        text = f"a reuse factor of {layer.reuse} is not legal for {inputs} inputs and {outputs} outputs"
        yield Caution(code="FC125", layer=layer.name, text=text, cure=f"the nearest legal ones are {near}")


def nearest_legal(inputs: int, outputs: int, requested: int) -> list[int]:
    """The legal factors next to a requested one, ascending."""
    legal = legal_factors(inputs, outputs, inputs * outputs)
    return sorted(sorted(legal, key=lambda reuse: (abs(reuse - requested), reuse))[:NEAR_SHOWN])


def bypasses(model: HardwareGraph) -> Iterator[Caution]:
    """Cautions about skip connections in streams: the short branch buffers what the long branch takes before its first result."""
    if model.io is not IoType.STREAM:
        return
    delays = _delays(model)
    by_name = {layer.name: layer for layer in model.layers}
    for layer in model.layers:
        if len(layer.inputs) < 2:
            continue
        waits = {name: delays[name] for name in layer.inputs if name in by_name}
        for name, wait in waits.items():
            needed = max(waits.values()) - wait
            yield from _bypass(by_name[name], layer, needed, model)


def _bypass(short: TemplateCall, join: TemplateCall, needed: int, model: HardwareGraph) -> Iterator[Caution]:
    queues = fifos(short, model)
    if needed <= 0 or not queues:
        return
    if queues[0].depth < needed:
        text = f"the way past '{short.name}' into '{join.name}' holds {queues[0].depth} places, but the other way takes {needed} before it answers: deadlock"
        yield Caution(
            code="FC126", layer=join.name, text=text, cure=f"give the stream of '{short.name}' a depth of {needed}"
        )
    blocks = fifo_blocks(queues[0], model)
    if blocks > find_device(model.part).bram_18k // 10:
        text = f"the buffer of the way past '{short.name}' takes {blocks} blocks of RAM"
        yield Caution(
            code="FC127", layer=join.name, text=text, cure="measure the depth that is needed in cosimulation and set it"
        )


def _delays(model: HardwareGraph) -> Mapping[str, int]:
    """Positions of its first input that a layer's way has taken before its first answer."""
    found: dict[str, int] = {}
    for layer in model.layers:
        before = max((found[name] for name in layer.inputs if name in found), default=0)
        rows, columns = layer.window
        own = (
            (rows - 1) * layer.in_shape[1] + columns - 1
            if layer.role in {Role.CONVOLUTION, Role.DEPTHWISE, Role.POOL}
            else 0
        )
        whole = layer.role in {Role.DENSE, Role.GLOBAL_POOL}
        found[layer.name] = before + (layer.in_shape[0] * layer.in_shape[1] if whole else own)
    return found
