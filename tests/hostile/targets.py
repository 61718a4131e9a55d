"""The readers under attack: a good file each, seeded damage to it, and all that the product does with what it reads.

Whatever happens is an FpgacnnError that tells the user about the input (exit status 2), or nothing.
"""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from rich.console import Console

from fpgacnn import frontends, store, synthesis
from fpgacnn.arrays import events_for, packed
from fpgacnn.design import Design, Target
from fpgacnn.errors import FpgacnnError, InternalError
from fpgacnn.flow.inputs import choose_formats
from fpgacnn.flow.projects import open_project
from fpgacnn.flow.record import plain
from fpgacnn.flow.stimulus import own_events
from fpgacnn.golden import Golden, answer_digests, fingerprint
from fpgacnn.golden import read as read_golden
from fpgacnn.golden import write as write_golden
from fpgacnn.hls.backend import ports
from fpgacnn.ir.source import SourceModel
from fpgacnn.numeric.fixed import Codes, quantize_values
from fpgacnn.precision import plan, refine
from fpgacnn.project import RECORD, files_digest, write_files
from fpgacnn.quantization import quantize
from fpgacnn.reporting.synthesis import synthesis_report
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.framework import evaluate
from tests import files
from tests.hostile import mutations, protobuf
from tests.unit.synthesis.test_folders import whole


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A reader: `make` writes a damaged input below a folder, `use` reads it and goes on with it."""

    name: str
    make: Callable[[Path, random.Random], Path]
    use: Callable[[Path], object]


def finding(use: Callable[[Path], object], path: Path) -> str:
    """What is wrong with how an input was taken; empty where it was read, or refused as it should be."""
    try:
        use(path)
    except InternalError as error:
        return f"internal error: {error}"
    except FpgacnnError as error:
        line = str(error)
        if error.exit_status != 2:
            return f"exit status {error.exit_status}: {line}"
        return "" if line.isprintable() and error.hint else f"not one line with a hint: {line!r}"
    except Exception as error:  # noqa: BLE001  # whatever is not ours is what we look for
        return f"{type(error).__name__}: {error}"
    return ""


# --- networks ------------------------------------------------------------------------------------------------------


def networks() -> list[tuple[dict[str, Any], tuple[files.Entry, ...]]]:
    """Architectures with many kinds of layers, and their weights."""
    quantizers = {"kernel_quantizer": files.quantized_bits(), "bias_quantizer": files.quantized_bits()}
    wide = (
        files.input_layer("x", 6, 6, 2),
        files.entry("QConv2D", "conv", "x", filters=4, kernel_size=[3, 3], padding="same", strides=[2, 2], weights=files.linear(3, 3, 2, 4), **quantizers),
        files.entry("QActivation", "relu", "conv", activation="quantized_relu(4,2)"),
        files.entry("BatchNormalization", "bn", "relu", axis=[3], epsilon=0.001, weights=files.normalization(4)),
        files.entry("DepthwiseConv2D", "depth", "bn", kernel_size=[2, 2], weights={"depthwise_kernel": files.values(2, 2, 4, 1), "bias": files.values(4)}),
        files.entry("MaxPooling2D", "pool", "relu", pool_size=[2, 2], strides=[1, 1], padding="valid"),
        files.entry("Add", "add", "depth", "pool"),
        files.entry("Concatenate", "join", "add", "pool", axis=-1),
        files.entry("ZeroPadding2D", "pad", "join", padding=[[1, 0], [0, 1]]),
        files.entry("Flatten", "flatten", "pad"),
        files.entry("QDense", "dense", "flatten", units=3, activation="quantized_tanh(5)", weights=files.linear(72, 3), **quantizers),
        files.entry("Activation", "act", "dense", activation="softmax"),
    )
    return [
        (files.sequential(*files.tiny_layers(), shape=(4, 4, 1)), files.tiny_layers()),
        (files.functional(*wide, inputs=["x"], outputs=["act"]), wide),
    ]


def convert(path: Path, weights: Path | None = None) -> Design:
    """The main job but for hls4ml: read, quantize, plan, lower, compute."""
    network = frontends.load(path, weights)
    choices = choose_formats(network, None, None)
    model = refine(quantize(network, inputs=[choice.format for choice in choices]))
    design = Design(model=model, plan=plan(model), target=Target())
    ports(design)
    events = own_events(network, choices).first(2)
    codes = [Codes(array=quantize_values(values, choice.format), format=choice.format) for choice, values in zip(choices, events.values, strict=True)]
    ReferenceEmulator(design).run(codes, trace=True)
    evaluate(network, events.values, quantized=True)
    return design


@cache
def _hdf5(number: int) -> bytes:
    architecture, layers = networks()[number]
    content = io.BytesIO()
    files.write_h5(content, architecture, layers)  # type: ignore[arg-type]  # h5py writes to any binary file
    return content.getvalue()


def hdf5_bytes(folder: Path, chance: random.Random) -> Path:
    path = folder / "model.h5"
    path.write_bytes(mutations.damaged(_hdf5(chance.randrange(2)), chance))
    return path


def hdf5_structure(folder: Path, chance: random.Random) -> Path:
    """A damaged architecture with good weights, or good ones with weights that were taken, turned or replaced."""
    path = folder / "model.h5"
    architecture, layers = chance.choice(networks())
    if chance.random() < 0.7:
        return files.write_h5(path, mutations.text(mutations.mutated(architecture, chance)), layers)
    files.write_h5(path, architecture, layers)
    with h5py.File(path, "r+") as file:
        found: list[str] = []
        file.visit(found.append)
        name = chance.choice(found)
        match chance.randrange(6):
            case 0:
                del file[name]
            case 1:
                file.move(name, f"{name}_")
            case 2:
                file[f"model_weights/{chance.choice('abc')}"] = h5py.SoftLink(f"/{name}")
            case 3:
                file[name].attrs["weight_names"] = chance.choice([5, "x", np.array([b"x", b"../y"]), np.zeros(3), h5py.Empty("f4")])
            case 4:
                del file[name]
                file[name] = chance.choice([np.zeros(3), np.full((3, 3, 1, 2), np.nan), np.array(b"x"), np.zeros((0, 3)), 1.5])
            case _:
                file.attrs["model_config"] = chance.choice([5, b"\xff\xfe", np.zeros(3), "", "{", "[]"])
    return path


def architecture_json(folder: Path, chance: random.Random) -> Path:
    """A damaged architecture JSON beside good weights."""
    architecture, layers = chance.choice(networks())
    files.write_h5(folder / "model.weights.h5", None, layers)
    path = folder / "model.json"
    content = mutations.text(mutations.mutated(architecture, chance))
    path.write_bytes(mutations.damaged(content.encode(), chance) if chance.random() < 0.2 else content.encode())
    return path


def _positional() -> bytes:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for place, arrays in {"q_conv2d": files.linear(3, 3, 1, 2), "q_dense": files.linear(8, 3)}.items():
            for number, array in enumerate(arrays.values()):
                file[f"layers/{place}/vars/{number}"] = array
    return content.getvalue()


def keras_archive(folder: Path, chance: random.Random) -> Path:
    path = folder / "model.keras"
    architecture = networks()[0][0]
    members = {"config.json": mutations.text(architecture).encode(), "metadata.json": b'{"keras_version": "2.15.0"}', "model.weights.h5": _positional()}
    kind = chance.randrange(4)
    if kind == 0:
        members["config.json"] = mutations.text(mutations.mutated(architecture, chance)).encode()
    elif kind == 1:
        name = chance.choice(list(members))
        members[name] = mutations.damaged(members[name], chance)
    mutations.repacked(path, members, chance)
    if kind == 2:
        path.write_bytes(mutations.damaged(path.read_bytes(), chance))
    return path


def onnx(folder: Path, chance: random.Random) -> Path:
    """An ONNX file whose messages were changed, or its bytes."""
    path = folder / "model.onnx"
    tree = protobuf.model()
    bytewise = chance.random() < 0.4
    path.write_bytes(mutations.damaged(protobuf.encoded(tree), chance) if bytewise else protobuf.encoded(mutations.mutated(tree, chance)))
    return path


# --- arrays --------------------------------------------------------------------------------------------------------

_SHAPES = {"x": (4, 4, 1)}


def npz(folder: Path, chance: random.Random) -> Path:
    arrays: Mapping[str, Any] = {"input_0": files.values(5, 4, 4, 1), "labels": np.arange(5)}
    content = packed(arrays)
    path = folder / "events.npz"
    if chance.random() < 0.5:
        path.write_bytes(mutations.damaged(content, chance))
        return path
    members = {name: zipfile.ZipFile(io.BytesIO(content)).read(name) for name in ("input_0.npy", "labels.npy")}
    name = chance.choice(list(members))
    members[name] = _damaged_npy(members[name], chance)
    return mutations.repacked(path, members, chance)


def npy(folder: Path, chance: random.Random) -> Path:
    buffer = io.BytesIO()
    np.save(buffer, files.values(5, 4, 4, 1))
    path = folder / "events.npy"
    path.write_bytes(_damaged_npy(buffer.getvalue(), chance))
    return path


def _damaged_npy(content: bytes, chance: random.Random) -> bytes:
    """Damaged mostly in the header, which decides how the rest is read."""
    end = content.index(b"\n") + 1
    head, body = content[:end], content[end:]
    match chance.randrange(4):
        case 0:
            return mutations.damaged(head, chance) + body
        case 1:
            return (
                head.replace(b"(5, 4, 4, 1)", chance.choice([b"(5,4,4,-1)", b"(5, 2**9) ", b"[5, 4, 4, 1]", b"(99, 4,4,1)", b"5          ", b"((5,4),4,1)"]))
                + body
            )
        case 2:
            return head.replace(b"<f4", chance.choice([b"<f8", b"|O ", b"<c8", b">f4", b"|V4", b"<U1", b"<M8", b"|S4"])) + body
        case _:
            return mutations.damaged(content, chance)


# --- folders -------------------------------------------------------------------------------------------------------


@cache
def _project(number: int) -> tuple[Mapping[str, bytes], SourceModel, Design]:
    """The files of a project folder, without hls4ml's."""
    from tempfile import TemporaryDirectory

    architecture, layers = networks()[number]
    with TemporaryDirectory() as folder:
        path = files.write_h5(Path(folder) / "model.h5", architecture, layers)
        network, design = frontends.load(path), convert(path)
    content = {**store.dump(design, network), "firmware/myproject.cpp": b"int main() {}\n"}
    return {**content, RECORD: json.dumps({"project": {"digest": files_digest(content)}}).encode()}, network, design


