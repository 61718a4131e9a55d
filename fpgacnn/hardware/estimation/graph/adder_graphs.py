"""Adder graphs of distributed arithmetic in a project folder, from the header of generated functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from fpgacnn.errors import UnreadableProjectError
from fpgacnn.hardware.estimation.graph.cpp_text import MAX_BYTES, read_text
from fpgacnn.hardware.hls.da.adder_graph import AdderGraph, AdderGraphError, read_graph

HEADER = "nnet_code_gen.h"
_FUNCTION = re.compile(r"void dense_da_([0-9]{1,7})\(inp_t ")
_USE = re.compile(r"dense_da(?:_wrapper)?_([0-9]{1,7})\b")
_END = "\n}"


def adder_graphs(firmware: Path) -> dict[int, AdderGraph]:
    """The adder graphs of a project by the number in their name; none without the header.

    Raises UnreadableProjectError.
    """
    path = firmware / "nnet_utils" / HEADER
    if not path.is_file():
        return {}
    code, found = read_text(path, MAX_BYTES), dict[int, AdderGraph]()
    for start in _FUNCTION.finditer(code):
        end = code.find(_END, start.end())
        try:
            found[int(start[1])] = read_graph(code[start.start() : end + len(_END)] if end > 0 else "")
        except AdderGraphError as error:
            raise UnreadableProjectError(file=path, why=f"dense_da_{start[1]}: {error}") from error
    return found


def graph_of(graphs: Mapping[int, AdderGraph], *texts: str) -> AdderGraph | None:
    """The adder graph that a call or its configuration names."""
    used = next((int(found[1]) for text in texts for found in [_USE.search(text)] if found), None)
    return None if used is None else graphs.get(used)
