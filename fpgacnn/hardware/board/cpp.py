"""What the C++ drivers of boards with a processor read: the words of an event, and golden vectors as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files as resources
from math import prod

import numpy as np
from numpy.typing import NDArray

from fpgacnn.hardware.board.boards import Board
from fpgacnn.hardware.board.entry import Entry, SelfTest
from fpgacnn.hardware.board.layout import STATUS_BITS, Layout, PortWords
from fpgacnn.ir.element_types import WHOLE, ElementKind
from fpgacnn.ir.fixed_point import Format, quantize_values

COPIED = ("fpgacnn_board.hpp", "linux_main.cpp", "baremetal_main.cpp", "CMakeLists.txt")
BARE_METAL_EVENTS, BARE_METAL_BYTES = 8, 1 << 16
"""Events that are compiled into the program for bare metal, and about how many bytes; at least one event."""


def cpp_files(
    board: Board, layout: Layout, entries: Sequence[Entry], test: SelfTest, dma_address: int
) -> dict[str, bytes]:
    """The files of the folder `cpp`."""
    folder = resources("fpgacnn.hardware.board").joinpath("drivers", "cpp")
    codes = tuple(quantize_values(values, one.mode) for values, one in zip(test.inputs, entries, strict=True))
    events = np.ascontiguousarray(layout.pack(codes).astype(f"<u{layout.word_bits // 8}")).view(np.uint8)
    answers = np.concatenate(
        [port.pack(array) for port, array in zip(layout.outputs, test.outputs, strict=True)], axis=1
    )
    few = max(1, min(BARE_METAL_EVENTS, BARE_METAL_BYTES // (events.shape[1] + answers.shape[1])))
    return {
        **{f"cpp/{name}": folder.joinpath(name).read_bytes() for name in COPIED},
        "cpp/fpgacnn_design.hpp": _design(board, layout, entries, dma_address).encode(),
        "cpp/fpgacnn_vectors.hpp": _vectors(events[:few], answers[:few]).encode(),
        "cpp/vectors.bin": events.tobytes() + answers.tobytes(),
    }


def _design(board: Board, layout: Layout, entries: Sequence[Entry], dma_address: int) -> str:
    size = layout.word_bits // 8
    inputs = [_port(port, one.mode, one) for port, one in zip(layout.inputs, entries, strict=True)]
    outputs = [_port(port, port.format, None) for port in layout.outputs]
    return f"""// The words of an event on {board.name}. Written by fpgacnn; names of ports are in board.json.
#ifndef FPGACNN_DESIGN_HPP_
#define FPGACNN_DESIGN_HPP_

#include "fpgacnn_board.hpp"

namespace fpgacnn {{

struct Design {{
    static constexpr std::uint64_t identity = 0x{layout.identity:08x};
    static constexpr std::uint64_t dma_address = 0x{dma_address:08x};
    static constexpr unsigned length_bits = {board.length_bits};
    static constexpr unsigned word_bytes = {size};
    static constexpr std::size_t event_bytes = {layout.words_in * size};
    static constexpr std::size_t answer_bytes = {layout.words_out * size}; // the last {STATUS_BITS // 8} are the status
    static constexpr std::size_t numbers_in = {sum(prod(port.shape) for port in layout.inputs)};
    static constexpr std::size_t numbers_out = {sum(prod(port.shape) for port in layout.outputs)};
    static constexpr Port inputs[{len(inputs)}] = {{
        {f",{chr(10)}        ".join(inputs)}}};
    static constexpr Port outputs[{len(outputs)}] = {{
        {f",{chr(10)}        ".join(outputs)}}};
}};

}} // namespace fpgacnn

#endif
"""


def _port(port: PortWords, form: Format, entry: Entry | None) -> str:
    """A port as an initializer of `fpgacnn::Port`."""
    element = ElementKind(entry.element) if entry else ElementKind.FLOAT64
    kind = {ElementKind.FLOAT16: "FLOAT16", ElementKind.BFLOAT16: "BFLOAT16"}.get(element, "REAL")
    low, high = WHOLE.get(element, (0, 0))
    numbers = (
        str(form.width),
        str(form.fraction),
        _bool(form.signed),
        f"Rounding::{form.rounding.value}",
        f"Overflow::{form.overflow.value}",
        f"Element::{'WHOLE' if element in WHOLE else kind}",
        f"{float(low)!r}",
        f"{float(high)!r}",
        _bool(entry is not None and entry.exact),
        *map(str, (port.groups, port.channels, port.padded, port.lane_bits, port.words)),
    )
    return f"{{{', '.join(numbers)}}}"


def _bool(value: bool) -> str:  # noqa: FBT001  # a value, not a switch
    return "true" if value else "false"


def _vectors(events: NDArray[np.uint8], answers: NDArray[np.uint8]) -> str:
    return (
        "// Golden events and answers for the self-test without a file system. Written by fpgacnn.\n"
        "#ifndef FPGACNN_VECTORS_HPP_\n#define FPGACNN_VECTORS_HPP_\n\n#include <cstddef>\n\n"
        f"static const std::size_t fpgacnn_vectors_count = {len(events)};\n"
        f"static const unsigned char fpgacnn_vectors_events[] = {{\n{_bytes(events)}}};\n"
        f"static const unsigned char fpgacnn_vectors_answers[] = {{\n{_bytes(answers)}}};\n\n#endif\n"
    )


def _bytes(rows: NDArray[np.uint8]) -> str:
    flat = rows.reshape(-1).tolist()
    lines = (flat[first : first + 24] for first in range(0, len(flat), 24))
    return "".join(f"    {', '.join(map(str, line))},\n" for line in lines)
