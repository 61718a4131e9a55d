"""A hundred random networks a framework: what is read answers as the framework does, and most of them are read.

`python tools/random_networks.py --framework NAME --count 10000` runs the same law for longer.
"""

from __future__ import annotations

import pytest

from tests.random_reading.law import READ_SHARE, TIE_SHARE, Tally, verdicts

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # Keras warns that HDF5 is old

NETWORKS = 100


@pytest.mark.parametrize("framework", ["keras2", "keras3", "qkeras"])
def test_random_networks_answer_as_their_framework(framework: str) -> None:
    tally = Tally.empty()
    for verdict in verdicts(framework, range(NETWORKS)):
        tally.add(verdict)
    assert not tally.wrong, "\n".join(f"seed {one.seed}: {one.why}\n{one.text}" for one in tally.wrong)
    assert tally.share >= READ_SHARE, tally.refusals
    assert tally.tie_share <= TIE_SHARE
