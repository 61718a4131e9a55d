# ruff: noqa: T201  # a script, not a package
"""Random networks that a framework saves and answers, read and compared.

    python tools/random_networks.py --framework keras2|keras3|qkeras|channels_first|hgq2|onnx|qonnx --count 10000
    python tools/random_networks.py --framework keras3 --again 4711
    python tools/random_networks.py --framework keras3 --mutants

Prints each network that is read wrong with its seed and how it was made, then how many were read, refused (by reason),
different and crashed, and in how many events float32 decides a tie. The exit status is 1 where one was wrong, too few
were read or too many events are ties. With `--mutants` also how many networks find each fault of
`tests/random_reading/mutants.py`, and the exit status is 1 where one was not found.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.random_reading.law import (  # after the path
    FRAMEWORKS,
    READ_SHARE,
    TIE_SHARE,
    Outcome,
    Tally,
    verdicts,
    verdicts_of_mutants,
)
from tests.random_reading.mutants import mutants_of

REPORT_EVERY = 500


def main() -> int:
    """Run the law for a range of seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--framework", required=True, choices=FRAMEWORKS)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="the first seed; the next networks have the next ones")
    parser.add_argument("--again", type=int, help="one seed, with how its network was made")
    parser.add_argument("--mutants", action="store_true", help="count the networks that find each known fault")
    options = parser.parse_args()
    if options.again is not None:
        verdict = next(verdicts(options.framework, [options.again]))
        print(f"{verdict.text}\n{verdict.outcome}: {verdict.why}")
        return int(verdict.is_wrong)
    tally, start = Tally.empty(), time.monotonic()
    seeds = range(options.seed, options.seed + options.count)
    mutants = mutants_of(options.framework) if options.mutants else ()
    networks = verdicts_of_mutants(options.framework, seeds, mutants, enough=options.count)
    caught = dict.fromkeys(mutants, 0)
    for number, found in enumerate(networks, start=1):
        verdict = found[""]
        tally.add(verdict)
        for mutant in caught.keys() & found.keys():
            caught[mutant] += found[mutant].outcome is Outcome.DIFFERS
        if verdict.is_wrong:
            print(f"seed {verdict.seed} {verdict.outcome}: {verdict.why}\n{verdict.text}\n", flush=True)
        if number % REPORT_EVERY == 0:
            print(f"  {number} networks, {time.monotonic() - start:.0f} s", flush=True)
    counts = ", ".join(f"{tally.outcomes[one]} {one}" for one in Outcome)
    print(
        f"{options.framework}: {options.count} networks from seed {options.seed}: {counts};"
        f" {time.monotonic() - start:.0f} s"
    )
    for why, count in tally.refusals.most_common():
        print(f"  {count:6d} {why}")
    if tally.ties:
        print(
            f"float32 decides a tie in {tally.ties} of {tally.events} events ({tally.tie_share:.2%}, at most"
            f" {TIE_SHARE:.0%})"
        )
    if tally.share < READ_SHARE:
        print(f"only {tally.share:.0%} were read, at least {READ_SHARE:.0%} are expected")
    for mutant, times in caught.items():
        print(f"{times} networks find the fault '{mutant}'")
    return int(bool(tally.wrong) or not all(caught.values()) or tally.share < READ_SHARE or tally.tie_share > TIE_SHARE)


if __name__ == "__main__":
    sys.exit(main())
