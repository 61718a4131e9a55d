"""The C++ main program around a Verilator model: words of events in, words and clocks of answers out."""

from __future__ import annotations

from collections.abc import Sequence

from fpgacnn.design.rtl_project import RtlPort, RtlProject

LONG_PAUSES = 3
"""Words in 100 before which an input makes a long pause."""

_MAIN = """// Arguments: frames, pauses of the input and stalls of the answers in %, seed, most clocks,
// clocks that every second frame pauses behind its first word, most clocks of a long pause (0: none) before a word.
#include "Vtop.h"
#include "verilated.h"
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

typedef std::uint32_t Word;
static const unsigned LONG_PAUSES = @LONG_PAUSES@; // in % of words

static void give_up(const char *what) {
    std::printf("error: %s\\n", what);
    std::exit(3);
}

template <class Wires> static void put(Wires &wires, const Word *words, int bits) {
    std::uint64_t value = words[0];
    if (bits > 32)
        value |= static_cast<std::uint64_t>(words[1]) << 32;
    wires = static_cast<Wires>(value);
}

template <std::size_t N> static void put(VlWide<N> &wires, const Word *words, int) {
    for (std::size_t place = 0; place < N; place++)
        wires.m_storage[place] = words[place];
}

template <class Wires> static void get(const Wires &wires, Word *words, int bits) {
    const std::uint64_t value = wires;
    words[0] = static_cast<Word>(value);
    if (bits > 32)
        words[1] = static_cast<Word>(value >> 32);
}

template <std::size_t N> static void get(const VlWide<N> &wires, Word *words, int) {
    for (std::size_t place = 0; place < N; place++)
        words[place] = wires.m_storage[place];
}

static std::FILE *opened(const char *name, const char *mode) {
    std::FILE *file = std::fopen(name, mode);
    if (!file)
        give_up("cannot open a file of events or answers");
    return file;
}

static void save(std::FILE *file, std::uint64_t clock, const Word *words, std::size_t count) {
    if (std::fwrite(&clock, sizeof clock, 1, file) != 1 || std::fwrite(words, sizeof(Word), count, file) != count)
        give_up("cannot write answers");
}

int main(int, char **arguments) {
    const std::uint64_t frames = std::strtoull(arguments[1], nullptr, 10);
    const unsigned pauses = std::atoi(arguments[2]), stalls = std::atoi(arguments[3]);
    std::uint64_t state = std::strtoull(arguments[4], nullptr, 10) * 2 + 1;
    const std::uint64_t most = std::strtoull(arguments[5], nullptr, 10);
    const std::uint64_t hold = std::strtoull(arguments[6], nullptr, 10);
    const std::uint64_t longest = std::strtoull(arguments[7], nullptr, 10);
    auto chance = [&state](unsigned percent) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        return (state >> 33) % 100 < percent;
    };
    auto long_pause = [&state, &chance, longest] {
        return longest && chance(LONG_PAUSES) ? (state >> 20) % longest : 0;
    };
    Verilated::randReset(2);
    Verilated::randSeed(std::atoi(arguments[4]) + 1);
    Vtop *top = new Vtop;
    @FILES@
    @BUFFERS@
    auto clock = [top] {
        top->aclk = 0;
        top->eval();
        top->aclk = 1;
        top->eval();
    };
    top->aresetn = 0;
    @IDLE@
    for (int count = 0; count < 8; count++)
        clock();
    top->aresetn = 1;
    clock();
    clock();
    std::uint64_t now = 0, first = 0;
    bool begun = false;
    while (@WAITING@) {
        if (now - first > most)
            give_up("answers are missing");
        @OFFER@
        @READY@
        top->aclk = 0;
        top->eval();
        @TAKE@
        @ANSWERS@
        @TRACES@
        top->aclk = 1;
        top->eval();
        now++;
    }
    @CLOSE@
    return 0;
}
"""


def words(bits: int) -> int:
    """32-bit words of a vector."""
    return (bits + 31) // 32


