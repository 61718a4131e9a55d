"""Input and output of the process that runs hls4ml's recipe: files in its folder, never a pickle.

Everything that the process writes comes from an untrusted file and is read as such.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fpgacnn.sim.frameworks.job import MAX_WORDS_BYTES, Answers, read_back, write_answers
from fpgacnn.system.files.regular import IrregularFileError, read_regular

PROJECT, REFERENCE, CLEANED, HLS4ML = "project", "reference", "cleaned", "hls4ml"
SETTINGS, GRAPH, PHASE = "recipe.json", "graph.json", "phase"
MAX_GRAPH_BYTES = 1 << 24
TRACED_EVENTS = 64
"""Events whose layers are compared."""

HARMLESS = re.compile(r"[A-Za-z0-9_./ -]{1,200}")
"""Names that may become part of C++ as they are: they can break it, but not add a statement to it."""


class Phase(StrEnum):
    """What the process does; the words follow `cannot ` or `ended while it ...` in messages."""

    START = "start"
    LOAD = "load the file"
    CONVERT = "convert the network"
    COMPILE = "compile its C++"
    RUN = "run its C simulation"
    TRACE = "trace its layers"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeSettings:
    """The arguments of hls4ml: io type, backend and part by their names there, clock period in ns."""

    io_type: str
    backend: str
    part: str
    clock_ns: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeNames:
    """hls4ml's graph after its passes: `nodes` in order, and the layers that each layer of the file reads."""

    nodes: tuple[str, ...]
    parents: Mapping[str, tuple[str, ...]]


def settings_bytes(settings: RecipeSettings) -> bytes:
    """The settings as a file."""
    return json.dumps(asdict(settings)).encode()


def read_settings(folder: Path) -> RecipeSettings:
    """The settings that the parent wrote."""
    content = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    return RecipeSettings(**{one.name: content[one.name] for one in fields(RecipeSettings)})


def write_phase(folder: Path, phase: Phase) -> None:
    """Write what begins now, so that it is known if hls4ml ends the process."""
    unfinished = folder / f"{PHASE}.part"
    unfinished.write_text(phase, encoding="utf-8")
    unfinished.rename(folder / PHASE)


def read_phase(folder: Path) -> Phase:
    """What the process did last."""
    try:
        return Phase(read_regular(folder / PHASE, limit=MAX_WORDS_BYTES).decode())
    except (OSError, IrregularFileError, ValueError):
        return Phase.START


def write_graph(folder: Path, graph: NodeNames) -> None:
    """Write the nodes of hls4ml's graph, and which layers of the file read which."""
    (folder / GRAPH).write_text(json.dumps(asdict(graph)), encoding="utf-8")


def read_graph(folder: Path) -> NodeNames | None:
    """The nodes of hls4ml's graph; None if they were not written."""
    try:
        content: Any = json.loads(read_regular(folder / GRAPH, limit=MAX_GRAPH_BYTES))
        nodes = tuple(str(one) for one in content["nodes"])
        parents = {str(name): tuple(str(one) for one in found) for name, found in content["parents"].items()}
        return NodeNames(nodes=nodes, parents=parents)
    except (OSError, IrregularFileError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def write_results(
    folder: Path, tool: str, outputs: Sequence[NDArray[Any]], traced: Mapping[str, NDArray[Any]], name: str = HLS4ML
) -> None:
    """Write the outputs and the layers' results of hls4ml, or those of `name`; a second call replaces the first.

    The first axis of every array counts events.
    """
    (folder / name).mkdir(exist_ok=True)
    write_answers(folder / name, Answers(framework=tool, outputs=tuple(outputs), shown=traced))


def read_results(folder: Path, name: str) -> Answers | None:
    """The answers of the framework, of the cleaned graph or of hls4ml, by their folder; None if there are none."""
    found = read_back(folder / name)
    return found if isinstance(found, Answers) else None


def listed(values: Any) -> list[Any]:
    """Several values as a list, one value as a list of it."""
    return list(values) if isinstance(values, list | tuple) else [values]


def traced_layers(config: dict[str, Any]) -> dict[str, Any]:
    """hls4ml's configuration with the trace of every layer switched on."""
    for layer in config["LayerName"].values():
        layer["Trace"] = True
    return config
