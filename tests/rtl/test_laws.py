"""Random networks: RTL equals the emulator in the clocks of the schedule; tools/random_rtl.py searches for more."""

from __future__ import annotations

import pytest

from tests.support.random_rtl import random_network
from tests.support.rtl import built_and_refused, differing, needs_verilator

FOUND = ()
"""Seeds of tools/random_rtl.py that once failed."""


@pytest.mark.agree
@needs_verilator
@pytest.mark.parametrize("seed", [1, *FOUND])
def test_random_windows_merges_and_products_equal_the_emulator(seed: int) -> None:
    build, refused = built_and_refused(random_network(seed, 12))
    assert len(refused) < 3, refused
    assert differing(build, 7, random_seed=seed) == []
