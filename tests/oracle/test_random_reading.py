"""Random networks of each framework: what is read answers as the framework does, and most of them are read.

They also find every known fault when it is put back (`tests/random_reading/mutants.py`), each several times.
`python tools/random_networks.py --framework NAME --count 10000` runs the same law for longer.
"""

from __future__ import annotations

import pytest

from tests.random_reading.law import READ_SHARE, TIE_SHARE, Outcome, Tally, verdicts_of_mutants
from tests.random_reading.mutants import mutants_of

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # Keras warns that HDF5 is old

NETWORKS = {"keras2": 100, "keras3": 100, "qkeras": 100, "channels_first": 60}
ENOUGH = 3
"""How many of them must find a fault."""


@pytest.mark.parametrize("framework", NETWORKS)
def test_random_networks_answer_as_their_framework(framework: str) -> None:
    tally, mutants = Tally.empty(), mutants_of(framework)
    caught = dict.fromkeys(mutants, 0)
    for found in verdicts_of_mutants(framework, range(NETWORKS[framework]), mutants, enough=ENOUGH):
        tally.add(found[""])
        for mutant in caught.keys() & found.keys():
            caught[mutant] += found[mutant].outcome is Outcome.DIFFERS
    assert not tally.wrong, "\n".join(f"seed {one.seed}: {one.why}\n{one.text}" for one in tally.wrong)
    assert tally.share >= READ_SHARE, tally.refusals
    assert tally.tie_share <= TIE_SHARE
    assert caught == dict.fromkeys(mutants, ENOUGH)
