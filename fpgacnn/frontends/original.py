"""The original file for a framework that loads it with its own loader: which files, format and architecture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fpgacnn.frontends.files import FileKind, sniff
from fpgacnn.frontends.keras.layer_config import Json
from fpgacnn.frontends.keras.reader import architecture_of, companion, read_json_file
from fpgacnn.frontends.keras.saved_model.folder import files_of
from fpgacnn.frontends.onnx.reader import Tensors, read_tensors


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The files of a network, its digest in their order, and the suffix that tells frameworks the format.

    `architecture` is Keras' JSON, null for ONNX; `tensors` says for ONNX which layer of ours holds which tensor.
    """

    files: tuple[Path, ...]
    suffix: str
    architecture: Json
    tensors: Tensors | None = None

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(file.stat().st_size for file in self.files)


def parts(path: Path) -> tuple[Path, ...]:
    """The files whose content makes up a network's digest: the file, and the weights that lie beside an architecture.

    Raises FileMissingError, BrokenFileError.
    """
    match sniff(path)[0]:
        case FileKind.JSON:
            return (path, companion(path))
        case FileKind.SAVED_MODEL:
            return files_of(path)
        case _:
            return (path,)


def original(path: Path, weights: Path | None = None) -> Original:
    """What a framework needs of a file that `load` has accepted.

    Raises what `load` raises.
    """
    match sniff(path)[0]:
        case FileKind.HDF5:
            return Original(files=(path,), suffix=".h5", architecture=architecture_of(path))
        case FileKind.ZIP:
            return Original(files=(path,), suffix=".keras", architecture=architecture_of(path))
        case FileKind.JSON:
            architecture = read_json_file(path)
            return Original(
                files=(path, companion(path) if weights is None else weights), suffix=".json", architecture=architecture
            )
        case _:
            return Original(files=(path,), suffix=".onnx", architecture=None, tensors=read_tensors(path))
