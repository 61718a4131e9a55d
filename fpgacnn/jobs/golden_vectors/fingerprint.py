"""A project's fingerprint: everything that decides its bits, as short texts by name that can be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Design
from fpgacnn.design.serialize import CODEC
from fpgacnn.design.tags import PARTS, TAGS
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.source import SourceModel
from fpgacnn.passes.precision import LayerPrecision

Parts: TypeAlias = Mapping[str, str]

NAMES = {**TAGS, **PARTS}
"""Names of records as in `design.json`, with each word capitalized: `leaky_relu` becomes LeakyRelu."""

_FOLDERS, _SUFFIXES = ("firmware/", "tb_data/"), (".cpp", ".h", ".tcl", ".sh", ".yml")
_RTL_FOLDERS, _RTL_SUFFIXES = ("rtl/", "tb/", "vivado/", "ecp5/"), (".sv", ".hex", ".tcl", ".xdc", ".lpf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """A project as short texts: each layer of the file, each node of the hardware, the target, each generated file.

    `model_file` is the digest of the file that the network was read from; another file may hold the same network.
    """

    model_file: str
    layers: Mapping[str, Parts]
    nodes: Mapping[str, Parts]
    target: Parts
    files: Parts


def fingerprint(network: SourceModel, design: Design, files: Mapping[str, bytes]) -> Fingerprint:
    """The fingerprint of a project.

    Real numbers count only for the source network and the target, not for the hardware.
    """
    plan = design.plan.layers
    return Fingerprint(
        model_file=network.digest,
        layers={layer.name: _parts(layer, floats=True) for layer in network.layers},
        nodes={layer.name: {**_node(layer), **_formats(plan[layer.name])} for layer in design.model.layers},
        target=_parts(design.target, floats=True),
        files={
            name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items()) if is_generated(name)
        },
    )


def is_generated(name: str) -> bool:
    """Whether a file of a project is generated code or test bench, not the stored design and not output of a tool.

    The design is compared by its content, because compressors differ in their bytes.
    """
    return (
        name.startswith(_FOLDERS)
        or ("/" not in name and name.endswith(_SUFFIXES))
        or (name.startswith(_RTL_FOLDERS) and name.endswith(_RTL_SUFFIXES))
        or name == "schedule.json"
    )


def _node(layer: hw.Layer) -> Parts:
    """The fields of a node; those that version 0.1.0 did not have only where they say something."""
    absent = {name for name in ("folded", "rectifies", "weights_of") if not getattr(layer, name)}
    return {path: text for path, text in _parts(layer, floats=False).items() if path not in absent}


def _formats(precision: LayerPrecision) -> Parts:
    """The formats of a node's precision, without their reasons."""
    found = {"result": str(precision.result.format)}
    if precision.accumulator is not None:
        found["accumulator"] = str(precision.accumulator.format)
    return {**found, **{f"table {name}": str(decision.format) for name, decision in precision.tables.items()}}


def _parts(value: object, *, floats: bool) -> Parts:
    """Every field of a value as path and text; without `floats`, only fields without real numbers."""
    texts = ((path, _text(part, floats=floats)) for path, part in CODEC.walk(value) if path)
    return {path: text for path, text in texts if text is not None}


def _text(value: object, *, floats: bool) -> str | None:
    """A field as text; None for a real number if `floats` is off."""
    if isinstance(value, np.ndarray):
        return array_text(value) if floats or value.dtype.kind != "f" else None
    if isinstance(value, float):
        return str(value) if floats else None
    if isinstance(value, Enum):
        return str(value.value)
    if type(value) in NAMES:
        return NAMES[type(value)].title().replace("_", "")
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def array_text(array: NDArray[np.generic]) -> str:
    """Shape, type and digest of an array; equal numbers give the same text on every machine."""
    content = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    digest = hashlib.sha256(content.tobytes()).hexdigest()[:16]
    return f"{'x'.join(map(str, array.shape)) or 'one'} {array.dtype.name} {digest}"
