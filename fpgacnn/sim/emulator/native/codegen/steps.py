"""A step of a program: the text of its kernel, and its sizes, tables and tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgacnn.sim.emulator.native.codegen.tensors import Storage, ValueKind
from fpgacnn.sim.emulator.native.codegen.values import Code, Value

LEAST, MOST = "least", "most"
"""Tallies of the smallest and largest code, which are not counts."""

HEAD = 3
"""The first sizes are the offsets of the output and both inputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelStep:
    """One call of a kernel. `text` is the kernel's body; equal bodies are compiled once.

    `layers` are the nodes that it computes; `tallies` name what it counts, as layer:what.
    """

    text: str
    sizes: tuple[int, ...]
    tables: tuple[NDArray[Any], ...]
    scalars: tuple[int, ...]
    output: Storage | None
    inputs: tuple[Storage, ...]
    layers: tuple[str, ...]
    tallies: tuple[str, ...] = ()


def step(
    code: Code,
    body: str,
    sizes: dict[str, int],
    *,
    output: Storage | None,
    inputs: tuple[Storage, ...],
    layers: tuple[str, ...],
) -> KernelStep:
    """A step from its body and the sizes that the body names."""
    lines = ["char *const out = a + s->size[0];"]
    lines += [f"const char *const in{number} = a + s->size[{number + 1}];" for number in range(len(inputs))]
    lines += [f"const int64_t {name} = s->size[{number + HEAD}];" for number, name in enumerate(sizes)]
    count = f"io->count[s->size[{len(sizes) + HEAD}]"
    ends = [f"{count} + {number}] += v_sum(tally{number});" for number in range(len(code.tallies))]
    if code.ranged:
        ends.append(f"{code.ranged}_extremes(least, most, &{count} + {len(code.tallies)}]);")
        code.tallies += [f"{code.measured}:{LEAST}", f"{code.measured}:{MOST}"]
    return KernelStep(
        text="\n".join((*lines, *code.prologue, body, *ends)),
        sizes=tuple(sizes.values()),
        tables=tuple(code.tables),
        scalars=tuple(code.scalars),
        output=output,
        inputs=inputs,
        layers=layers,
        tallies=tuple(code.tallies),
    )


def load(kind: ValueKind, base: str, place: str, *, holes: bool = False) -> str:
    """C text of the number at a place; with `holes`, negative places give 0."""
    found = f"load_{kind.value}({base}, {place})"
    return f"({place} < 0 ? {'w' if kind.wide else 'v'}_zero() : {found})" if holes else found


def stored(value: Value, kind: ValueKind) -> str:
    """C text that makes a value the n-th of a kernel's results, in the width of its type."""
    return f"r[n] = {f'widen({value.text})' if kind.wide and not value.wide else value.text};"


def narrowest(value: Value, *, byte_weights: bool) -> ValueKind:
    """The narrowest type that holds a value; bytes only if allowed."""
    low, high = value.hull
    if value.wide:
        return ValueKind.I64
    if byte_weights and low >= 0 and high <= 255:
        return ValueKind.U8
    return ValueKind.S16 if low >= -32768 and high <= 32767 else ValueKind.I32


def int32(values: Any) -> NDArray[np.int32]:
    """Numbers as C's int32_t."""
    return np.asarray(values).astype(np.int32)
