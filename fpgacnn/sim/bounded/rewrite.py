"""The top function of a streamed project as processes.

Each call of a template becomes one, each FIFO gets its depth.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fpgacnn.design.project import TOP, Port
from fpgacnn.errors import BoundedStreamsError
from fpgacnn.sim import driver

_CALL = re.compile(
    r"^[ \t]*(?P<call>nnet::(?P<function>\w+)<[^;{}]*>\s*\((?P<arguments>[^;(){}]*)\));"
    r"[ \t]*(?://[ \t]*(?P<name>\S+))?",
    re.MULTILINE,
)
_PRAGMA = re.compile(r"^[ \t]*#pragma[ \t]+HLS[ \t]+STREAM\b(?P<options>[^\n]*)$", re.MULTILINE | re.IGNORECASE)
_OPTION = re.compile(r"\b(variable|depth)\s*=\s*(\w+)", re.IGNORECASE)
_DECLARED = re.compile(r"^[ \t]*hls::stream<\s*([\w:]+)\s*>\s+(\w+)\s*(\([^;]*\))?;", re.MULTILINE)
_ALIAS = re.compile(r"auto\s*&\s*(\w+)\s*=\s*(\w+)\s*;")
_PARAMETER = re.compile(r"hls::stream<\s*(\w+)\s*>\s*&\s*(\w+)")
_INCLUDE = re.compile(r"^[ \t]*#include.*$", re.MULTILINE)
_OUTSIDE = ("load_weights", "save_layer")
"""Calls that are no processes."""

DEFAULT_PLACES = 2
"""Of a FIFO without a pragma, in both tools."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """The new text; who reads and who writes each FIFO, by its name; the ports as (type, name)."""

    text: str
    readers: Mapping[str, str]
    writers: Mapping[str, str]
    ports: tuple[tuple[str, str], ...]


def rewritten(top: str, held: Mapping[str, int]) -> Rewritten:
    """The top function with processes, under another name. `held`: words in each process' pipeline, by its name.

    Raises BoundedStreamsError if the file is not as hls4ml writes it.
    """
    alias = dict(_ALIAS.findall(top))
    declared = [name for _, name, _ in _DECLARED.findall(top)]
    ports = tuple(_PARAMETER.findall(top))
    known = {*declared, *(name for _, name in ports)}
    readers, writers = dict[str, str](), dict[str, str]()

    def origin(name: str) -> str:
        seen = 0
        while name in alias and seen < len(alias):
            name, seen = alias[name], seen + 1
        return name

    def process(found: re.Match[str]) -> str:
        if found["function"].startswith(_OUTSIDE):
            return found[0]
        data = [origin(word.strip()) for word in found["arguments"].split(",")]
        data = [name for name in data if name in known]
        if not data:
            raise BoundedStreamsError(why=f"the call of nnet::{found['function']} names no stream")
        copies = found["function"] == "clone_stream"
        name = re.sub(r"[^\w.:-]", "_", found["name"] or data[-1])
        if copies:
            name = f"clone of {name.removeprefix('clone_')}"
        for one in data[:1] if copies else data[:-1]:
            readers[one] = name
        for one in data[1:] if copies else data[-1:]:
            writers[one] = name
        return f'    fpgacnn_bounded::process("{name}", {held.get(name, 0)}, [&] {{ {found["call"]}; }});'

    text = _CALL.sub(process, _INCLUDE.sub("", top))
    if not writers:
        raise BoundedStreamsError(why="its top function calls no template of hls4ml")
    text = places_of(text)
    text = re.sub(rf"\bvoid {TOP}\(", f"void {TOP}_bounded(", text)
    head, brace, tail = text.rpartition("}")
    if not brace or tail.strip():
        raise BoundedStreamsError(why="its top function does not end the file")
    return Rewritten(text=f"{head}    fpgacnn_bounded::run();\n}}\n", readers=readers, writers=writers, ports=ports)


def places_of(text: str) -> str:
    """C++ with the depths of its FIFOs set where they are declared, from its pragmas.

    Raises BoundedStreamsError for a pragma without name or depth.
    """
    text = _DECLARED.sub(lambda found: f"{found[0]}\n    {found[2]}.places = {DEFAULT_PLACES};", text)
    return _PRAGMA.sub(_places, text)


def _places(pragma: re.Match[str]) -> str:
    """The depth of a FIFO, in place of its pragma. Raises BoundedStreamsError for a pragma without name or depth."""
    options = {key.lower(): word for key, word in _OPTION.findall(pragma["options"].partition("//")[0])}
    if options.keys() != {"variable", "depth"}:
        raise BoundedStreamsError(why=f"a STREAM pragma has no variable or no depth: {pragma[0].strip()[:80]}")
    return f"    {options['variable']}.places = {options['depth']};"


_MAIN = """
#include "{top}_bounded.h"

// Sends events through the processes, several at once. Arguments: events, input file, output file, and 1, or 2 to hold
// results back in pipelines; without the last one hls4ml's own function computes one event after the other.
int main(int count, char **arguments) {{
    if (count < 5)
        return run_plain(arguments);
    const long events = std::atol(arguments[1]);
    fpgacnn_bounded::scheduler().frames = events;
    fpgacnn_bounded::scheduler().holds = std::atoi(arguments[4]) == 2;
    std::FILE *in = std::fopen(arguments[2], "rb"), *out = std::fopen(arguments[3], "wb");
    if (!in || !out)
        give_up("cannot open the event files");
{streams}
    for (long event = 0; event < events; event++) {{
{reads}
    }}
    {top}_bounded({arguments});
    for (long event = 0; event < events; event++) {{
{writes}
    }}
    if (std::fclose(out) != 0)
        give_up("cannot write results");
    return 0;
}}
"""


def main_program(ports: Sequence[tuple[str, str]], inputs: Sequence[Port], outputs: Sequence[Port]) -> str:
    """The driver of C simulation, which can also send all events through the processes.

    Raises BoundedStreamsError if the top function has other ports than the design.
    """
    if len(ports) != len(inputs) + len(outputs):
        raise BoundedStreamsError(
            why=f"its top function has {len(ports)} streams as ports, not {len(inputs) + len(outputs)}"
        )
    sizes = [port.size for port in (*inputs, *outputs)]
    numbered = list(enumerate(zip(ports, sizes, strict=True)))
    given, taken = numbered[: len(inputs)], numbered[len(inputs) :]
    streams = "\n".join(
        f'    hls::stream<{kind}> s{number}("{name}");\n    std::vector<double> v{number}({size});'
        for number, ((kind, name), size) in numbered
    )
    reads = "\n".join(
        f"        if (std::fread(v{number}.data(), sizeof(double), {size}, in) != {size})\n"
        '            give_up("events cut short");\n'
        f"        nnet::convert_data<double, {kind}, {size}>(v{number}.data(), s{number});"
        for number, ((kind, _), size) in given
    )
    writes = "\n".join(
        f"        nnet::convert_data<{kind}, double, {size}>(s{number}, v{number}.data());\n"
        f"        write(out, v{number}.data(), {size});"
        for number, ((kind, _), size) in taken
    )
    plain = driver.main_program(inputs, outputs, ()).replace(driver.MAIN, "static int run_plain(char **arguments)")
    return plain + _MAIN.format(
        top=TOP,
        streams=streams,
        reads=reads,
        arguments=", ".join(f"s{number}" for number, _ in numbered),
        writes=writes,
    )
