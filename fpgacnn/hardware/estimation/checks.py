"""Cautions about designs whose synthesis fails, hangs or takes too long; with codes, but not errors."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from fpgacnn.design import BackendName, IoType, Strategy
from fpgacnn.hardware.devices import find_device
from fpgacnn.hardware.estimation.dataflow.build import Unknown
from fpgacnn.hardware.estimation.graph.graph import HardwareGraph, Role, TemplateCall
from fpgacnn.hardware.estimation.multiply import PARTITION_LIMIT
from fpgacnn.hardware.estimation.quantities import Quantities
from fpgacnn.hardware.estimation.result import Caution, Simulated
from fpgacnn.hardware.hls.moves import in_memory
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
    "FC126": "A circle of processes of a streamed design waits for ever, because a FIFO between them is too short.",
    "FC127": "A FIFO takes more than a tenth of the part's block RAM.",
    "FC128": "More products side by side than schedulers handle in reasonable time.",
    "FC129": "Vitis HLS takes long to split arrays of more than 1,024 elements.",
    "FC132": "A template whose order of reads and writes is not known: the dataflow is not simulated.",
    "FC134": (
        "Headers of the project differ from those of every release of hls4ml: the estimate is valid for the latter"
        " only."
    ),
    "FC137": "A pragma names a variable or a directive that is not there: synthesis ends with an error.",
    "FC138": "A streamed resize layer writes a whole row in one unrolled loop, and tools stop unrolling it.",
    "FC139": "A streamed layer splits an array of more elements than tools split.",
}
"""The page of every caution, by its code."""

WEIGHTED = frozenset({Role.DENSE, Role.CONVOLUTION, Role.DEPTHWISE})


def cautions(
    model: HardwareGraph, counted: Quantities, dataflow: Simulated | Unknown | None = None
) -> tuple[Caution, ...]:
    """All cautions of a design, in the order of its layers."""
    found = [caution for layer in model.layers for caution in layer_cautions(layer, model)]
    return (
        *found,
        *side_by_side(sum(one.product.terms for one in counted.layers if not one.product.in_memory)),
        *stream_cautions(model, dataflow),
        *_headers(model),
    )


def side_by_side(products: float) -> tuple[Caution, ...]:
    """A caution about the number of products that a whole design builds side by side."""
    if products > MANY_PRODUCTS:
        text = (
            f"{products:,.0f} products are built side by side; schedulers have needed hours and more memory than"
            " machines have for that many"
        )
        return (Caution(code="FC128", layer="", text=text, cure="--strategy resource with --reuse, or fewer channels"),)
    return ()


def _headers(model: HardwareGraph) -> Iterator[Caution]:
    """Cautions about templates that were changed, or that belong to no release, and about pragmas."""
    if model.pragma_faults:
        more = len(model.pragma_faults) - NEAR_SHOWN
        named = "; ".join(model.pragma_faults[:NEAR_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        yield Caution(code="FC137", layer="", text=named, cure="correct the names in these pragmas")
    if model.changed_headers:
        more = len(model.changed_headers) - NEAR_SHOWN
        named = ", ".join(model.changed_headers[:NEAR_SHOWN]) + (f" and {more} more" if more > 0 else "")
        text = f"{named} differ from the templates of every release of hls4ml: what they build may cost more or less"
        yield Caution(code="FC134", layer="", text=text, cure="compare with the reports of a synthesis: fpgacnn report")


def layer_cautions(layer: TemplateCall, model: HardwareGraph) -> Iterator[Caution]:
    """The cautions about one layer; of the design, they read io type and tool only."""
    if layer.role in WEIGHTED:
        yield from _weighted(layer, model)
    if model.io is IoType.STREAM:
        yield from _streamed(layer)
    whole = model.io is IoType.PARALLEL or layer.role is Role.DENSE
    bits = prod(layer.in_shape) * layer.input.width
    if whole and bits > PARTITION_BITS:
        text = (
            f"an array of {prod(layer.in_shape):,} values, {bits:,} bits, is split into registers; tools give up or"
            f" take hours beyond {PARTITION_BITS:,}"
        )
        yield Caution(code="FC123", layer=layer.name, text=text, cure="--io stream, or pooling before it")
    elements = prod(layer.in_shape)
    if whole and model.tool is BackendName.VITIS and elements > VITIS_PARTITION_LIMIT:
        text = (
            f"an array of {elements:,} elements is split into registers; beyond {VITIS_PARTITION_LIMIT:,} Vitis HLS"
            " warns and takes long"
        )
        yield Caution(code="FC129", layer=layer.name, text=text, cure="--io stream, or pooling before it")


def _streamed(layer: TemplateCall) -> Iterator[Caution]:
    """Limits of loops and arrays in the stream templates of resize, transpose and dense layers."""
    if layer.what in in_memory.FUNCTIONS:
        yield from _wide_words(layer)
        return
    if layer.what.startswith("resize"):
        rows, columns, channels = layer.out_shape
        written = rows // max(1, layer.in_shape[0]) * columns * channels
        if written > UNROLL_LIMIT:
            text = (
                f"{written:,} values of a row are written in one unrolled loop; tools stop at {UNROLL_LIMIT:,}"
                " (hls4ml issue 1168)"
            )
            cure = "convert the network with fpgacnn, which keeps the row in a memory; --backend rtl, or --io parallel"
            yield Caution(code="FC138", layer=layer.name, text=text, cure=cure)
    elements = prod(layer.in_shape)
    if (layer.role is Role.DENSE or layer.what.startswith("transpose")) and elements > PARTITION_LIMIT:
        text = f"an array of {elements:,} elements is split into registers; tools split at most {PARTITION_LIMIT:,}"
        yield Caution(code="FC139", layer=layer.name, text=text, cure="pooling before it, or fewer channels")


def _wide_words(layer: TemplateCall) -> Iterator[Caution]:
    """Words with more values than tools unroll and split: all values of a word are moved at once."""
    values = max(layer.in_shape[2], layer.out_shape[2])
    if values > PARTITION_LIMIT:
        text = f"a word of {values:,} values is split into registers; tools split at most {PARTITION_LIMIT:,}"
        yield Caution(code="FC139", layer=layer.name, text=text, cure="pooling before it, or fewer channels")


def _weighted(layer: TemplateCall, model: HardwareGraph) -> Iterator[Caution]:
    inputs, outputs = layer.products
    count = inputs * outputs
    if layer.strategy is Strategy.LATENCY and count > UNROLL_LIMIT:
        text = f"a loop over {count:,} products is unrolled; tools stop at {UNROLL_LIMIT:,} or take hours"
        yield Caution(
            code="FC122", layer=layer.name, text=text, cure=f"--set {layer.title}.strategy=resource and a reuse factor"
        )
        if model.tool is BackendName.VIVADO and layer.reuse > 1:
            text = (
                f"{count:,} weights are more than the {PARTITION_LIMIT:,} elements that Vivado HLS splits: they stay in"
                " block RAM and are read as if shared"
            )
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
    """The legal factors nearest to a requested one, ascending."""
    legal = legal_factors(inputs, outputs, inputs * outputs)
    return sorted(sorted(legal, key=lambda reuse: (abs(reuse - requested), reuse))[:NEAR_SHOWN])


def stream_cautions(model: HardwareGraph, dataflow: Simulated | Unknown | None) -> Iterator[Caution]:
    """Cautions about the FIFOs of a streamed design: deadlocks, and FIFOs that need much block RAM."""
    if isinstance(dataflow, Unknown):
        text = f"{dataflow.why}: its cycles and deadlocks are not simulated"
        yield Caution(code="FC132", layer=dataflow.layer, text=text, cure="measure them with RTL simulation")
        return
    if dataflow is None:
        return
    if dataflow.deadlock:
        text = f"deadlock, each waits for the next: {' -> '.join(dataflow.deadlock)}"
        full = ", ".join(dict.fromkeys(one.split("(full ")[1][:-1] for one in dataflow.deadlock if "(full " in one))
        yield Caution(code="FC126", layer="", text=text, cure=f"make {full} deeper, or let fpgacnn choose: --fifo auto")
    for one in dataflow.streams:
        if one.bram_18k > find_device(model.part).bram_18k // 10:
            text = f"the FIFO '{one.name}' from '{one.writer}' to '{one.reader}' takes {one.bram_18k} blocks of RAM"
            yield Caution(code="FC127", layer=one.writer, text=text, cure="--fifo auto, or narrower values")
