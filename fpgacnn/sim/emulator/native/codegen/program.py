"""Turn a design into a program of steps: fusion, memory of tensors, and the C text of all kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fpgacnn.sim.emulator.native.codegen.steps import KernelStep
from fpgacnn.sim.emulator.native.codegen.tensors import Life, Storage, share_out

RUN = """
typedef void kernel(const struct step *, char *, struct stream *);
static kernel *const KERNELS[] = {{{names}}};

int32_t fpgacnn_lanes(void) {{ return LANES; }}

/* Chunks of `size` events through all steps, at most `chunks` of them. Threads that call this at the same time share
 * `next`, the first event that no thread has taken. Returns 1 where an input was no code of its format or no number,
 * plus 2 where no events are left. */
int32_t fpgacnn_run(const struct step *steps, int64_t count, const void *const *in, void *const *out, int64_t *next,
                    int64_t events, int64_t size, int64_t chunks, char *memory, int64_t *counts) {{
    struct stream io = {{in, out, 0, 0, 0, counts, v_zero()}};
    for (int64_t chunk = 0; chunk < chunks; chunk++) {{
        const int64_t first = __atomic_fetch_add(next, size, __ATOMIC_RELAXED);
        if (first >= events)
            return (int32_t)io.bad | 2;
        const int64_t last = events - first < size ? events : first + size;
        for (io.event = first; io.event < last; io.event += LANES) {{
            io.live = last - io.event < LANES ? last - io.event : LANES;
            for (int l = 0; l < LANES; l++)
                io.mask[l] = l < io.live ? -1 : 0;
            for (int64_t i = 0; i < count; i++)
                KERNELS[steps[i].kernel](steps + i, memory, &io);
        }}
    }}
    return (int32_t)io.bad;
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Steps in order with the number of each one's kernel, the C text of the kernels, and the size of their memory.

    `ports` are the nodes whose codes are written, in order, and `port_types` the types of the arrays that they are
    written to; `tallies` name what is counted, as layer:what.
    """

    steps: tuple[KernelStep, ...]
    kernels: tuple[int, ...]
    source: str
    memory_bytes: int
    ports: tuple[str, ...]
    port_types: tuple[str, ...]
    tallies: tuple[str, ...]


@cache
def header() -> str:
    """The C text that all kernels include."""
    folder = files("fpgacnn.sim.emulator.native")
    return "".join(
        folder.joinpath(name).read_text(encoding="utf-8") for name in ("lanes.h", "ports.h", "narrow_ports.h")
    )


def assemble(steps: Sequence[KernelStep], ports: Mapping[str, str], bytes_: int) -> Program:
    """Allocate memory and collect the kernels; equal texts are compiled once. `ports`: name -> type of its array."""
    memory = share_out(_lives(steps), bytes_)
    numbers: dict[str, int] = {}
    kernels = tuple(numbers.setdefault(one.text, len(numbers)) for one in steps)
    texts = [
        f"KERNEL kernel{number}(const struct step *s, char *a, struct stream *io) {{\n(void)io;\n{text}\n}}\n"
        for text, number in numbers.items()
    ]
    names = ", ".join(f"kernel{number}" for number in range(len(numbers)))
    tallies = tuple(name for one in steps for name in one.tallies)
    return Program(
        steps=tuple(steps),
        kernels=kernels,
        source=header() + "\n".join(texts) + RUN.format(names=names),
        memory_bytes=memory,
        ports=tuple(ports),
        port_types=tuple(ports.values()),
        tallies=tallies,
    )


def _lives(steps: Sequence[KernelStep]) -> list[Life]:
    """From the step that first writes a tensor to the step that last uses it."""
    lives: dict[int, Life] = {}
    for number, one in enumerate(steps):
        for storage in (*one.inputs, *([one.output] if one.output else [])):
            life = lives.setdefault(id(storage), Life(storage, number, number))
            life.last = number
    return list(lives.values())


def offsets(one: KernelStep) -> tuple[int, int, int]:
    """The offsets of the output and both inputs of a step."""
    places: list[Storage | None] = [one.output, *one.inputs, None, None]
    out, first, second = ((place.offset if place else 0) for place in places[:3])
    return out, first, second
