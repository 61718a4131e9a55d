"""Write the wrapper of a project: C++ with an AXI4-Stream on each side, and a kernel on memory around it for cards."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files as resources

from fpgacnn.design.project import TOP, HlsProject, Port
from fpgacnn.errors import WrapperFormError
from fpgacnn.hardware.board.layout import Layout, PortWords

HEADER, SOURCE, LIBRARY = "hls/fpgacnn_wrapper.h", "hls/fpgacnn_wrapper.cpp", "hls/fpgacnn_axi.h"
STREAM_TOP, MEMORY_TOP = "fpgacnn_axis", "fpgacnn_memory"
EVENTS_IN_FLIGHT = 32
"""Places for the states of events that the network has begun and not finished; a shift register holds them."""

TOP_HEADER, DEFINES = f"firmware/{TOP}.h", "firmware/defines.h"
_PROTOTYPE = re.compile(rf"void\s+{TOP}\s*\(([^;{{}}]*)\)\s*;")
_STREAM_PORT = re.compile(r"hls::stream<\s*(\w+)\s*>\s*&\s*(\w+)")
_ARRAY_PORT = re.compile(r"(\w+)\s+(\w+)\[[0-9* ]+\]")
_ARRAY_TYPE = r"typedef\s+nnet::array<\s*ap_u?(?:fixed|int)<[^;<>]*>\s*,\s*([0-9* ]+)>\s*{name}\s*;"
MOST_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class TopPort:
    """A port of the top function: its type and name in the C++, and for a stream the values of one word of it."""

    type: str
    name: str
    channels: int | None


def top_ports(project: HlsProject) -> tuple[TopPort, ...]:
    """The ports of the project's top function, inputs first.

    Raises WrapperFormError if they are not those of the design.
    """
    prototype = _PROTOTYPE.search(_text(project.files, TOP_HEADER))
    if prototype is None:
        raise WrapperFormError(file=TOP_HEADER, why=f"there is no prototype of {TOP}")
    streams, arrays = _STREAM_PORT.findall(prototype[1]), _ARRAY_PORT.findall(prototype[1])
    ports: Sequence[Port] = (*project.inputs, *project.outputs)
    found = streams or arrays
    if len(found) != len(ports) or (streams and arrays):
        raise WrapperFormError(file=TOP_HEADER, why=f"it has {len(streams) + len(arrays)} ports, not {len(ports)}")
    return tuple(
        TopPort(type=kind, name=name, channels=_channels(project.files, kind, port) if streams else None)
        for (kind, name), port in zip(found, ports, strict=True)
    )


def _channels(files: Mapping[str, bytes], kind: str, port: Port) -> int:
    """The values of one word of a stream, from its type."""
    found = re.search(_ARRAY_TYPE.format(name=re.escape(kind)), _text(files, DEFINES))
    size = 1
    for factor in found[1].split("*") if found and len(found[1]) < MOST_DIGITS else ("0",):
        size *= int(factor)
    if size < 1 or port.size % size:
        raise WrapperFormError(file=DEFINES, why=f"the words of {kind} do not divide the {port.size} values of a port")
    return size


def _text(files: Mapping[str, bytes], name: str) -> str:
    try:
        return files[name].decode("utf-8")
    except (KeyError, UnicodeDecodeError) as error:
        raise WrapperFormError(file=name, why="it is missing or is no text") from error


def wrapper_files(layout: Layout, tops: Sequence[TopPort]) -> dict[str, bytes]:
    """The files of the wrapper, by their paths below the board's folder."""
    return {
        HEADER: _header(layout).encode(),
        SOURCE: _source(layout, tops).encode(),
        LIBRARY: resources("fpgacnn.hardware.board").joinpath(LIBRARY).read_bytes(),
    }


