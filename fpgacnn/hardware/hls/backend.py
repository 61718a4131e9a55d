"""The backend: convert a `Design` to an `HlsProject`; equal designs give identical files."""

from __future__ import annotations

from math import prod

from fpgacnn.design import Design, Multiplier
from fpgacnn.design.project import HlsProject, Port
from fpgacnn.errors import PragmaError
from fpgacnn.hardware.hls.hls4ml_adapter import generate
from fpgacnn.hardware.hls.lower import Lowered, lower
from fpgacnn.hardware.hls.patches import (
    allow_overlapping_pooling,
    own_include_guard,
    with_own_templates,
    with_placed_multipliers,
)
from fpgacnn.hardware.hls.static.pragmas import faults_of_files


def convert(design: Design, lowered: Lowered | None = None, *, trace: bool = False) -> HlsProject:
    """Generate the HLS project of a design through hls4ml.

    `lowered` is the design's layer list, where the caller has it. With `trace` the code can show every layer's result
    in C simulation (for checks, not for synthesis).
    Raises UnsupportedOptionError before anything is generated, LoweringError, Hls4mlFailedError and PragmaError after.
    """
    lowered = lowered or lower(design)
    inputs, outputs, traced = ports(design, lowered)
    files = generate(
        design.target,
        lowered.nodes,
        [port.name for port in inputs],
        [port.name for port in outputs],
        design.fifo_depths,
        trace=trace,
    )
    files = own_include_guard(files)
    files = with_own_templates(files, {node.kind for node in lowered.nodes})
    if any(node.multiplier is not Multiplier.AUTO for node in lowered.nodes):
        files = with_placed_multipliers(files, design.target.backend)
    if lowered.overlapping:
        files = allow_overlapping_pooling(files)
    for file, fault in faults_of_files(files):
        raise PragmaError(file=file, line=fault.line, text=fault.text, why=fault.why)
    return HlsProject(files=files, inputs=inputs, outputs=outputs, traced=traced if trace else (), notes=lowered.notes)


def ports(design: Design, lowered: Lowered) -> tuple[tuple[Port, ...], tuple[Port, ...], tuple[Port, ...]]:
    """Inputs, outputs, and the nodes of a traced build, with their names in C simulation."""
    model = design.model

    def port(node: str) -> Port:
        return Port(node=node, name=lowered.name_of[node], size=prod(model.layer(node).shape))

    shown = {node.name for node in lowered.nodes if node.kind not in {"InputLayer", "Reshape"}}
    visible = [layer.name for layer in model.layers if lowered.name_of[layer.name] in shown]
    return tuple(map(port, model.inputs)), tuple(map(port, model.outputs)), tuple(map(port, visible))
