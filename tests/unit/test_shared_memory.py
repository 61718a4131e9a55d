"""Memory of the kernels' tensors: two that are needed at one step never share a byte, and others do."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from fpgacnn.sim.emulator.native.codegen.tensors import NO_PADS, Life, Storage, ValueKind, share_out
from fpgacnn.sim.emulator.native.codegen.values import ends

VECTOR_BYTES = 32


def life(rows: int, first: int, last: int) -> Life:
    kind, codes = ValueKind.I32, (ends(0), ends(1))
    return Life(storage=Storage.of(kind, (rows, 1, 1), NO_PADS, codes, 0), first=first, last=last)


def bytes_of(one: Life) -> range:
    return range(one.storage.offset, one.storage.offset + one.storage.all_vectors * VECTOR_BYTES)


@pytest.mark.parametrize("seed", range(20))
def test_tensors_that_are_needed_together_share_nothing(seed: int) -> None:
    random = np.random.default_rng(seed)
    starts, lengths, sizes = random.integers(0, 12, 25), random.integers(0, 7, 25), random.integers(1, 40, 25)
    lives = [
        life(int(size), int(first), int(first + length))
        for size, first, length in zip(sizes, starts, lengths, strict=True)
    ]
    total = share_out(lives, VECTOR_BYTES)
    assert total == max(bytes_of(one).stop for one in lives)
    for one, other in combinations(lives, 2):
        if one.first <= other.last and other.first <= one.last:
            mine, its = bytes_of(one), bytes_of(other)
            assert mine.stop <= its.start or its.stop <= mine.start


def test_a_chain_of_layers_takes_the_memory_of_two() -> None:
    chain = [life(5, step, step + 1) for step in range(500)]
    assert share_out(chain, VECTOR_BYTES) == 2 * 5 * VECTOR_BYTES