def _header(layout: Layout) -> str:
    return f"""// The network between two AXI4-Streams of {layout.word_bits} bits. Written by fpgacnn.
#ifndef FPGACNN_WRAPPER_H_
#define FPGACNN_WRAPPER_H_

#define FPGACNN_WORD_BITS {layout.word_bits}
#define FPGACNN_WORDS_IN {layout.words_in}
#define FPGACNN_WORDS_OUT {layout.words_out}
#define FPGACNN_IDENTITY 0x{layout.identity:08x}u

#include "fpgacnn_axi.h"

// One event: {layout.words_in} words in, {layout.words_out} out, of them {layout.status_words} of status.
void {STREAM_TOP}(hls::stream<fpgacnn_axi::packet> &in_stream, hls::stream<fpgacnn_axi::packet> &out_stream);

typedef ap_uint<FPGACNN_WORD_BITS> fpgacnn_memory_word;

// Events in memory, one after the other, as one frame; for cards.
extern "C" void {MEMORY_TOP}(const fpgacnn_memory_word *in_words, fpgacnn_memory_word *out_words, unsigned events);

#endif
"""


def _source(layout: Layout, tops: Sequence[TopPort]) -> str:
    given, taken = tops[: len(layout.inputs)], tops[len(layout.inputs) :]
    places = [*zip(given, layout.inputs, strict=True)], [*zip(taken, layout.outputs, strict=True)]
    streamed = tops[0].channels is not None
    names = [f"x{number}" for number in range(len(given))], [f"y{number}" for number in range(len(taken))]
    parameters = [
        [_parameter(top, words, name) for (top, words), name in zip(pairs, some, strict=True)]
        for pairs, some in zip(places, names, strict=True)
    ]
    reads = [_read(top, words, name) for (top, words), name in zip(places[0], names[0], strict=True)]
    writes = [_write(top, words, name) for (top, words), name in zip(places[1], names[1], strict=True)]
    local = [
        line
        for pairs, some in zip(places, names, strict=True)
        for (top, words), name in zip(pairs, some, strict=True)
        for line in _local(top, words, name, alone=len(pairs) == 1)
    ]
    network = [
        f"    fpgacnn_read(in_stream, {', '.join(names[0])}, states);",
        f"    {TOP}({', '.join((*names[0], *names[1]))});",
        f"    fpgacnn_write({', '.join(names[1])}, states, out_stream);",
    ]
    states = [
        '    hls::stream<fpgacnn_axi::state> states("states");',
        f"    #pragma HLS STREAM variable=states depth={EVENTS_IN_FLIGHT}",
    ]
    whole = [*local, *states, "", *network]
    order = "pixels follow each other through FIFOs" if streamed else "all values of an event at once"
    return f"""// The network between two AXI4-Streams: {order}. Written by fpgacnn.
#include "fpgacnn_wrapper.h"
#include "{TOP}.h"

static void fpgacnn_read(
    hls::stream<fpgacnn_axi::packet> &in_stream, {", ".join(parameters[0])}, hls::stream<fpgacnn_axi::state> &states
) {{
    static ap_uint<16> number = 0;
    #pragma HLS RESET variable=number
    fpgacnn_axi::state event;
    event.errors = 0;
    event.number = number;
    event.last = false;
{chr(10).join(reads)}
    number = event.last ? ap_uint<16>(0) : ap_uint<16>(number + 1);
    states.write(event);
}}

static void fpgacnn_write(
    {", ".join(parameters[1])}, hls::stream<fpgacnn_axi::state> &states, hls::stream<fpgacnn_axi::packet> &out_stream
) {{
{chr(10).join(writes)}
    fpgacnn_axi::state event = states.read();
    fpgacnn_axi::write_status(out_stream, event, FPGACNN_IDENTITY);
}}

void {STREAM_TOP}(hls::stream<fpgacnn_axi::packet> &in_stream, hls::stream<fpgacnn_axi::packet> &out_stream) {{
    #pragma HLS INTERFACE axis port=in_stream
    #pragma HLS INTERFACE axis port=out_stream
    #pragma HLS INTERFACE ap_ctrl_none port=return
    #pragma HLS DATAFLOW
{chr(10).join(whole)}
}}

static void fpgacnn_load(
    const fpgacnn_memory_word *in_words, hls::stream<fpgacnn_axi::packet> &in_stream, unsigned words
) {{
    for (unsigned place = 0; place < words; place++) {{
        #pragma HLS PIPELINE
        fpgacnn_axi::packet word;
        word.data = in_words[place];
        word.keep = -1;
        word.strb = -1;
        word.last = place + 1 == words;
        in_stream.write(word);
    }}
}}

static void fpgacnn_events(
    hls::stream<fpgacnn_axi::packet> &in_stream, hls::stream<fpgacnn_axi::packet> &out_stream, unsigned events
) {{
    for (unsigned event = 0; event < events; event++) {{
        #pragma HLS DATAFLOW
{chr(10).join(f"    {line}".rstrip() for line in whole)}
    }}
}}

static void fpgacnn_store(
    hls::stream<fpgacnn_axi::packet> &out_stream, fpgacnn_memory_word *out_words, unsigned words
) {{
    for (unsigned place = 0; place < words; place++) {{
        #pragma HLS PIPELINE
        out_words[place] = out_stream.read().data;
    }}
}}

extern "C" void {MEMORY_TOP}(const fpgacnn_memory_word *in_words, fpgacnn_memory_word *out_words, unsigned events) {{
    #pragma HLS INTERFACE m_axi port=in_words offset=slave bundle=gmem0
    #pragma HLS INTERFACE m_axi port=out_words offset=slave bundle=gmem1
    #pragma HLS INTERFACE s_axilite port=in_words
    #pragma HLS INTERFACE s_axilite port=out_words
    #pragma HLS INTERFACE s_axilite port=events
    #pragma HLS INTERFACE s_axilite port=return
    #pragma HLS DATAFLOW
    hls::stream<fpgacnn_axi::packet> given("given"), taken("taken");
    #pragma HLS STREAM variable=given depth=64
    #pragma HLS STREAM variable=taken depth=64
    fpgacnn_load(in_words, given, events * FPGACNN_WORDS_IN);
    fpgacnn_events(given, taken, events);
    fpgacnn_store(taken, out_words, events * FPGACNN_WORDS_OUT);
}}
"""


