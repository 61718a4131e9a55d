"""Search for networks whose RTL differs from the emulator or from its schedule: random windows, merges and products.

Usage: python tools/random_rtl.py [--count N] [--branches N] [--seed N]

Prints each network that fails, with the branches that differ. Verilator builds each network once.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.random_rtl import random_network
from tests.support.rtl import built_and_refused, differing

EVENTS = 7


def main() -> int:
    """Search; 1 if a network failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--branches", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    failed = built = refused_count = 0
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        build, refused = built_and_refused(random_network(seed, arguments.branches))
        built, refused_count = built + len(build.outputs), refused_count + len(refused)
        for output, message in refused.items():
            sys.stdout.write(f"seed {seed}: {output} is refused: {message}\n")
        wrong = differing(build, EVENTS, random_seed=seed)
        failed += bool(wrong)
        sys.stdout.write(f"seed {seed}: {'; '.join(wrong) or 'equal'}\n")
        sys.stdout.flush()
    sys.stdout.write(
        f"{built} branches built, {refused_count} refused, {failed} of {arguments.count} networks failed\n"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
