"""Broken and hostile files: refused by code and words, before memory is used, and never followed or executed."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.errors import (
    BrokenArchitectureError,
    BrokenFileError,
    CodeInFileError,
    FileMissingError,
    FpgacnnError,
    HostileFileError,
    NonFiniteWeightsError,
    NotAModelError,
    TooLargeError,
    UnsupportedLayerError,
    WeightsError,
)
from fpgacnn.frontends.keras.files import hdf5
from fpgacnn.frontends.keras.operations.layers import CODE_CARRIERS
from fpgacnn.ir.fixed_point import Format
from fpgacnn.passes.quantization import quantize
from tests.support.files import (
    entry,
    functional,
    input_layer,
    sequential,
    sequential_file,
    tiny_layers,
    tiny_model,
    values,
    write_h5,
)

KERNEL = "model_weights/conv/conv/kernel:0"
SECRET = b"root:x:0:0:" * 10


def refused(path: Path) -> FpgacnnError:
    with pytest.raises(FpgacnnError) as caught:
        frontends.load(path)
    return caught.value


def changed(path: Path, change: Callable[[h5py.File], object]) -> FpgacnnError:
    """The refusal of a good file after a change."""
    with h5py.File(tiny_model(path), "r+") as file:
        change(file)
    return refused(path)


def replaced(path: Path, make: Callable[[h5py.Group], object]) -> FpgacnnError:
    """The refusal of a file whose kernel was made in another way."""

    def change(file: h5py.File) -> None:
        del file[KERNEL]
        make(file)

    return changed(path, change)


# --- not a model ---------------------------------------------------------------------------------------------------


class Trap:
    """Would make a file if a pickle of it was opened."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("owned",))


FOREIGN = {
    "empty": (b"", "it is empty"),
    "text": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "it is text"),
    "page": (b"<!DOCTYPE html><html>", "it is text"),
    "pickle": (pickle.dumps(Trap()), "a Python pickle, which is never opened"),
    "onnx": (b"\x08\x07\x12\x07pytorch", "a protocol buffer without a network"),
    "machine code": (b"\x7fELF\x02\x01\x01\x00", "it begins with bytes 7f 45 4c 46 02 01 01 00"),
    "zeros": (bytes(600), "it begins with bytes 00 00 00 00 00 00 00 00"),
}


