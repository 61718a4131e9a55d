"""Float, calibrated, trained and mixed widths side by side.

Python benchmarks/quantization.py [digits|mnist5k|km3net ...]

Needs the extras `train` and `data`. Prints a table in Markdown; seconds are those of the whole call on this machine.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import fpgacnn

MODELS = Path(__file__).parents[1] / "models"
BITS = "6"
BUDGETS = (None, "ebops=50%", "ebops=25%")
HEAD = """\
| data | measure | widths | EBOPs | float | post-training | fine-tuned | seconds |
|---|---|---|---|---|---|---|---|"""


def row(data: str, budget: str | None, folder: Path) -> str:
    """One run of `quantize`."""
    start = time.perf_counter()
    run = fpgacnn.quantize(
        MODELS / data / f"{data}_float.h5",
        data,
        folder / "q.h5",
        bits=BITS,
        budget=budget,
        batch=128 if data == "km3net" else 64,
    )
    seconds, test = time.perf_counter() - start, run.quality[1]
    figures = [f"{figure:.4f}" for figure in (test.float_network, test.post_training, test.fine_tuned)]
    return (
        "| "
        + " | ".join([data, test.measure, budget or f"{BITS} bits", f"{run.ebops:,}", *figures, f"{seconds:.0f}"])
        + " |"
    )


def main(names: list[str]) -> None:
    """All data sets, or those named, under all budgets."""
    print(HEAD)
    with tempfile.TemporaryDirectory() as folder:
        for data in names or ["digits", "mnist5k", "km3net"]:
            for budget in BUDGETS:
                print(row(data, budget, Path(folder)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
