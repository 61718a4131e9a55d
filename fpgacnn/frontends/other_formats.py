"""Networks of other tools, recognized by their content to say how they are exported; none of it is executed."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import BinaryIO

from fpgacnn.errors import FpgacnnError, OtherFormatError
from fpgacnn.system.files.regular import ANY_SIZE, open_regular

_EXPORT = "torch.onnx.export(model.eval(), example_input, 'model.onnx')"
_STATE = f"build the model in PyTorch, load the weights, then {_EXPORT}"
_PROGRAM = "PyTorch runs pickles of the file when it loads it, so do it only with a file that you trust: "
_KERAS = "save the Keras model itself: model.save('model.keras') or model.save('model.h5')"
_TFLITE = (
    "write it as ONNX: python -m tf2onnx.convert --opset 13 --tflite FILE --output model.onnx (pip install tf2onnx); or"
    f" {_KERAS}, then convert it with --bits 8 or --calibrate EVENTS"
)

_HEADS = (
    (0, b"\x08\x01\x12", "the program of a SavedModel", "give its folder instead of this file"),
    (4, b"TFL3", "a TFLite file", _TFLITE),
    (0, b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19", "a PyTorch file of before version 1.6", _STATE),
)
_CHECKPOINT_TAIL = 0xDB4775248B80FB57.to_bytes(8, "little")


def refusal(path: Path) -> FpgacnnError | None:
    """The error that names the format of a file, or None if it has none of these formats, or cannot be opened."""
    try:
        with open_regular(path, limit=ANY_SIZE) as file:
            head, tail = file.read(32), _tail(file)
            if head.startswith(b"PK"):
                return _of_archive(path, file)
    except OSError:  # its kind says why
        return None
    for offset, start, kind, do in _HEADS:
        if head[offset:].startswith(start):
            return OtherFormatError(file=path, kind=kind, do=do)
    if head[:1] == head[2:3] == b"\n" and b"\0" in head:  # a node, and its name
        return OtherFormatError(file=path, kind="a frozen TensorFlow graph", do=_KERAS)
    if tail == _CHECKPOINT_TAIL:
        return OtherFormatError(file=path, kind="a checkpoint of TensorFlow, weights without a network,", do=_KERAS)
    return None


def _tail(file: BinaryIO) -> bytes:
    size = os.fstat(file.fileno()).st_size
    file.seek(max(size - len(_CHECKPOINT_TAIL), 0))
    return file.read(len(_CHECKPOINT_TAIL))


def _of_archive(path: Path, file: BinaryIO) -> FpgacnnError | None:
    """The error for a zip archive, by the names of its members."""
    try:
        names = zipfile.ZipFile(file).namelist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        return None
    inner = {name.partition("/")[2] for name in names}
    if any(name.endswith((".pt2", "serialized_exported_program.json")) for name in names) or "archive_format" in inner:
        return OtherFormatError(
            file=path,
            kind="an exported program of PyTorch",
            do=f"{_PROGRAM}model = torch.export.load(file).module(); {_EXPORT}",
        )
    if "data.pkl" in inner and "constants.pkl" in inner:
        return OtherFormatError(file=path, kind="a TorchScript file", do=f"model = torch.jit.load(file); {_EXPORT}")
    if "data.pkl" in inner:
        return OtherFormatError(file=path, kind="a PyTorch file", do=_STATE)
    if names and all(name.endswith(".npy") for name in names):
        return OtherFormatError(
            file=path,
            kind="a file of NumPy arrays",
            do="give a network first, and arrays with --input",
        )
    return None