@pytest.mark.parametrize(("content", "seen"), FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_file_is_told_by_its_content_not_by_its_suffix(
    tmp_path: Path, content: bytes, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.h5").write_bytes(content)
    error = refused(tmp_path / "m.h5")
    assert type(error) is NotAModelError
    assert str(error) == f"{tmp_path / 'm.h5'}: not a model file that fpgacnn reads: {seen}"
    assert [path.name for path in tmp_path.iterdir()] == ["m.h5"]


def test_a_foreign_zip_is_no_model(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.h5", "w") as archive:
        archive.writestr("../escape.txt", "x")
    error = refused(tmp_path / "m.h5")
    assert type(error) is NotAModelError
    assert "a zip archive without config.json and model.weights.h5" in str(error)
    assert [path.name for path in tmp_path.iterdir()] == ["m.h5"]


def test_a_folder_and_a_missing_file_are_told(tmp_path: Path) -> None:
    assert str(refused(tmp_path)).endswith("not a model file that fpgacnn reads: it is a folder")
    error = refused(tmp_path / "no.h5")
    assert type(error) is FileMissingError
    assert str(error).endswith("no.h5: No such file or directory")


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.h5")
    error = refused(tmp_path / "m.h5")
    assert type(error) in {FileMissingError, NotAModelError}


def test_a_good_file_is_read_whatever_its_suffix(tmp_path: Path) -> None:
    assert frontends.load(tiny_model(tmp_path / "m.txt")).outputs == ("logits",)


def test_weights_without_an_architecture_are_no_model(tmp_path: Path) -> None:
    error = refused(write_h5(tmp_path / "m.h5", None, tiny_layers()))
    assert type(error) is NotAModelError
    assert "it holds weights without an architecture" in str(error)


def test_hdf5_of_something_else_is_no_model(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["events"] = np.zeros(3)
    assert "HDF5 without a model" in str(refused(tmp_path / "m.h5"))


@pytest.mark.parametrize("part", range(20))
def test_no_cut_file_is_read(tmp_path: Path, part: int) -> None:
    whole = tiny_model(tmp_path / "whole.h5").read_bytes()
    (tmp_path / "m.h5").write_bytes(whole[: len(whole) * part // 20 + 9])
    error = refused(tmp_path / "m.h5")
    assert type(error) is BrokenFileError
    assert "damaged or cut short" in str(error)


# --- code ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(CODE_CARRIERS))
def test_a_class_that_holds_code_is_refused_unread(tmp_path: Path, kind: str) -> None:
    code = {"function": ["4wEAAAAAAAAA", None, None], "function_type": "lambda", "module": "os"}
    error = refused(sequential_file(tmp_path / "m.h5", entry(kind, "evil", **code), shape=(3,)))
    assert type(error) is CodeInFileError
    assert error.code == "FC023"
    assert str(error) == f"layer 'evil' is a {kind}: it holds code, and code from a file is never run"


def test_code_inside_time_distributed_is_refused(tmp_path: Path) -> None:
    inner = {"class_name": "Lambda", "config": {"name": "evil", "function": ["4wEAAAAAAAAA", None, None]}}
    assert "is a Lambda" in str(
        refused(sequential_file(tmp_path / "m.h5", entry("TimeDistributed", "t", layer=inner), shape=(3, 4)))
    )


@pytest.mark.parametrize("kind", ["MultiHeadAttention", "LSTM", "os.system", "package>Evil", "", "conv2d"])
def test_an_unknown_class_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    error = refused(sequential_file(tmp_path / "m.h5", entry(kind, "attn"), shape=(3, 4)))
    assert type(error) is UnsupportedLayerError
    assert error.code == "FC020"
    assert str(error).startswith(f"layer 'attn' is a {kind}, which cannot be converted")


# --- weights -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3.5e38])
def test_weights_that_are_no_float32_numbers_are_counted(tmp_path: Path, value: float) -> None:
    def change(file: h5py.Group) -> None:
        kernel = values(3, 3, 1, 2).astype(np.float64)
        kernel[0, 0, 0, 0] = kernel[2, 1, 0, 1] = value
        file[KERNEL] = kernel

    error = replaced(tmp_path / "m.h5", change)
    assert type(error) is NonFiniteWeightsError
    assert str(error).endswith("m.h5: layer 'conv': 2 of 18 values of kernel are NaN or infinite in float32")


WRONG_WEIGHTS: dict[str, tuple[Callable[[h5py.Group], object], str]] = {
    "gone": (lambda _: None, "'conv/kernel:0' is listed but not in the file"),
    "another shape": (
        lambda file: file.create_dataset(KERNEL, data=np.zeros((3, 3, 2, 2))),
        "kernel has shape (3, 3, 2, 2), expected (3, 3, 1, 2)",
    ),
    "transposed": (
        lambda file: file.create_dataset(KERNEL, data=np.zeros((2, 1, 3, 3))),
        "kernel has shape (2, 1, 3, 3), expected (3, 3, 1, 2)",
    ),
    "one number": (lambda file: file.create_dataset(KERNEL, data=1.0), "kernel has shape (), expected (3, 3, 1, 2)"),
    "a group": (lambda file: file.create_group(KERNEL), "'conv/kernel:0' is listed but not in the file"),
    "nothing": (
        lambda file: file.create_dataset(KERNEL, data=h5py.Empty("f4")),
        "'conv/kernel:0' has float32, not numbers",
    ),
    "text": (
        lambda file: file.create_dataset(KERNEL, data=np.full((3, 3, 1, 2), b"x")),
        "'conv/kernel:0' has |S1, not numbers",
    ),
    "complex": (
        lambda file: file.create_dataset(KERNEL, data=np.zeros((3, 3, 1, 2), "c8")),
        "'conv/kernel:0' has complex64, not numbers",
    ),
    "references": (
        lambda file: file.create_dataset(KERNEL, (3, 3, 1, 2), h5py.ref_dtype),
        "'conv/kernel:0' has object, not numbers",
    ),
    "lists": (
        lambda file: file.create_dataset(KERNEL, (3, 3, 1, 2), h5py.vlen_dtype("f4")),
        "'conv/kernel:0' has object, not numbers",
    ),
}


@pytest.mark.parametrize("name", WRONG_WEIGHTS)
def test_weights_that_do_not_fit_are_refused_with_layer_and_shape(tmp_path: Path, name: str) -> None:
    make, words = WRONG_WEIGHTS[name]
    error = replaced(tmp_path / "m.h5", make)
    assert type(error) is WeightsError
    assert str(error).endswith(f"m.h5: layer 'conv': {words}")


@pytest.mark.parametrize("group", ["model_weights", "model_weights/conv"])
def test_a_layer_without_weights_is_refused(tmp_path: Path, group: str) -> None:
    error = changed(tmp_path / "m.h5", lambda file: file.pop(group))
    assert type(error) is WeightsError
    assert "layer 'conv': its kernel is not in the file" in str(error)


def test_numbers_of_other_kinds_and_compressed_ones_are_read(tmp_path: Path) -> None:
    with h5py.File(tiny_model(tmp_path / "m.h5"), "r+") as file:
        del file[KERNEL]
        file.create_dataset(KERNEL, data=np.ones((3, 3, 1, 2), np.int8), compression="gzip", chunks=True)
    operation = frontends.load(tmp_path / "m.h5").layer("conv").operation
    # a convolution
    assert operation.kernel.values.tolist() == np.ones((3, 3, 1, 2)).tolist()  # type: ignore[union-attr]


# --- data from elsewhere -------------------------------------------------------------------------------------------


def soft_cycle(file: h5py.Group) -> None:
    file[KERNEL] = h5py.SoftLink(f"/{KERNEL}")


def virtual(file: h5py.Group) -> None:
    layout = h5py.VirtualLayout((3, 3, 1, 2), "f4")
    layout[...] = h5py.VirtualSource("other.h5", "data", (3, 3, 1, 2))
    file.create_virtual_dataset(KERNEL, layout)


OUTSIDE: dict[str, tuple[Callable[[h5py.Group], object], str]] = {
    "external dataset": (
        lambda file: file.create_dataset(KERNEL, (3, 3, 1, 2), "u1", external=[("secret", 0, 18)]),
        "an external dataset",
    ),
    "virtual dataset": (virtual, "a virtual dataset"),
    "external link": (lambda file: file.__setitem__(KERNEL, h5py.ExternalLink("other.h5", "/x")), "a ExternalLink"),
    "soft link": (
        lambda file: file.__setitem__(KERNEL, h5py.SoftLink("/model_weights/logits/logits/kernel:0")),
        "a SoftLink",
    ),
    "soft link to itself": (soft_cycle, "a SoftLink"),
    "dangling soft link": (lambda file: file.__setitem__(KERNEL, h5py.SoftLink("/nowhere")), "a SoftLink"),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_data_from_outside_is_refused_wherever_it_points(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_bytes(SECRET)
    make, seen = OUTSIDE[name]
    error = replaced(tmp_path / "m.h5", make)
    assert type(error) is HostileFileError
    assert str(error).endswith(f"m.h5: /{KERNEL}: {seen} is refused, because it reads data from outside the file")


def test_data_from_outside_is_refused_where_no_layer_would_read_it(tmp_path: Path) -> None:
    error = changed(
        tmp_path / "m.h5", lambda file: file.__setitem__("unused/deep/link", h5py.ExternalLink("other.h5", "/x"))
    )
    assert "/unused/deep/link: a ExternalLink is refused" in str(error)


def test_groups_that_hold_each_other_end_the_search(tmp_path: Path) -> None:
    with h5py.File(tiny_model(tmp_path / "m.h5"), "r+") as file:
        file["model_weights/conv/again"] = file["model_weights"]
        file["itself"] = file["/"]
    assert frontends.load(tmp_path / "m.h5").outputs == ("logits",)


# --- sizes ---------------------------------------------------------------------------------------------------------


def test_a_dataset_that_claims_a_terabyte_is_refused_before_memory_is_used(tmp_path: Path) -> None:
    error = replaced(
        tmp_path / "m.h5", lambda file: file.create_dataset(KERNEL, (1 << 20, 1 << 20), "f4", chunks=(1 << 10, 1 << 10))
    )
    assert type(error) is TooLargeError
    assert f"/{KERNEL} is too large: {1 << 40} numbers (limit {1 << 26})" in str(error)
    assert (tmp_path / "m.h5").stat().st_size < 1 << 20


def test_many_datasets_that_are_large_together_are_refused(tmp_path: Path) -> None:
    def change(file: h5py.File) -> None:
        for number in range(3):
            file.create_dataset(f"big{number}", (1 << 25,), "f4", chunks=(1 << 10,))

    assert "numbers in all (limit" in str(changed(tmp_path / "m.h5", change))


def test_groups_inside_groups_without_end_are_refused(tmp_path: Path) -> None:
    error = changed(tmp_path / "m.h5", lambda file: file.create_group("/".join("d" * 80)))
    assert type(error) is TooLargeError
    assert "levels (limit" in str(error)


@pytest.mark.parametrize("shape", [(1 << 20, 1 << 20), (2048, 2049)])
def test_an_event_larger_than_any_fpga_computes_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    error = refused(sequential_file(tmp_path / "m.h5", entry("Flatten", "f"), shape=shape))
    assert type(error) is TooLargeError
    assert f"layer 'x' is too large: {shape[0] * shape[1]} values an event" in str(error)


def test_a_layer_that_blows_up_a_small_input_is_refused(tmp_path: Path) -> None:
    error = refused(
        sequential_file(tmp_path / "m.h5", entry("UpSampling2D", "up", size=[1 << 20, 1 << 20]), shape=(2, 2, 1))
    )
    assert f"layer 'up' is too large: {1 << 42} values an event" in str(error)


def test_more_axes_than_arrays_have_are_refused(tmp_path: Path) -> None:
    error = refused(sequential_file(tmp_path / "m.h5", entry("Flatten", "f"), shape=(1,) * 70))
    assert "layer 'x' is too large: 70 axes (limit 8)" in str(error)


# --- architecture text ---------------------------------------------------------------------------------------------

TEXTS = {
    "cut": ('{"class_name": "Sequential", ', "the architecture: it is not JSON"),
    "empty": ("", "the architecture: it is not JSON"),
    "a list": ("[]", "the architecture: it is not a JSON object"),
    "deep lists": ("[" * 100_000, "the architecture: it is not JSON"),
    "deep objects": ('{"a":' * 100_000, "the architecture: it is not JSON"),
    "a long number": ('{"a":' + "9" * 5000 + "}", "the architecture: it is not JSON"),
    "a subclass": ('{"class_name": "MyModel", "config": {}}', "model class 'MyModel' is not Sequential or Functional"),
    "no class": ("{}", "model class 'None' is not Sequential or Functional"),
    "no layers": ('{"class_name": "Sequential", "config": {"layers": []}}', "the architecture: it has 0 layers"),
    "layers of text": (
        '{"class_name": "Sequential", "config": {"layers": ["Dense"]}}',
        "the architecture: it has no list of layers",
    ),
    "no configuration": (
        '{"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense"}]}}',
        "a Dense: it has no configuration",
    ),
    "no name": (
        '{"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": {}}]}}',
        "a Dense: it has no name",
    ),
    "half a character": (
        '{"class_name":"Sequential","config":{"layers":[{"class_name":"Dense","config":{"name":"\\ud800"}}]}}',
        "a Dense: it has no name",
    ),
    "no ends": (
        (
            '{"class_name": "Functional", "config": {"layers": [{"class_name": "InputLayer", "config": {"name": "x",'
            ' "batch_shape": [null, 3]}}]}}'
        ),
        "not named",
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_an_architecture_that_keras_does_not_write_is_refused(tmp_path: Path, name: str) -> None:
    text, words = TEXTS[name]
    error = refused(write_h5(tmp_path / "m.h5", text))
    assert type(error) is BrokenArchitectureError
    assert words in str(error)


@pytest.mark.parametrize("name", TEXTS)
def test_an_architecture_file_is_held_to_the_same(tmp_path: Path, name: str) -> None:
    text, words = TEXTS[name]
    (tmp_path / "net.json").write_text(text)
    write_h5(tmp_path / "net.h5", None, tiny_layers())
    error = refused(tmp_path / "net.json")
    assert words in str(error) if text.startswith("{") else type(error) is NotAModelError


def test_too_many_layers_are_refused(tmp_path: Path) -> None:
    architecture = sequential(*[entry("Flatten", f"f{number}") for number in range(10_001)])
    assert "the architecture: it has 10001 layers" in str(
        refused(write_h5(tmp_path / "m.h5", json.dumps(architecture)))
    )


def test_a_huge_architecture_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    with (tmp_path / "net.json").open("wb") as file:
        file.write(b"{")
        file.truncate((1 << 26) + 10)
    write_h5(tmp_path / "net.h5", None, tiny_layers())
    error = refused(tmp_path / "net.json")
    assert type(error) is TooLargeError
    assert f"the architecture is too large: {(1 << 26) + 1} characters (limit {1 << 26})" in str(error)


# --- structure of the file -----------------------------------------------------------------------------------------

STRUCTURES: dict[str, tuple[Callable[[h5py.File], object], type[FpgacnnError]]] = {
    "weights are a dataset": (
        lambda file: (file.pop("model_weights"), file.create_dataset("model_weights", data=1.0)),
        BrokenFileError,
    ),
    "names are a number": (lambda file: file["model_weights/conv"].attrs.__setitem__("weight_names", 5), WeightsError),
    "names are nothing": (
        lambda file: file["model_weights/conv"].attrs.__setitem__("weight_names", h5py.Empty("f4")),
        WeightsError,
    ),
    "names are no text": (
        lambda file: file["model_weights/conv"].attrs.__setitem__("weight_names", np.array([b"\xff\xfe"])),
        WeightsError,
    ),
    "names go up": (
        lambda file: file["model_weights/conv"].attrs.__setitem__("weight_names", np.array([b"../../etc/passwd"])),
        WeightsError,
    ),
    "a name is empty": (
        lambda file: file["model_weights/conv"].attrs.__setitem__("weight_names", np.array([b""])),
        WeightsError,
    ),
    "architecture is a number": (lambda file: file.attrs.__setitem__("model_config", 5), NotAModelError),
    "architecture is no text": (
        lambda file: file.attrs.__setitem__("model_config", np.bytes_(b"\xff\xfe{")),
        BrokenArchitectureError,
    ),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_file_of_another_structure_is_refused(tmp_path: Path, name: str) -> None:
    change, kind = STRUCTURES[name]
    assert type(changed(tmp_path / "m.h5", change)) is kind


@pytest.mark.parametrize(
    "name", ['x"; system("id") //', "a\nb", "#include <x>", "../../etc", ".", "/", "perm", "\u202e"], ids=ascii
)
def test_a_hostile_name_becomes_a_safe_identifier(tmp_path: Path, name: str) -> None:
    quantizer = "quantized_relu(4,2)"
    layers = (
        input_layer("x", 3),
        entry("QActivation", name, "x", activation=quantizer),
        entry("QActivation", "last", name, activation=quantizer),
    )
    network = frontends.load(write_h5(tmp_path / "m.h5", functional(*layers, inputs=["x"], outputs=["last"])))
    model = quantize(network, inputs=[Format(width=8, integer=4)])
    assert [layer.name for layer in network.layers] == ["x", name, "last"]
    assert all(layer.name.isidentifier() and layer.name.isascii() for layer in model.layers)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x01",
        b"\xff" * 8,
        b"\x02\x00\x00\x00\x00\x00\x00\x00{}",
        b"\x02\x00\x00\x00\x00\x00\x00\x00[]",
        b"\x10\x00\x00\x00\x00\x00\x00\x00" + b"[" * 16,
    ],
    ids=ascii,
)
def test_an_answer_of_a_reader_that_a_file_has_taken_over_is_not_trusted(tmp_path: Path, answer: bytes) -> None:
    with pytest.raises(BrokenFileError, match="its content is not valid"):
        hdf5._understood(tmp_path / "m.h5", bytearray(answer))
