"""Recognize the kind of a file by its first bytes, never by its suffix."""

from __future__ import annotations

import hashlib
from difflib import get_close_matches
from enum import Enum, auto
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from fpgacnn.errors import FileMissingError
from fpgacnn.system.files.regular import ANY_SIZE, IrregularFileError, open_regular

_ZIP = b"PK\x03\x04"
HDF5_HEAD = b"\x89HDF\r\n\x1a\n"
_PROTOCOL_BUFFER = b"\x08"
"""The version of the intermediate representation, the first field of every ONNX file."""


MOST_NAMES, ALIKE = 1000, 0.8
"""Names of a folder that are compared with a missing one, and how alike they must be."""

PROGRAM = "saved_model.pb"
"""The file that every SavedModel folder has."""


class FileKind(Enum):
    """Formats that the readers support."""

    HDF5 = auto()
    ZIP = auto()
    JSON = auto()
    ONNX = auto()
    SAVED_MODEL = auto()
    OTHER = auto()


def sniff(path: Path) -> tuple[FileKind, str]:
    """The file's kind, and a description of its first bytes.

    Raises FileMissingError if the file cannot be opened.
    """
    try:
        if path.is_dir():
            return (
                (FileKind.SAVED_MODEL, "a SavedModel") if is_saved_model(path) else (FileKind.OTHER, "it is a folder")
            )
        with open_regular(path, limit=ANY_SIZE) as file:
            head = file.read(512)
            user_blocks = [_read_at(file, offset) for offset in (512, 1024, 2048)]
    except IrregularFileError as error:
        return FileKind.OTHER, error.strerror or "it is no file"
    except OSError as error:
        near = near_names(path) if isinstance(error, FileNotFoundError) else ""
        raise FileMissingError(file=path, why=f"{error.strerror or 'cannot be read'}{near}") from error
    if head.startswith(HDF5_HEAD) or HDF5_HEAD in user_blocks:
        return FileKind.HDF5, "HDF5"
    if head.startswith(_ZIP):
        return FileKind.ZIP, "a zip archive"
    if head.lstrip()[:1] == b"{":
        return FileKind.JSON, "JSON"
    if head.startswith(_PROTOCOL_BUFFER):
        return FileKind.ONNX, "a protocol buffer"
    return FileKind.OTHER, _describe(head)


def is_saved_model(path: Path) -> bool:
    """Whether the path is a folder in which TensorFlow saved a model."""
    return (path / PROGRAM).is_file()


def is_model(path: Path) -> bool:
    """Whether the path can be a network, and no project folder: a file, or a SavedModel."""
    return not path.is_dir() or is_saved_model(path)


def is_model_file(path: Path) -> bool:
    """Whether the path is a file of a format that only models have."""
    return path.is_file() and sniff(path)[0] in {FileKind.HDF5, FileKind.ZIP, FileKind.ONNX}


def near_names(path: Path) -> str:
    """Files in the folder of a missing file that have nearly its name, as the end of a message; may be empty."""
    try:
        names = [one.name for one in islice(path.parent.iterdir(), MOST_NAMES)]
    except OSError:
        return ""
    found = get_close_matches(path.name, names, n=3, cutoff=ALIKE)
    return f"; near names: {', '.join(found)}" if found else ""


def _read_at(file: BinaryIO, offset: int) -> bytes:
    file.seek(offset)
    return file.read(len(HDF5_HEAD))


def _describe(head: bytes) -> str:
    if not head:
        return "it is empty"
    known = {b"\x80": "a Python pickle, which is never opened"}
    for start, words in known.items():
        if head.startswith(start):
            return words
    if all(byte in b"\t\n\r\x0c\x1b" or byte >= 32 for byte in head):
        return "it is text"
    return f"it begins with bytes {head[:8].hex(' ')}"


def digest(*paths: Path) -> str:
    """sha256 over the files' contents, in order."""
    total = hashlib.sha256()
    for path in paths:
        with open_regular(path, limit=ANY_SIZE) as file:
            while block := file.read(1 << 20):
                total.update(block)
    return total.hexdigest()