def project_files(number: int) -> Mapping[str, bytes]:
    """A whole project folder, by relative path."""
    return _project(number)[0]


def project(folder: Path, chance: random.Random) -> Path:
    """A project folder whose design was changed."""
    content = dict(_project(chance.randrange(2))[0])
    tree = json.loads(content[store.TREE])
    match chance.randrange(8):
        case 0:
            content[store.TREE] = mutations.damaged(content[store.TREE], chance)
        case 1:
            content[store.ARRAYS] = mutations.damaged(content[store.ARRAYS], chance)
        case 2:
            content[RECORD] = mutations.text(mutations.mutated(json.loads(content[RECORD]), chance)).encode()
        case 3:
            arrays = dict(read_arrays_of(content[store.ARRAYS]))
            name = chance.choice(list(arrays))
            other = arrays[chance.choice(list(arrays))]
            arrays[name] = chance.choice([other, arrays[name] + 1, arrays[name] * 2**20, arrays[name].T, arrays[name].ravel(), -arrays[name], arrays[name][:1]])
            content[store.ARRAYS] = packed(arrays)
        case _:
            content[store.TREE] = mutations.text(mutations.mutated(tree, chance)).encode()
    write_files(folder / "project", content)
    return folder / "project"


def read_arrays_of(content: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(content)) as found:
        return {name: found[name] for name in found.files}


