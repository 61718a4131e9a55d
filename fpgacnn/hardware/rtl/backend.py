"""The RTL backend: convert a `Design` to an `RtlProject`; equal designs give identical files."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

from fpgacnn.design import Design
from fpgacnn.design.project import TOP
from fpgacnn.design.rtl_project import RtlLayer, RtlPort, RtlProject, RtlStream
from fpgacnn.hardware.rtl import schedule
from fpgacnn.hardware.rtl.kernels.module import verilog
from fpgacnn.hardware.rtl.project_files import scripts
from fpgacnn.hardware.rtl.stream import Stream
from fpgacnn.hardware.rtl.target import refuse_unbuilt
from fpgacnn.hardware.rtl.top import BuiltTop, axi_index, build, traced_layers
from fpgacnn.ir.fixed_point import CodeArray

SOURCES = "fpgacnn.hardware.rtl.sources"


def convert(design: Design) -> RtlProject:
    """Generate the RTL project of a design.

    Raises RtlTargetError, RtlUnsupportedError.
    """
    refuse_unbuilt(design.target)
    built = build(design)
    outputs = {name: built.streams[name] for name in design.model.outputs}
    latency = max(int(one.times[0][0, -1]) for one in outputs.values()) + 1

    def answer_clocks(node: str, frames: int) -> CodeArray:
        return layer_clocks(node, frames) + 1

    def layer_clocks(node: str, frames: int) -> CodeArray:
        return schedule.clocks_of(built.streams[node].times, frames, built.frame_clocks)

    layers = _layers(design, built)
    files = {**_sources(built), **scripts(design, layers, built.frame_clocks, latency)}
    inputs = [
        _port(name, f"s_axis{axi_index(len(built.inputs), number)}", stream)
        for number, (name, stream) in enumerate(built.inputs.items())
    ]
    answers = [
        _port(name, f"m_axis{axi_index(len(outputs), number)}", stream)
        for number, (name, stream) in enumerate(outputs.items())
    ]
    return RtlProject(
        files=dict(sorted(files.items())),
        top=TOP,
        inputs=tuple(inputs),
        outputs=tuple(answers),
        layers=layers,
        interval=built.frame_clocks,
        latency=latency,
        frames=built.frames,
        answer_clocks=answer_clocks,
        layer_clocks=layer_clocks,
        streams=tuple(_stream(name, built.streams[name]) for name in traced_layers(design)),
    )


def _port(node: str, name: str, stream: Stream) -> RtlPort:
    return RtlPort(node=node, name=name, tokens=stream.tokens, channels=stream.channels, bits=stream.form.width)


def _stream(node: str, stream: Stream) -> RtlStream:
    return RtlStream(port=_port(node, node, stream), valid=stream.valid, data=stream.data)


def _layers(design: Design, built: BuiltTop) -> tuple[RtlLayer, ...]:
    found = []
    for layer in design.model.layers:
        stream = built.streams[layer.name]
        own = (f"{TOP}_{layer.name}", f"multiply_{layer.name}", f"cast_{layer.name}")
        made = built.netlist.kernels
        kernels = [(made[name], built.netlist.copies.get(name, 1)) for name in own if name in made]
        found.append(
            RtlLayer(
                name=layer.name,
                kind=layer.kind,
                result=str(design.plan.layers[layer.name].result.format),
                first_clock=int(stream.times[0][0, 0]),
                last_clock=int(stream.times[0][0, -1]),
                fold=built.folds.get(layer.name, 1),
                adders=sum(one.adders * copies for one, copies in kernels),
                adder_bits=sum(one.adder_bits * copies for one, copies in kernels),
                register_bits=sum(one.register_bits * copies for one, copies in kernels),
            )
        )
    return tuple(found)


def _sources(built: BuiltTop) -> Mapping[str, bytes]:
    """The top module, a file for each kernel and memory, and the modules of the library that the top level uses."""
    texts = {f"rtl/{TOP}.sv": built.text}
    texts |= {f"rtl/kernels/{name}.sv": verilog(kernel) for name, kernel in built.netlist.kernels.items()}
    texts |= {f"rtl/kernels/{name}.sv": text for name, text in built.netlist.memories.items()}
    texts |= {f"rtl/library/{name}": text for name, text in library().items()}
    return {name: text.encode() for name, text in texts.items()}


def library() -> Mapping[str, str]:
    """The SystemVerilog modules that every project has."""
    folder = resources.files(SOURCES)
    names = sorted(one.name for one in folder.iterdir() if one.name.endswith(".sv"))
    return {name: folder.joinpath(name).read_text(encoding="utf-8") for name in names}
