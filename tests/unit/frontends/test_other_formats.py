"""Networks of other tools are recognized by their content, and the error says how to export them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.errors import FpgacnnError, OtherFormatError


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in names:
            file.writestr(name, b"x")
    return buffer.getvalue()


def arrays() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, input_0=np.zeros(3))
    return buffer.getvalue()


FORMATS = {
    "pt": (archive("m/data.pkl", "m/byteorder", "m/data/0"), "a PyTorch file is not read", "torch.onnx.export"),
    "torchscript": (
        archive("m/data.pkl", "m/constants.pkl", "m/code/__torch__.py"),
        "a TorchScript file is not read",
        "torch.jit.load(file)",
    ),
    "pt2": (
        archive("m/archive_format", "m/models/model.json"),
        "an exported program of PyTorch is not read",
        "PyTorch runs pickles of the file when it loads it",
    ),
    "pt2 of before 2.8": (
        archive("serialized_exported_program.json", "version"),
        "an exported program of PyTorch is not read",
        "torch.export.load(file)",
    ),
    "old pt": (
        b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.",
        "a PyTorch file of before version 1.6 is not read",
        "torch.onnx.export",
    ),
    "tflite": (b"\x1c\0\0\0TFL3\x14\0\x20\0", "a TFLite file is not read", "tf2onnx.convert --opset 13 --tflite"),
    "frozen graph": (
        b"\n\x1f\n\x01x\x12\x0bPlaceholder*\x0b\n\x05dtype\x12\x02\x30\x01\0",
        "a frozen TensorFlow graph is not read",
        "model.save(",
    ),
    "program of a SavedModel": (b"\x08\x01\x12\x80\x05\n\x02", "the program of a SavedModel is not read", "its folder"),
    "checkpoint": (
        bytes(60) + bytes.fromhex("57fb808b247547db"),
        "a checkpoint of TensorFlow, weights without a network, is not read",
        "model.save(",
    ),
    "npz": (arrays(), "a file of NumPy arrays is not read", "--input"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_format_is_named_with_the_line_that_exports_it(tmp_path: Path, name: str) -> None:
    content, says, do = FORMATS[name]
    path = tmp_path / "m.h5"
    path.write_bytes(content)
    with pytest.raises(FpgacnnError) as caught:
        frontends.load(path)
    assert type(caught.value) is OtherFormatError
    assert str(caught.value) == f"{path}: {says}"
    assert do in caught.value.hint