def main_program(project: RtlProject) -> str:
    """The main program for a project's ports. It writes `out_N.bin`, until every answer is there."""
    parts = {
        "LONG_PAUSES": str(LONG_PAUSES),
        "FILES": _files(project),
        "BUFFERS": _buffers(project),
        "IDLE": "\n    ".join(
            [f"top->{port.name}_tvalid = 0;" for port in project.inputs]
            + [f"top->{port.name}_tready = 0;" for port in project.outputs]
        ),
        "WAITING": " || ".join(
            f"count_{word}{number} < frames * {port.tokens}ull"
            for word, ports in (("out", project.outputs), ("trace", project.traced))
            for number, port in enumerate(ports)
        ),
        "OFFER": "\n        ".join(_offered(number, port) for number, port in enumerate(project.inputs)),
        "TAKE": "\n        ".join(
            f"if (offered{number} && top->{port.name}_tready) {{\n            if (!begun)\n"
            f"                first = now;\n            begun = true;\n            entered{number}++;\n"
            f"            if (entered{number} % {2 * port.tokens} == 1)\n"
            f"                next{number} = now + 1 + hold;\n"
            f"            if (const std::uint64_t pause = long_pause())\n"
            f"                next{number} = now + 1 + pause;\n"
            f"            offered{number} = false;\n        }}"
            for number, port in enumerate(project.inputs)
        ),
        "READY": "\n        ".join(f"top->{port.name}_tready = !chance(stalls);" for port in project.outputs),
        "ANSWERS": "\n        ".join(
            _saved(
                "out",
                number,
                f"top->{port.name}_tvalid && top->{port.name}_tready",
                f"{port.name}_tdata",
                port.axi_width,
                before=f"if (top->{port.name}_tlast != ((count_out{number} + 1) % {port.tokens} == 0))\n"
                '                give_up("tlast is not at the end of a frame");\n            ',
            )
            for number, port in enumerate(project.outputs)
        ),
        "TRACES": "\n        ".join(
            _saved("trace", number, f"top->trace_valid_{port.name}", f"trace_data_{port.name}", port.width)
            for number, port in enumerate(project.traced)
        ),
        "CLOSE": "\n    ".join(
            f'if (std::fclose(file_{word}{number}) != 0) give_up("cannot write answers");'
            for word, ports in (("out", project.outputs), ("trace", project.traced))
            for number, _ in enumerate(ports)
        ),
    }
    text = _MAIN
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    return text


def _offered(number: int, port: RtlPort) -> str:
    count = words(port.axi_width)
    return (
        f"if (!offered{number} && entered{number} < frames * {port.tokens}ull && now >= next{number}"
        f" && !chance(pauses)) {{\n"
        f"            offered{number} = true;\n"
        f"            if (std::fread(in{number}, sizeof(Word), {count}, file_in{number}) != {count})\n"
        f'                give_up("events cut short");\n'
        f"            put(top->{port.name}_tdata, in{number}, {port.axi_width});\n        }}\n"
        f"        top->{port.name}_tvalid = offered{number};"
    )


def _saved(word: str, number: int, condition: str, wires: str, bits: int, *, before: str = "") -> str:
    return (
        f"if ({condition}) {{\n            {before}get(top->{wires}, {word}{number}, {bits});\n"
        f"            save(file_{word}{number}, now - first, {word}{number}, {words(bits)});\n"
        f"            count_{word}{number}++;\n        }}"
    )


def _files(project: RtlProject) -> str:
    lines = [f'std::FILE *file_in{number} = opened("in_{number}.bin", "rb");' for number in range(len(project.inputs))]
    for word, ports in (("out", project.outputs), ("trace", project.traced)):
        lines += [
            f'std::FILE *file_{word}{number} = opened("{word}_{number}.bin", "wb");' for number in range(len(ports))
        ]
    return "\n    ".join(lines)


def _buffers(project: RtlProject) -> str:
    def buffers(word: str, ports: Sequence[RtlPort], *, whole_bytes: bool) -> list[str]:
        return [
            f"Word {word}{number}[{words(port.axi_width if whole_bytes else port.width)}] = {{}};"
            for number, port in enumerate(ports)
        ]

    lines = [
        *buffers("in", project.inputs, whole_bytes=True),
        *buffers("out", project.outputs, whole_bytes=True),
        *buffers("trace", project.traced, whole_bytes=False),
    ]
    for number in range(len(project.inputs)):
        lines += [f"std::uint64_t entered{number} = 0, next{number} = 0;", f"bool offered{number} = false;"]
    for word, ports in (("out", project.outputs), ("trace", project.traced)):
        lines += [f"std::uint64_t count_{word}{number} = 0;" for number in range(len(ports))]
    return "\n    ".join(lines)
