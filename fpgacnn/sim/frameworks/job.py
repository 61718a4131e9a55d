"""Input and output of a framework's process: two files in a folder of its own, never a pickle."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.system.files.regular import open_regular, read_regular

Values: TypeAlias = NDArray[np.floating[Any]]
"""Events of one input: float32, or float64 where the file has another element type."""

JOB, EVENTS, ANSWERS, FAILURE = "job.json", "events.npz", "answers.npz", "failure.json"
MAX_ANSWER_BYTES = 1 << 30
MAX_WORDS, MAX_WORDS_BYTES = 300, 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceJob:
    """A file in the folder, separate weights if it needs them, the `runner`, and the batch of a fixed graph.

    `inputs` are the names of the network's inputs; `tensors` the names of ONNX tensors that are returned.
    """

    runner: str
    model: str
    weights: str
    inputs: tuple[str, ...]
    tensors: tuple[str, ...]
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """A framework's answers in float32: its name with version, outputs in order and other results by name.

    The first axis of every array counts events.
    """

    framework: str
    outputs: tuple[NDArray[Any], ...]
    shown: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why there are no answers; `framework` with its version as far as known, `doing` the step that failed."""

    framework: str
    doing: str
    why: str


def write_job(folder: Path, job: ReferenceJob, events: Sequence[Values]) -> None:
    """Write the job for the child."""
    # stubs take no mapping
    np.savez(folder / EVENTS, **{f"input_{number}": one for number, one in enumerate(events)})  # type: ignore[arg-type]
    (folder / JOB).write_text(json.dumps(asdict(job)), encoding="utf-8")


def read_job(folder: Path) -> tuple[ReferenceJob, tuple[Values, ...]]:
    """Read the job of the parent."""
    content = json.loads((folder / JOB).read_text(encoding="utf-8"))
    given: dict[str, Any] = {
        one.name: tuple(content[one.name]) if isinstance(content[one.name], list) else content[one.name]
        for one in fields(ReferenceJob)
    }
    with np.load(folder / EVENTS, allow_pickle=False) as events:
        return ReferenceJob(**given), tuple(events[f"input_{number}"] for number in range(len(events.files)))


def write_answers(folder: Path, answers: Answers) -> None:
    """Write answers atomically."""
    about = json.dumps({"framework": answers.framework, "shown": list(answers.shown)})
    content = io.BytesIO()
    arrays = {f"output_{number}": one for number, one in enumerate(answers.outputs)}
    arrays |= {f"shown_{number}": one for number, one in enumerate(answers.shown.values())}
    # stubs take no mapping
    np.savez(content, about=np.frombuffer(about.encode(), np.uint8), **arrays)  # type: ignore[arg-type]
    unfinished = folder / f"{ANSWERS}.part"
    unfinished.write_bytes(content.getvalue())
    unfinished.rename(folder / ANSWERS)


def write_failure(folder: Path, failure: Failure) -> None:
    """Write the reason why there are no answers."""
    (folder / FAILURE).write_text(json.dumps(asdict(failure)), encoding="utf-8")


def read_back(folder: Path) -> Answers | Failure | None:
    """The child's answers or failure; None without either.

    The child ran an untrusted file, so its output is untrusted.
    """
    try:
        if (folder / FAILURE).is_file():
            words = json.loads(read_regular(folder / FAILURE, limit=MAX_WORDS_BYTES))
            return Failure(**{one.name: str(words[one.name])[:MAX_WORDS] for one in fields(Failure)})
        answers = open_regular(folder / ANSWERS, limit=MAX_ANSWER_BYTES)
        with answers as file, np.load(file, allow_pickle=False) as arrays:
            about = json.loads(arrays["about"].tobytes())
            count = sum(name.startswith("output_") for name in arrays.files)
            outputs = tuple(_numbers(arrays[f"output_{number}"]) for number in range(count))
            shown = {str(name): _numbers(arrays[f"shown_{number}"]) for number, name in enumerate(about["shown"])}
            return Answers(framework=str(about["framework"])[:MAX_WORDS], outputs=outputs, shown=shown)
    except (OSError, ValueError, TypeError, KeyError, EOFError, RecursionError, zipfile.BadZipFile):
        return None


def _numbers(array: NDArray[Any]) -> NDArray[Any]:
    """An array of real numbers with an axis of events.

    Raises ValueError.
    """
    if array.dtype.kind not in "fiub" or array.ndim < 1:
        raise ValueError("no numbers")
    return array
