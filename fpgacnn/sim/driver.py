"""The C++ main program around hls4ml's bridge.

Reads events from a file and writes results to a file, without Python.
"""

from __future__ import annotations

from collections.abc import Sequence

from fpgacnn.design.project import TOP, Port

_MAIN = """// Runs hls4ml's C simulation over many events. Arguments: events, input file, output file.
#include "firmware/{top}.cpp"
#include "{top}_bridge.cpp"
#include <cstdio>
#include <cstdlib>
#include <vector>

static void give_up(const char *what) {{
    std::perror(what);
    std::exit(3);
}}

static void write(std::FILE *file, const double *data, std::size_t size) {{
    if (std::fwrite(data, sizeof(double), size, file) != size)
        give_up("cannot write results");
}}

{main} {{
    const long events = std::atol(arguments[1]);
    std::FILE *in = std::fopen(arguments[2], "rb"), *out = std::fopen(arguments[3], "wb");
    if (!in || !out)
        give_up("cannot open the event files");
    std::vector<double> {buffers};
    for (long event = 0; event < events; event++) {{
{reads}
{trace_on}
        {top}_double({arguments});
{writes}
{trace_off}
    }}
    if (std::fclose(out) != 0)
        give_up("cannot write results");
    return 0;
}}
"""


MAIN = "int main(int, char **arguments)"


def main_program(inputs: Sequence[Port], outputs: Sequence[Port], traced: Sequence[Port]) -> str:
    """The main program for a project's ports; doubles represent every code of at most 53 bits exactly."""
    ports = [
        *(("in", number, port) for number, port in enumerate(inputs)),
        *(("out", number, port) for number, port in enumerate(outputs)),
    ]
    return _MAIN.format(
        top=TOP,
        main=MAIN,
        buffers=", ".join(f"{word}{number}({port.size})" for word, number, port in ports),
        reads="\n".join(
            f"        if (std::fread(in{number}.data(), sizeof(double), {port.size}, in) != {port.size})\n           "
            ' give_up("events cut short");'
            for number, port in enumerate(inputs)
        ),
        trace_on="        allocate_trace_storage(sizeof(double));" if traced else "",
        arguments=", ".join(f"{word}{number}.data()" for word, number, _ in ports),
        writes="\n".join(
            f"        write(out, out{number}.data(), {port.size});" for number, port in enumerate(outputs)
        ),
        trace_off="\n".join(
            f'        write(out, static_cast<double *>(nnet::trace_outputs->at("{port.name}")), {port.size});'
            for port in traced
        )
        + ("\n        free_trace_storage();" if traced else ""),
    )
