"""Golden vectors on disk: `golden.json`, which is readable in a diff, and `vectors.npz` with events and answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design.project import project_folder, write_files
from fpgacnn.design.schema_2 import is_removed
from fpgacnn.errors import FpgacnnError, GoldenBrokenError, GoldenMissingError, UsageError
from fpgacnn.ir.fixed_point import CodeArray, Codes
from fpgacnn.ir.source import FloatArray
from fpgacnn.jobs.golden_vectors.fingerprint import Fingerprint, array_text
from fpgacnn.system.files.regular import read_regular_text
from fpgacnn.system.npz import packed, read_arrays

TEXT, ARRAYS = "golden.json", "vectors.npz"
SCHEMA = 1
MAX_TEXT_BYTES = 1 << 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """A frozen project: its fingerprint, the events, all output codes, and a digest of every node's answer.

    `inputs` are real values, in the order of the network's inputs; `outputs` are codes by node. `trace` has one number
    for each node and event, nodes in the order of computation. `tools` are the versions that froze it.
    """

    fingerprint: Fingerprint
    inputs: tuple[FloatArray, ...]
    outputs: Mapping[str, CodeArray]
    trace: Mapping[str, NDArray[np.uint64]]
    origin: str
    tools: Mapping[str, str]

    @property
    def events(self) -> int:
        """Number of events."""
        return len(self.inputs[0])


def golden_folder(project: Path) -> Path:
    """The default folder of a project's golden vectors: beside the project, so that a new conversion keeps them."""
    whole = project.absolute()
    if not whole.name:
        raise UsageError(what=f"{project} is no project folder, so it has no golden vectors beside it")
    return (
        whole.with_name(f"{whole.name}.golden")
        if project.name in {"", ".."}
        else project.with_name(f"{project.name}.golden")
    )


def answer_digests(codes: Codes) -> NDArray[np.uint64]:
    """One number for each event, which differs for other answers."""
    rows = np.ascontiguousarray(codes.array, dtype="<i8").reshape(len(codes.array), -1)
    digests = b"".join(hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in rows)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def write(folder: Path, golden: Golden) -> None:
    """Write golden vectors atomically, in place of older ones.

    Raises OutputExistsError if something else is there, WriteError.
    """
    arrays = _arrays(golden)
    fingerprint = golden.fingerprint
    tree = {
        "schema": SCHEMA,
        "events": golden.events,
        "origin": golden.origin,
        "tools": dict(golden.tools),
        "model_file": fingerprint.model_file,
        "layers": fingerprint.layers,
        "nodes": fingerprint.nodes,
        "target": fingerprint.target,
        "files": fingerprint.files,
        "outputs": list(golden.outputs),
        "arrays": {name: array_text(array) for name, array in arrays.items()},
    }
    with project_folder(folder, mark=TEXT) as stage:
        write_files(
            stage, {TEXT: (json.dumps(tree, indent=1, ensure_ascii=True) + "\n").encode(), ARRAYS: packed(arrays)}
        )


def _arrays(golden: Golden) -> dict[str, NDArray[np.generic]]:
    arrays: dict[str, NDArray[np.generic]] = {f"input_{number}": values for number, values in enumerate(golden.inputs)}
    arrays |= {f"output_{number}": _narrow(codes) for number, codes in enumerate(golden.outputs.values())}
    return arrays | {"trace": np.stack(list(golden.trace.values()))}


def _narrow(codes: CodeArray) -> NDArray[np.generic]:
    """The codes in the smallest integer type that can represent them."""
    kinds = (np.int8, np.int16, np.int32)
    low, high = int(codes.min(initial=0)), int(codes.max(initial=0))
    return next(
        (codes.astype(kind) for kind in kinds if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max), codes
    )


def read(folder: Path, project: Path) -> Golden:
    """Read the golden vectors of a folder.

    Raises GoldenMissingError if there are none, GoldenBrokenError if they are damaged or of another version.
    """
    if not (folder / TEXT).is_file():
        raise GoldenMissingError(folder=folder, project=project)
    try:
        text = read_regular_text(folder / TEXT, limit=MAX_TEXT_BYTES)
        return _golden(json.loads(text), read_arrays(folder / ARRAYS))
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        IndexError,
        RecursionError,
        FpgacnnError,
    ) as error:
        why = (
            str(error)
            if isinstance(error, ValueError | FpgacnnError | OSError)
            else f"not in the format that fpgacnn writes: {error}"
        )
        raise GoldenBrokenError(folder=folder, why=why, project=project) from error


def _golden(tree: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]]) -> Golden:
    if tree["schema"] != SCHEMA:
        raise ValueError(f"schema {tree['schema']} is not {SCHEMA}")
    if {name: array_text(array) for name, array in arrays.items()} != dict(tree["arrays"]):
        raise ValueError(f"{ARRAYS} does not belong to {TEXT}")
    if any(array.dtype.kind not in "iu" for name, array in arrays.items() if not name.startswith("input_")):
        raise ValueError("its answers are not integers")
    fingerprint = Fingerprint(
        model_file=str(tree["model_file"]),
        layers={str(name): _texts(parts) for name, parts in tree["layers"].items()},
        nodes={str(name): _node_texts(parts) for name, parts in tree["nodes"].items()},
        target=_texts(tree["target"]),
        files=_texts(tree["files"]),
    )
    outputs = [str(name) for name in tree["outputs"]]
    inputs = sum(name.startswith("input_") for name in arrays)
    golden = Golden(
        fingerprint=fingerprint,
        inputs=tuple(np.asarray(arrays[f"input_{number}"], np.float64) for number in range(inputs)),
        outputs={name: np.asarray(arrays[f"output_{number}"], np.int64) for number, name in enumerate(outputs)},
        trace=dict(zip(fingerprint.nodes, np.asarray(arrays["trace"], np.uint64), strict=True)),
        origin=str(tree["origin"]),
        tools=_texts(tree["tools"]),
    )
    counts = {len(one) for one in (*golden.inputs, *golden.outputs.values(), *golden.trace.values())}
    if not inputs or not outputs or len(counts) != 1 or not golden.events:
        raise ValueError("its arrays have different numbers of events")
    if not all(np.isfinite(one).all() for one in golden.inputs):
        raise ValueError("its events hold NaN or infinite values")
    return golden


def _node_texts(parts: Any) -> Mapping[str, str]:
    """The parts of a node; those that only golden vectors of older versions have decide no bits and are left out."""
    return {path: text for path, text in _texts(parts).items() if not is_removed(path)}


def _texts(value: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()}