def _parameter(top: TopPort, words: PortWords, name: str) -> str:
    if top.channels is None:
        return f"{top.type} {name}[{words.count}]"
    return f"hls::stream<{top.type}> &{name}"


def _read(top: TopPort, words: PortWords, name: str) -> str:
    if top.channels is None:
        return f"    fpgacnn_axi::read_array<{top.type}, {words.lane_bits}, {words.count}>(in_stream, {name}, event);"
    sizes = f"{words.lane_bits}, {words.padded}, {words.groups}"
    return f"    fpgacnn_axi::read_stream<{top.type}, {sizes}>(in_stream, {name}, event);"


def _write(top: TopPort, words: PortWords, name: str) -> str:
    if top.channels is None:
        return f"    fpgacnn_axi::write_array<{top.type}, {words.lane_bits}, {words.count}>({name}, out_stream);"
    sizes = f"{words.lane_bits}, {words.padded}, {words.groups}"
    return f"    fpgacnn_axi::write_stream<{top.type}, {sizes}>({name}, out_stream);"


def _local(top: TopPort, words: PortWords, name: str, *, alone: bool) -> list[str]:
    """The array or FIFO between wrapper and network.

    The words of several inputs follow each other, though the network may read them side by side: then the FIFOs hold a
    whole event.
    """
    if top.channels is None:
        return [
            f"    {top.type} {name}[{words.count}];",
            f"    #pragma HLS ARRAY_PARTITION variable={name} complete dim=0",
        ]
    depth = 2 if alone else max(2, words.groups)
    return [f'    hls::stream<{top.type}> {name}("{name}");', f"    #pragma HLS STREAM variable={name} depth={depth}"]