def use_project(path: Path) -> None:
    opened = open_project(path)
    choices = [operation.format for _, operation in opened.design.model.input_layers]
    shapes = [layer.shape for layer, _ in opened.design.model.input_layers]
    chance = np.random.default_rng(5)
    codes = [
        Codes(array=chance.integers(form.low, form.high, size=(3, *shape), endpoint=True), format=form) for form, shape in zip(choices, shapes, strict=True)
    ]
    with np.errstate(all="ignore"):
        ReferenceEmulator(opened.design).run(codes, trace=True)
        evaluate(opened.network, [one.values for one in codes], quantized=True)
        evaluate(opened.network, [one.values for one in codes], quantized=False)
    fingerprint(opened.network, opened.design, opened.files)


@cache
def _golden() -> Golden:
    content, network, design = _project(0)
    codes = [Codes(array=np.zeros((3, 4, 4, 1), np.int64), format=operation.format) for _, operation in design.model.input_layers]
    answers = ReferenceEmulator(design).run(codes, trace=True)
    return Golden(
        fingerprint=fingerprint(network, design, content),
        inputs=tuple(one.values for one in codes),
        outputs={name: one.array for name, one in answers.outputs.items()},
        trace={layer.name: answer_digests(answers.trace[layer.name]) for layer in design.model.layers},
        origin="x",
        tools={},
    )


def golden(folder: Path, chance: random.Random) -> Path:
    path = folder / "project.golden"
    write_golden(path, _golden())
    name = chance.choice(["golden.json", "golden.json", "vectors.npz"])
    content = (path / name).read_bytes()
    tree = chance.random() < 0.7 and name == "golden.json"
    (path / name).write_bytes(mutations.text(mutations.mutated(json.loads(content), chance)).encode() if tree else mutations.damaged(content, chance))
    return path


def reports(folder: Path, chance: random.Random) -> Path:
    """What the vendor's tools leave, some files of it damaged."""
    content = {name: text.encode() for name, text in whole().items()}
    for name in chance.sample(sorted(content), chance.randrange(1, 5)):
        content[name] = mutations.damaged(content[name], chance)
    write_files(folder / "project", content)
    return folder / "project"


def use_reports(path: Path) -> None:
    report = synthesis.read(path)
    json.dumps(plain(report))
    console = Console(file=io.StringIO(), width=200)
    for part in synthesis_report(report):
        console.print(part)


TARGETS = {
    one.name: one
    for one in (
        Reader(name="hdf5-bytes", make=hdf5_bytes, use=convert),
        Reader(name="hdf5-structure", make=hdf5_structure, use=convert),
        Reader(name="json", make=architecture_json, use=convert),
        Reader(name="keras", make=keras_archive, use=convert),
        Reader(name="onnx", make=onnx, use=convert),
        Reader(name="npz", make=npz, use=lambda path: events_for(path, _SHAPES)),
        Reader(name="npy", make=npy, use=lambda path: events_for(path, _SHAPES)),
        Reader(name="project", make=project, use=use_project),
        Reader(name="reports", make=reports, use=use_reports),
        Reader(name="golden", make=golden, use=lambda path: read_golden(path, path)),
    )
}
