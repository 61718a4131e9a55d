"""Read model files: a file becomes a `SourceModel`; nothing of the file is executed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fpgacnn.errors import FpgacnnError, NotAModelError, UsageError
from fpgacnn.frontends.files import FileKind, is_model, sniff
from fpgacnn.frontends.keras.reader import read_archive, read_hdf5, read_json, read_saved_model
from fpgacnn.frontends.onnx.reader import read_onnx
from fpgacnn.frontends.other_formats import refusal
from fpgacnn.frontends.result import ReadResult
from fpgacnn.ir.source import SourceModel

__all__ = ["Refusal", "inspect", "is_model", "load"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A layer that cannot be converted, with the error that gives the reason."""

    layer: str
    kind: str
    error: FpgacnnError


def load(path: Path, weights: Path | None = None) -> SourceModel:
    """Read a network from a file, whatever its suffix.

    `weights` is the HDF5 file of an architecture JSON (by default the file of the same name beside it).
    Raises an FpgacnnError that names file, layer and cure for everything that cannot be converted exactly.
    """
    reading = _read(path, weights)
    if reading.refusals:
        raise reading.refusals[0][2]
    return reading.model()


def inspect(path: Path, weights: Path | None = None) -> tuple[ReadResult, tuple[Refusal, ...]]:
    """Read a file for display: all supported layers, and the refused layers with the reasons."""
    reading = _read(path, weights)
    return reading, tuple(Refusal(layer=name, kind=kind, error=error) for name, kind, error in reading.refusals)


def _read(path: Path, weights: Path | None) -> ReadResult:
    kind, seen = sniff(path)
    if weights is not None and kind not in {FileKind.JSON, FileKind.OTHER}:
        raise UsageError(
            what=f"{path.name} holds its own weights; --weights {weights} goes with an architecture JSON only"
        )
    other = None if path.is_dir() else refusal(path)
    if other is not None:
        raise other
    if kind is FileKind.SAVED_MODEL:
        return read_saved_model(path)
    if kind is FileKind.HDF5:
        return read_hdf5(path)
    if kind is FileKind.ZIP:
        return read_archive(path)
    if kind is FileKind.JSON:
        return read_json(path, weights)
    if kind is FileKind.ONNX:
        return read_onnx(path)
    raise NotAModelError(file=path, seen=seen)
