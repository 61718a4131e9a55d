"""A build for simulation in which every layer's stream is a port: a module around the project's own top module."""

from __future__ import annotations

from dataclasses import replace

from fpgacnn.design.rtl_project import RtlPort, RtlProject

_AXI = (("input", "output"), ("output", "input"))
"""Directions of data and valid, and of ready, at the inputs and at the outputs."""


def with_trace(project: RtlProject) -> RtlProject:
    """The project's files as they are, and a module around its top module that shows the stream of every layer.

    The module reads wires inside of the top module by their names, which simulators can and synthesis cannot.
    """
    name = f"trace_of_{project.top}"
    files = {**project.files, f"rtl/{name}.sv": _module(name, project).encode()}
    traced = tuple(stream.port for stream in project.streams)
    return replace(project, files=files, top=name, traced=traced)


def _module(name: str, project: RtlProject) -> str:
    ports, pins = ["input aclk", "input aresetn"], [".aclk(aclk)", ".aresetn(aresetn)"]
    for group, (forward, back) in zip((project.inputs, project.outputs), _AXI, strict=True):
        for port in group:
            found = _axi_ports(port, forward, back, has_last=group is project.outputs)
            ports += [f"{direction} {bits}{wire}" for direction, bits, wire in found]
            pins += [f".{wire}({wire})" for _, _, wire in found]
    wires = list[str]()
    for stream in project.streams:
        valid, data = f"trace_valid_{stream.port.name}", f"trace_data_{stream.port.name}"
        ports += [f"output {valid}", f"output [{stream.port.width - 1}:0] {data}"]
        wires += [f"  assign {valid} = layers.{stream.valid};", f"  assign {data} = layers.{stream.data};"]
    separator = ",\n  "
    return "\n".join(
        [
            f"module {name} (\n  {separator.join(ports)}\n);",
            f"  {project.top} layers ({', '.join(pins)});",
            *wires,
            "endmodule",
            "",
        ]
    )


def _axi_ports(port: RtlPort, forward: str, back: str, *, has_last: bool) -> list[tuple[str, str, str]]:
    """Direction, bits and name of the wires of an AXI-Stream."""
    found = [
        (forward, f"[{port.axi_width - 1}:0] ", f"{port.name}_tdata"),
        (forward, "", f"{port.name}_tvalid"),
        (back, "", f"{port.name}_tready"),
    ]
    return [*found, (forward, "", f"{port.name}_tlast")] if has_last else found
