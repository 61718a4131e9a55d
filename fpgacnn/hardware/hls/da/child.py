"""The adapter of da4ml 0.5, the only module that imports it: `python -m fpgacnn.hardware.hls.da.child FOLDER`.

It runs in a process of its own, because da4ml starts threads that do not survive a fork. It reads `request.json` and
writes `answer.json`: the C++ of an adder graph for every matrix, by the same calls as hls4ml 1.3.0
(backends/vivado/passes/distributed_arithmetic.py).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from da4ml.codegen.hls import hls_logic_and_bridge_gen
from da4ml.trace import FixedVariableArray, HWConfig, comb_trace

from fpgacnn.hardware.hls.da.kernels import ANSWER, REQUEST

ADDED_LEVELS = int(os.environ.get("DA_HARD_DC", "2"))
"""Levels that the longest path may have above the least that is possible; hls4ml reads the same variable."""


def code(kernel: dict[str, Any], name: str) -> tuple[str, float]:
    """The C++ function of one matrix with its bias, and da4ml's cost of it. Raises what da4ml raises."""
    signed, integer, fraction = (np.full(kernel["inputs"], kernel[key], np.int16) for key in ("k", "i", "f"))
    options = {"hard_dc": ADDED_LEVELS, "search_all_decompose_dc": True}
    given = FixedVariableArray.from_kif(signed, integer, fraction, HWConfig(1, -1, -1), solver_options=options)
    matrix = np.ldexp(np.array(kernel["weights"], np.float64), -kernel["weight_fraction"])
    found = given @ matrix.reshape(kernel["inputs"], -1)
    found += np.ldexp(np.array(kernel["biases"], np.float64), -kernel["bias_fraction"])
    graph = comb_trace(given, found)
    text: str = hls_logic_and_bridge_gen(graph, name, "vitis", pragmas=["#pragma HLS INLINE"], print_latency=True)[0]
    return text, float(graph.cost)


def main() -> None:
    """Answer the request in the folder."""
    folder = Path(sys.argv[1])
    request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    answer = [code(kernel, request["name"]) for kernel in request["kernels"]]
    (folder / ANSWER).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
