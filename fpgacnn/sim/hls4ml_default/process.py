"""Start the process that runs hls4ml's recipe, wait for it, and read what it gives; it never outlives the run."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fpgacnn.errors import printable
from fpgacnn.frontends.keras.layer_config import Json
from fpgacnn.sim.frameworks.job import Answers, Failure, read_back
from fpgacnn.sim.frameworks.process import Asking, Question, asking
from fpgacnn.sim.hls4ml_default.settings import (
    CLEANED,
    HARMLESS,
    HLS4ML,
    PROJECT,
    REFERENCE,
    SETTINGS,
    NodeNames,
    Phase,
    RecipeSettings,
    read_graph,
    read_phase,
    read_results,
    settings_bytes,
)
from fpgacnn.system.subprocesses import Finished

PROGRAM = "fpgacnn.sim.hls4ml_default.child"
QUANTIZER = re.compile(
    r"(quantized|binary|ternary|stochastic|bernoulli|hard|smooth)\w{0,40}\([\w=., '\"-]{0,200}\)", re.ASCII
)
"""A quantizer of QKeras as a text: `quantized_relu(6,2)`. QKeras refuses other functions."""

NAMED = frozenset({"name", "class_name", "activation"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeOutcome:
    """What the recipe gave: the last phase that it reached, and `why` it ended there; empty if it is done.

    `reference` are the answers of the framework of the file, `hls4ml` those of hls4ml, as far as there are some.
    `layers` are the right results by the layers that hls4ml has: those of Keras, or of the ONNX graph that qonnx
    cleaned, on a few events. `project` is the folder that hls4ml wrote.
    """

    phase: Phase
    why: str
    reference: Answers | None
    layers: Mapping[str, NDArray[Any]]
    hls4ml: Answers | None
    graph: NodeNames | None
    project: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRecipe:
    """The process while it runs."""

    asking: Asking

    def outcome(self) -> RecipeOutcome:
        """Wait for the end, within the limit; the project's folder is there until the block of `recipe` ends."""
        finished, folder = self.asking.child.finished(), self.asking.folder
        phase = read_phase(folder)
        project = folder / PROJECT
        reference = read_results(folder, REFERENCE)
        own = read_results(folder, CLEANED) or reference
        return RecipeOutcome(
            phase=phase,
            why="" if phase is Phase.DONE else printable(self._why(finished)),
            reference=reference,
            layers=own.shown if own else {},
            hls4ml=read_results(folder, HLS4ML),
            graph=read_graph(folder),
            project=project if (project / "firmware").is_dir() and not project.is_symlink() else None,
        )

    def _why(self, finished: Finished | None) -> str:
        if finished is None or finished.status == -signal.SIGALRM:
            return f"it did not finish within {self.asking.seconds:g} s and was ended"
        found = read_back(self.asking.folder)
        if isinstance(found, Failure):
            return found.why
        return f"its process ended with {finished.how}: {finished.last_line}"


@contextmanager
def recipe(question: Question, settings: RecipeSettings, *, seconds: float) -> Iterator[RunningRecipe]:
    """Start the recipe on its own copies of the files; its process is ended when the block ends.

    CALL THIS FOR A FILE OF KERAS ONLY IF `whitelist.refused` AND `harmful_name` LET ITS ARCHITECTURE PASS: Keras runs
    code of a file, and hls4ml writes names of a file into C++ that is compiled and run. The recipe itself checks the
    names of an ONNX file, after qonnx has given new ones.

    Raises ForeignToolError if no process can be started or the files have changed since they were read, WriteError.
    """
    files = {SETTINGS: settings_bytes(settings)}
    with asking(question, seconds=seconds, program=PROGRAM, files=files) as running:
        yield RunningRecipe(asking=running)


def harmful_name(architecture: Json) -> str:
    """The first name in an architecture that could add a statement to C++; empty if there is none."""
    waiting: list[Json] = [architecture]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            for key in NAMED & value.keys():
                name = value[key]
                if isinstance(name, str) and name and not _is_harmless(key, name):
                    return name
            waiting += value.values()
    return ""


def _is_harmless(key: str, name: str) -> bool:
    """Whether a name may be written into C++; an activation may be a quantizer of QKeras with plain arguments."""
    return HARMLESS.fullmatch(name) is not None or (key == "activation" and QUANTIZER.fullmatch(name) is not None)
