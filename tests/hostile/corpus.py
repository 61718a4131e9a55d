"""Bad inputs by name, from untrusted files to wrong arguments, and the error codes that are allowed for each."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.hostile import graphs, protobuf
from tests.support.files import (
    entry,
    functional,
    input_layer,
    linear,
    quantized_bits,
    sequential,
    tiny_layers,
    tiny_model,
    write_h5,
)

HUGE = 1 << 40
NAMES = {
    "quotes": "a\"b'c`d",
    "code": '"; system("id"); //',
    "newlines": "a\nerror[FC000] b\r\nc",
    "escapes": "\x1b[31mred\x1b]0;owned\x07",
    "path": "../../../etc/passwd",
    "markup": "[/red][link=x]<script>alert(1)</script>",
    "unicode": "ϑ\u202e\u2028\U0001f600",
    "surrogate": "\udc80",
    "nothing": "",
    "nul": "a\x00b",
    "10 kB": "n" * 10_000,
    "format": "{0.__class__}%s%n$(id)",
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """`make` writes an input below a folder and gives the command that takes it.

    `codes` are the errors it may end with.
    """

    name: str
    make: Callable[[Path], list[str]]
    codes: frozenset[str]


CASES: dict[str, Case] = {}


def case(name: str, make: Callable[[Path], list[str]], *codes: str) -> None:
    assert name not in CASES, name
    CASES[name] = Case(name=name, make=make, codes=frozenset(codes))


def convert(path: Path, *more: str) -> list[str]:
    return ["convert", path.name, "-o", "new/out", "--no-csim", *more]


# --- files that are no models --------------------------------------------------------------------------------------


class Trap:
    """Makes a folder where somebody opens its pickle."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("owned",))


def npy(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def archive(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


FOREIGN = {
    "empty": b"",
    "a line": b"hello\n",
    "a pointer of git lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "a web page": b"<!DOCTYPE html><html><script>alert(1)</script>",
    "a pickle": pickle.dumps(Trap()),
    "an old pickle": pickle.dumps(Trap(), protocol=0),
    "yaml with an object": b"!!python/object/apply:os.mkdir [owned]\n",
    "python": b"import os; os.mkdir('owned')\n",
    "machine code": b"\x7fELF\x02\x01\x01" + bytes(64),
    "zeros": bytes(4096),
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "gzip": gzip.compress(b"x"),
    "onnx, perhaps": b"\x08\x07\x12\x07pytorch" + b"\xff" * 50,
    "an array": npy(np.zeros(3)),
    "a zip archive": archive({"x.txt": b"x"}),
    "a zip archive with paths": archive({"../../escape": b"x", "/etc/escape": b"x"}),
    "arrays": archive({"input_0.npy": npy(np.zeros(3))}),
    "a json list": b"[1, 2]",
    "a json text": b'"x"',
    "the head of hdf5": b"\x89HDF\r\n\x1a\n",
    "the head of hdf5 and noise": b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 8,
    "hdf5 behind a block": bytes(512) + b"\x89HDF\r\n\x1a\n" + bytes(100),
    "the head of zip": b"PK\x03\x04" + bytes(100),
    "an open brace": b"{",
    "braces without end": b'{"a":' * 60_000,
    "an empty object": b"{}",
}


def written(name: str, content: bytes) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        (folder / name).write_bytes(content)
        return convert(folder / name)

    return make


for word, content in FOREIGN.items():
    case(f"no model: {word}", written("m.h5", content), "FC010", "FC011", "FC012", "FC015", "FC019")


def a_folder(folder: Path) -> list[str]:
    (folder / "m.h5").mkdir()
    return convert(folder / "m.h5")


def a_pipe(folder: Path) -> list[str]:
    os.mkfifo(folder / "m.h5")
    return convert(folder / "m.h5")


def a_loop(folder: Path) -> list[str]:
    (folder / "m.h5").symlink_to("m.h5")
    return convert(folder / "m.h5")


case("no model: a folder", a_folder, "FC011")
case("no model: a pipe", a_pipe, "FC011")
case("no model: a link to itself", a_loop, "FC010")
case("no model: nothing", lambda folder: convert(folder / "m.h5"), "FC010")
case("no model: a device", lambda _: ["convert", "/dev/zero", "-o", "new/out"], "FC011")
case("no model: a long name", lambda _: ["convert", "n" * 5000, "-o", "new/out"], "FC010")

# --- hdf5 ----------------------------------------------------------------------------------------------------------

KERNEL = "model_weights/conv/conv/kernel:0"


def changed(change: Callable[[h5py.File], object]) -> Callable[[Path], list[str]]:
    """The tiny model after a change of its file."""

    def make(folder: Path) -> list[str]:
        with h5py.File(tiny_model(folder / "m.h5"), "r+") as file:
            change(file)
        return convert(folder / "m.h5")

    return make


def kernel(make: Callable[[h5py.Group, str], object]) -> Callable[[Path], list[str]]:
    """The tiny model with a kernel that was made in another way."""

    def change(file: h5py.File) -> None:
        del file[KERNEL]
        make(file, KERNEL)

    return changed(change)


def cut(part: float) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        whole = tiny_model(folder / "m.h5").read_bytes()
        (folder / "m.h5").write_bytes(whole[: int(len(whole) * part)])
        return convert(folder / "m.h5")

    return make


for number in range(1, 16):
    case(f"hdf5: {number} of 16 parts", cut(number / 16), "FC012")


def external_dataset(file: h5py.Group, name: str) -> None:
    file.create_dataset(name, (3, 3, 1, 2), "f4", external=[("/etc/passwd", 0, 72)])


def virtual_dataset(file: h5py.Group, name: str) -> None:
    layout = h5py.VirtualLayout((3, 3, 1, 2), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (3, 3, 1, 2))
    file.create_virtual_dataset(name, layout)


def endless(shape: tuple[int, ...], **options: Any) -> Callable[[h5py.Group, str], object]:
    return lambda file, name: file.create_dataset(name, shape, "f4", chunks=(1,) * len(shape), **options)


def deep(file: h5py.File) -> None:
    group = file
    for _ in range(80):
        group = group.create_group("g")


def cycle(file: h5py.File) -> None:
    file["model_weights/conv/loop"] = file["model_weights"]
    del file[KERNEL]


HDF5: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    "an external link": (
        kernel(lambda file, name: file.__setitem__(name, h5py.ExternalLink("/etc/passwd", "/x"))),
        "FC013",
    ),
    "a soft link": (kernel(lambda file, name: file.__setitem__(name, h5py.SoftLink("/model_weights"))), "FC013"),
    "a soft link to itself": (kernel(lambda file, name: file.__setitem__(name, h5py.SoftLink(f"/{name}"))), "FC013"),
    "an external dataset": (kernel(external_dataset), "FC013"),
    "a virtual dataset": (kernel(virtual_dataset), "FC013"),
    "a link somewhere else": (changed(lambda file: file.__setitem__("x", h5py.ExternalLink("y.h5", "/"))), "FC013"),
    "a cycle": (changed(cycle), "FC016"),
    "groups without end": (changed(deep), "FC014"),
    "2^40 numbers": (kernel(endless((HUGE,))), "FC014"),
    "2^40 by axes": (kernel(endless((1 << 20, 1 << 20))), "FC014"),
    "2^27 numbers, packed": (
        kernel(lambda file, name: file.create_dataset(name, (1 << 27,), "i1", chunks=(1 << 20,), compression="gzip")),
        "FC014",
    ),
    "a weight more than fits": (changed(lambda file: file.create_dataset("more", (HUGE,), "f4", chunks=(1,))), "FC014"),
    "no kernel": (kernel(lambda *_: None), "FC016"),
    "a kernel that is a group": (kernel(lambda file, name: file.create_group(name)), "FC016"),
    "a kernel of nothing": (kernel(lambda file, name: file.create_dataset(name, data=h5py.Empty("f4"))), "FC016"),
    "a kernel of text": (
        kernel(lambda file, name: file.create_dataset(name, data=np.full((3, 3, 1, 2), b"x"))),
        "FC016",
    ),
    "a kernel of lists": (
        kernel(lambda file, name: file.create_dataset(name, (3, 3, 1, 2), h5py.vlen_dtype("f4"))),
        "FC016",
    ),
    "a kernel of references": (
        kernel(lambda file, name: file.create_dataset(name, (3, 3, 1, 2), h5py.ref_dtype)),
        "FC016",
    ),
    "a kernel of records": (
        kernel(lambda file, name: file.create_dataset(name, (3, 3, 1, 2), np.dtype("f4,f4"))),
        "FC016",
    ),
    "a complex kernel": (
        kernel(lambda file, name: file.create_dataset(name, data=np.zeros((3, 3, 1, 2), "c8"))),
        "FC016",
    ),
    "a kernel of no numbers": (kernel(lambda file, name: file.create_dataset(name, (0, 3, 1, 2), "f4")), "FC016"),
    "a kernel of more axes": (
        kernel(lambda file, name: file.create_dataset(name, data=np.zeros((1, 3, 3, 1, 2)))),
        "FC016",
    ),
    "a transposed kernel": (kernel(lambda file, name: file.create_dataset(name, data=np.zeros((2, 1, 3, 3)))), "FC016"),
    "NaN": (changed(lambda file: file[KERNEL].__setitem__((0, 0, 0, 0), np.nan)), "FC017"),
    "infinity": (changed(lambda file: file[KERNEL].__setitem__(..., np.inf)), "FC017"),
    "beyond float32": (
        kernel(lambda file, name: file.create_dataset(name, data=np.full((3, 3, 1, 2), 1e300))),
        "FC017",
    ),
    "no architecture": (changed(lambda file: file.attrs.__delitem__("model_config")), "FC011"),
    "an architecture of numbers": (changed(lambda file: file.attrs.__setitem__("model_config", np.zeros(3))), "FC011"),
    "an architecture that is no text": (
        changed(lambda file: file.attrs.__setitem__("model_config", np.bytes_(b"\xff\xfe{"))),
        "FC015",
    ),
    "weights that are a number": (
        changed(lambda file: (file.pop("model_weights"), file.create_dataset("model_weights", data=1.0))),
        "FC012",
    ),
    "weight names that go up": (
        changed(
            lambda file: file["model_weights/conv"].attrs.__setitem__("weight_names", np.array([b"../../etc/passwd"]))
        ),
        "FC016",
    ),
    "weight names that are numbers": (
        changed(lambda file: file["model_weights/conv"].attrs.__setitem__("weight_names", np.arange(3))),
        "FC016",
    ),
    "no weight names": (changed(lambda file: file["model_weights/conv"].attrs.__delitem__("weight_names")), "FC016"),
}
for word, (make, code) in HDF5.items():
    case(f"hdf5: {word}", make, code)

# --- architectures -------------------------------------------------------------------------------------------------

ARCHITECTURE = frozenset(
    {"FC014", "FC015", "FC016", "FC020", "FC021", "FC022", "FC023", "FC024", "FC025", "FC030", "FC031", "FC032"}
)


def architecture(tree: Any) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        return convert(write_h5(folder / "m.h5", tree, tiny_layers()))

    return make


def tiny(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], list[str]]:
    tree = json.loads(json.dumps(sequential(*tiny_layers(), shape=(4, 4, 1))))
    change(tree)
    return architecture(tree)


def option(layer: int, key: str, value: Any) -> Callable[[Path], list[str]]:
    return tiny(lambda tree: tree["config"]["layers"][layer]["config"].__setitem__(key, value))


TREES: dict[str, Any] = {
    "no json": '{"class_name": ',
    "json with a tail": "{}{}",
    "single quotes": "{'a': 1}",
    "a list": "[]",
    "null": "null",
    "a number": "7",
    "a number of 10,000 digits": "9" * 10_000,
    "100,000 brackets": "[" * 100_000,
    "100,000 braces": '{"config":' * 100_000,
    "an empty object": {},
    "a class that is a number": {"class_name": 5, "config": {}},
    "a class that is code": {"class_name": "__import__('os').mkdir('owned')", "config": {"layers": []}},
    "a subclassed model": {"class_name": "MyModel", "config": {"layers": []}},
    "a configuration that is null": {"class_name": "Sequential", "config": None},
    "no layers": {"class_name": "Sequential", "config": {"layers": []}},
    "layers by name": {"class_name": "Sequential", "config": {"layers": {"a": {}}}},
    "layers that are numbers": {"class_name": "Sequential", "config": {"layers": [1, 2]}},
    "a layer that is null": {"class_name": "Sequential", "config": {"layers": [None]}},
    "10,001 layers": {
        "class_name": "Sequential",
        "config": {"layers": [{"class_name": "Flatten", "config": {"name": str(n)}} for n in range(10_001)]},
    },
    "an input alone, twice": sequential(input_layer("x", 4), input_layer("y", 4)),
    "no input shape": sequential(*tiny_layers()),
    "an unknown input shape": sequential(*tiny_layers(), shape=(None, 4, 1)),
    "two layers of one name": sequential(entry("Flatten", "a"), entry("Flatten", "a"), shape=(4, 4, 1)),
    "a functional model without ends": {
        "class_name": "Functional",
        "config": {"layers": [], "input_layers": [], "output_layers": []},
    },
    "an unknown layer is read": functional(
        input_layer("x", 4), entry("Flatten", "a", "nobody"), inputs=["x"], outputs=["a"]
    ),
    "a layer reads itself": functional(input_layer("x", 4), entry("Flatten", "a", "a"), inputs=["x"], outputs=["a"]),
    "two layers read each other": functional(
        input_layer("x", 4), entry("Flatten", "a", "b"), entry("Flatten", "b", "a"), inputs=["x"], outputs=["a"]
    ),
    "an output that is no layer": functional(
        input_layer("x", 4), entry("Flatten", "a", "x"), inputs=["x"], outputs=["z"]
    ),
    "an input that is no layer": functional(
        input_layer("x", 4), entry("Flatten", "a", "x"), inputs=["y"], outputs=["a"]
    ),
    "shapes that cannot be added": functional(
        input_layer("x", 4), input_layer("y", 5), entry("Add", "a", "x", "y"), inputs=["x", "y"], outputs=["a"]
    ),
    "an addition of one": functional(input_layer("x", 4), entry("Add", "a", "x"), inputs=["x"], outputs=["a"]),
    "models inside models without end": json.loads(
        '{"class_name":"Sequential","config":{"name":"m","layers":[' * 40
        + '{"class_name":"Flatten","config":{"name":"f"}}'
        + "]}}" * 40
    ),
}
for word, tree in TREES.items():
    case(f"architecture: {word}", architecture(tree), *ARCHITECTURE)

for word in (
    "Lambda",
    "TFOpLambda",
    "SlicingOpLambda",
    "RandomFourierFeatures",
    "LSTM",
    "os.system",
    "builtins>exec",
    "",
    "Conv2D\n",
):
    case(
        f"class: {word!r}",
        architecture(
            sequential(
                entry(word, "evil", function=["4wEAAAAAAAAA", None, None], module="os", function_type="lambda"),
                shape=(4,),
            )
        ),
        "FC015",
        "FC020",
        "FC023",
    )
for word in (None, 5, [], {}, True):
    case(
        f"class: {word!r}",
        tiny(lambda tree, word=word: tree["config"]["layers"][1].__setitem__("class_name", word)),
        *ARCHITECTURE,
    )
for word, name in NAMES.items():
    case(
        f"name of a refused layer: {word}",
        architecture(sequential(entry("LSTM", name), shape=(4, 1))),
        "FC015",
        "FC020",
    )
for value in (None, 5, [], {"a": 1}):
    case(f"name: {value!r}", option(1, "name", value), "FC015")

OPTIONS: dict[str, tuple[int, list[Any]]] = {
    "filters": (1, [0, -1, HUGE, "x", 1.5, [], True, 1e300, float("nan")]),
    "kernel_size": (1, [0, [0, 0], [3, 3, 3], [3, -3], [HUGE, HUGE], "x", [[3], [3]], [5, 5], {"a": 3}]),
    "strides": (1, [[0, 0], [-1, 1], [1, HUGE + 1], "x", [1.5, 1]]),
    "padding": (1, ["x", 5, ["valid"], "../x"]),
    "data_format": (1, ["channels_first", "x", 5]),
    "dilation_rate": (1, [[0, 0], [9, 9], "x"]),
    "groups": (1, [0, 3, -1, "x"]),
    "use_bias": (1, ["x", 5, []]),
    "activation": (
        1,
        ["x", "quantized_relu(", "__import__('os').mkdir('owned')", 5, ["relu"], {"class_name": "x"}, "os.system"],
    ),
    "kernel_quantizer": (
        1,
        [
            "x",
            5,
            [1],
            {},
            {"class_name": "x", "config": {}},
            {"class_name": ["a"], "config": {}},
            "quantized_bits(2**9999)",
        ],
    ),
    "bias_quantizer": (
        1,
        [
            quantized_bits(0),
            quantized_bits(-3),
            quantized_bits(HUGE),
            quantized_bits(4, HUGE),
            quantized_bits("x"),
            quantized_bits(1.5),
        ],
    ),
    "batch_input_shape": (
        0,
        [
            [],
            [None],
            [None, 0, 4, 1],
            [None, -4, 4, 1],
            [None, HUGE, HUGE, 1],
            "x",
            5,
            {"a": 1},
            [None, 4, 4],
            [None] + [2] * 9,
        ],
    ),
    "units": (4, [0, -1, HUGE, "3", None, [3], 4]),
}
for key, (layer, values) in OPTIONS.items():
    for number, value in enumerate(values):
        case(f"option: {key} {number}", option(layer, key, value), *ARCHITECTURE)
for number, text in enumerate(
    [
        "quantized_relu(0)",
        "quantized_relu(4,2",
        "quantized_relu(-1,2)",
        "quantized_bits(4,0,alpha='evil')",
        "5",
        "quantized_relu(1e99,2)",
    ]
):
    case(f"option: quantizer as text {number}", option(2, "activation", text), *ARCHITECTURE)

# --- archives ------------------------------------------------------------------------------------------------------


def weights() -> bytes:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for place, arrays in {"q_conv2d": linear(3, 3, 1, 2), "q_dense": linear(8, 3)}.items():
            for number, array in enumerate(arrays.values()):
                file[f"layers/{place}/vars/{number}"] = array
    return content.getvalue()


def keras(**members: bytes) -> bytes:
    """A good `.keras` archive but for the given members; an empty one is left out."""
    config = json.dumps(sequential(*tiny_layers(), shape=(4, 4, 1))).encode()
    whole = {"config": config, "metadata": b'{"keras_version": "2.15.0"}', "weights": weights(), **members}
    names = {"config": "config.json", "metadata": "metadata.json", "weights": "model.weights.h5"}
    return archive({names[name]: content for name, content in whole.items() if content})


def promised(content: bytes, size: int) -> bytes:
    """An archive whose directory promises other sizes."""
    changed, at = bytearray(content), content.index(b"PK\x01\x02")
    while at >= 0:
        changed[at + 24 : at + 28] = struct.pack("<I", size)
        at = content.find(b"PK\x01\x02", at + 4)
    return bytes(changed)


def flagged(content: bytes) -> bytes:
    """An archive that says it is encrypted."""
    changed, at = bytearray(content), content.index(b"PK\x01\x02")
    while at >= 0:
        changed[at + 8] |= 1
        at = content.find(b"PK\x01\x02", at + 4)
    return bytes(changed)


ARCHIVES: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "no architecture": (keras(config=b""), ("FC011",)),
    "no weights": (keras(weights=b""), ("FC011",)),
    "an architecture that is no json": (keras(config=b"\xff\xfe"), ("FC015",)),
    "an architecture that is a list": (keras(config=b"[]"), ("FC015",)),
    "deep json": (keras(config=b"[" * 200_000), ("FC015",)),
    "metadata that are no json": (keras(metadata=b"{"), ("FC015",)),
    "weights that are text": (keras(weights=b"hello"), ("FC012",)),
    "weights cut short": (keras(weights=weights()[:3000]), ("FC012",)),
    "weights that are an archive": (keras(weights=keras()), ("FC012",)),
    "a bomb": (keras(config=b" " * (80 << 20)), ("FC014", "FC015")),
    "more promised than fits": (promised(keras(), 0xFFFFFFF0), ("FC014",)),
    "less promised than there is": (promised(keras(), 5), ("FC012", "FC015")),
    "encrypted": (flagged(keras()), ("FC012",)),
}
for word, (content, codes) in ARCHIVES.items():
    case(f"keras: {word}", written("m.keras", content), *codes)
for number in range(1, 9):
    case(f"keras: {number} of 9 parts", written("m.keras", keras()[: len(keras()) * number // 9]), "FC011", "FC012")


def beside(companion: bytes | None, text: str | None = None) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        (folder / "m.json").write_text(text or json.dumps(sequential(*tiny_layers(), shape=(4, 4, 1))))
        if companion is not None:
            (folder / "m.weights.h5").write_bytes(companion)
        return convert(folder / "m.json")

    return make


case("json: no weights", beside(None), "FC010")
case("json: weights that are text", beside(b"hello"), "FC011")
case("json: weights cut short", beside(weights()[:500]), "FC012")
case("json: no json", beside(weights(), '{"class_name": "Sequential",}'), "FC015")
case("json: 70 million characters", beside(weights(), "{" + " " * 70_000_000 + "}"), "FC014", "FC015")

# --- onnx ----------------------------------------------------------------------------------------------------------


def onnx(change: Callable[[list[Any]], object]) -> Callable[[Path], list[str]]:
    """A good ONNX file, given the widths that a float network needs, after a change of its graph."""
    whole = graphs.model()
    change(whole[1][1])
    return lambda folder: [*written("m.onnx", protobuf.encoded(whole))(folder), "--bits", "8,4"]


def named(name: str) -> Callable[[Path], list[str]]:
    """An operator of an unknown domain with an unsafe name."""
    return onnx(lambda graph: graph.__setitem__(1, [1, graphs.node("Evil", ["c"], name)]))


ONNX: dict[str, Callable[[Path], list[str]]] = {
    "data from outside": onnx(
        lambda graph: graph.__setitem__(
            6, [5, [[1, 2], [2, 1], [8, "k"], [13, [[1, "location"], [2, "../../etc/passwd"]]], [14, 1]]]
        )
    ),
    "2^40 weights": onnx(lambda graph: graph.__setitem__(6, [5, [[1, HUGE], [1, HUGE], [2, 1], [8, "k"], [9, "x"]]])),
    "2^40 pixels": onnx(lambda graph: graph.__setitem__(10, [11, graphs.port("x", 1, 1, HUGE, HUGE)])),
    "a negative axis": onnx(lambda graph: graph.__setitem__(10, [11, graphs.port("x", 1, -4, 4, 4)])),
    "a node that reads itself": onnx(lambda graph: graph.__setitem__(1, [1, graphs.node("Relu", ["r"], "r")])),
    "no weights": onnx(lambda graph: graph.pop(6)),
    "no output": onnx(lambda graph: graph.pop(11)),
    "no nodes": onnx(lambda graph: graph.__delitem__(slice(0, 5))),
    "a function of the file": onnx(lambda graph: graph.__setitem__(1, [1, graphs.node("PyOp", ["c"], "r")])),
    "strides of nothing": onnx(lambda graph: graph[0][1][-1].__setitem__(1, graphs.integers("strides", 0, 0))),
}
for word, make in ONNX.items():
    case(
        f"onnx: {word}", make, "FC011", "FC012", "FC013", "FC014", "FC015", "FC016", "FC020", "FC021", "FC024", "FC025"
    )
for word, name in NAMES.items():
    if name:
        case(f"onnx: a node with an unsafe name: {word}", named(name), "FC012", "FC015", "FC020", "FC024")
for number in range(1, 9):
    content = protobuf.encoded(graphs.model())
    case(
        f"onnx: {number} of 9 parts",
        written("m.onnx", content[: len(content) * number // 9]),
        "FC011",
        "FC012",
        "FC024",
    )

# --- events --------------------------------------------------------------------------------------------------------


def events(name: str, content: bytes) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        tiny_model(folder / "m.h5")
        (folder / name).write_bytes(content)
        return convert(folder / "m.h5", "--input", name)

    return make


GOOD = np.zeros((3, 4, 4, 1))
LINE = npy(GOOD)
EVENTS: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "nothing": (b"", ("FC050",)),
    "text": (b"hello", ("FC050",)),
    "a pickle": (pickle.dumps(Trap()), ("FC050",)),
    "objects": (npy(np.array([Trap()], dtype=object), allow_pickle=True), ("FC050",)),
    "objects in an archive": (
        archive({"input_0.npy": npy(np.array([Trap()], dtype=object), allow_pickle=True)}),
        ("FC050",),
    ),
    "another name": (archive({"x.npy": LINE}), ("FC050",)),
    "a name that is a path": (archive({"../input_0.npy": LINE}), ("FC050",)),
    "no members": (archive({}), ("FC050",)),
    "another shape": (npy(np.zeros((3, 5, 5, 1))), ("FC051",)),
    "no event": (npy(np.zeros((0, 4, 4, 1))), ("FC051",)),
    "one number": (npy(np.float64(1)), ("FC051",)),
    "NaN": (npy(np.full((3, 4, 4, 1), np.nan)), ("FC052",)),
    "infinity": (npy(np.full((3, 4, 4, 1), -np.inf)), ("FC052",)),
    "complex": (npy(np.zeros((3, 4, 4, 1), "c8")), ("FC050",)),
    "text in an array": (npy(np.full((3, 4, 4, 1), "x")), ("FC050",)),
    "dates": (npy(np.zeros((3, 4, 4, 1), "M8[s]")), ("FC050",)),
    "records": (npy(np.zeros((3, 4, 4, 1), "f4,f4")), ("FC050",)),
    "labels that are floats": (archive({"input_0.npy": LINE, "labels.npy": npy(np.zeros(3))}), ("FC050",)),
    "labels of other events": (archive({"input_0.npy": LINE, "labels.npy": npy(np.arange(7))}), ("FC050",)),
    "2^40 promised": (LINE.replace(b"(3, 4, 4, 1)", b"(2**40,4,4,)"), ("FC050",)),
    "a terabyte promised": (
        LINE.replace(b"(3, 4, 4, 1), }            ", b"(1099511627776, 4, 4, 1), }"[:27]),
        ("FC050",),
    ),
    "code in the header": (LINE.replace(b"False", b"exec('')")[: len(LINE)], ("FC050",)),
    "a negative axis": (LINE.replace(b"(3, 4", b"(-3,4"), ("FC050", "FC051")),
    "another version": (LINE[:6] + b"\x09\x09" + LINE[8:], ("FC050",)),
    "a header of 4 GiB": (b"\x93NUMPY\x02\x00" + struct.pack("<I", 0xFFFFFFF0) + b" " * 1000, ("FC050",)),
    "a bomb": (promised(archive({f"input_{n}.npy": LINE for n in range(3)}), 0xFFFFFFF0), ("FC014",)),
    "encrypted": (flagged(archive({"input_0.npy": LINE})), ("FC050",)),
    "a model": (weights(), ("FC050",)),
}
for word, (content, codes) in EVENTS.items():
    case(f"events: {word}", events("x.npz", content), *codes)
for number in range(1, 7):
    case(f"events: {number} of 7 parts of npy", events("x.npy", LINE[: len(LINE) * number // 7]), "FC050")
    whole = archive({"input_0.npy": npy(np.arange(48.0).reshape(3, 4, 4, 1))})
    case(f"events: {number} of 7 parts of npz", events("x.npz", whole[: len(whole) * number // 7]), "FC050")

# --- project folders -----------------------------------------------------------------------------------------------

COMMANDS = (["verify", "p"], ["simulate", "p", "--input", "x.npy"], ["freeze", "p"], ["verify", "p", "--locked"])


def project(change: Callable[[Path], object], command: list[str]) -> Callable[[Path], list[str]]:
    """A good project folder, without hls4ml's files, after a change."""

    def make(folder: Path) -> list[str]:
        from tests.hostile.targets import small_project

        for name, content in small_project(0)[0].items():
            (folder / "p" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "p" / name).write_bytes(content)
        np.save(folder / "x.npy", GOOD)
        change(folder / "p")
        return command

    return make


def tree(edit: Callable[[Any], object]) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        design = folder / "fpgacnn" / "design.json"
        content = json.loads(design.read_text())
        edit(content)
        design.write_text(json.dumps(content))

    return change


def renamed(name: str) -> Callable[[Path], object]:
    """A node of the design with another name."""

    def change(folder: Path) -> None:
        design = folder / "fpgacnn" / "design.json"
        content = json.loads(design.read_text())
        content["design"] = json.loads(json.dumps(content["design"]).replace('"conv"', json.dumps(name)))
        for layer in content["design"]["model"]["layers"]:
            layer["source"] = "conv" if layer["source"] == name else layer["source"]
        design.write_text(json.dumps(content))

    return change


def over(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


PROJECTS: dict[str, Callable[[Path], object]] = {
    "no record": lambda folder: (folder / "fpgacnn.json").unlink(),
    "a record that is no json": over("fpgacnn.json", b"{"),
    "a record that is a list": over("fpgacnn.json", b"[]"),
    "a deep record": over("fpgacnn.json", b"[" * 200_000),
    "a record without a project": over("fpgacnn.json", b'{"project": 5}'),
    "a record that is no text": over("fpgacnn.json", b"\xff\xfe\x00"),
    "no design": lambda folder: (folder / "fpgacnn" / "design.json").unlink(),
    "no arrays": lambda folder: (folder / "fpgacnn" / "design.npz").unlink(),
    "a design that is no json": over("fpgacnn/design.json", b'{"schema": 1'),
    "a deep design": over("fpgacnn/design.json", b'{"a":' * 100_000),
    "a design of another version": tree(lambda content: content.update(schema=99)),
    "arrays that are objects": over(
        "fpgacnn/design.npz", archive({"a0.npy": npy(np.array([Trap()], dtype=object), allow_pickle=True)})
    ),
    "arrays cut short": lambda folder: (folder / "fpgacnn" / "design.npz").write_bytes(
        (folder / "fpgacnn" / "design.npz").read_bytes()[:900]
    ),
    "a class that is code": tree(lambda content: content["design"].update({"$": "os.system"})),
    "a tag that is code": tree(
        lambda content: content["design"]["model"]["layers"][0]["operation"].update(type="os.system")
    ),
    "the first schema with a class that is code": tree(
        lambda content: content.update(schema=1, design={"$": "os.system"}, network={"$": "source.SourceModel"})
    ),
    "the first schema, deep": over(
        "fpgacnn/design.json", b'{"schema":1,"design":' + b"[" * 300 + b"]" * 300 + b',"network":1}'
    ),
    "a part that is a command": tree(lambda content: content["design"]["target"].update(part="x; rm -rf /")),
    "a clock of nothing": tree(lambda content: content["design"]["target"].update(clock_ns=float("nan"))),
    "a network without layers": tree(lambda content: content["network"].update(layers=[])),
    "a network without end": tree(lambda content: content["network"]["layers"][0].update(shape=[HUGE, HUGE, 1])),
    "a design without end": tree(
        lambda content: content["design"]["model"]["layers"][0].update(shape=[1 << 20, 1 << 20, 1])
    ),
    "a plan about nothing": tree(lambda content: content["design"]["plan"].update(layers={})),
    "a format without end": tree(
        lambda content: content["design"]["plan"]["layers"]["conv"]["result"].update(format="fixed<62,-999>")
    ),
    **{f"a node with an unsafe name: {word}": renamed(name) for word, name in NAMES.items() if name},
}
for number, (word, change) in enumerate(PROJECTS.items()):
    case(f"project: {word}", project(change, COMMANDS[number % 3]), "FC062")

GOLDEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "none": (lambda _: None, "FC160"),
    "no json": (lambda folder: over("golden.json", b"{")(golden(folder)), "FC161"),
    "deep": (lambda folder: over("golden.json", b"[" * 100_000)(golden(folder)), "FC161"),
    "another version": (lambda folder: over("golden.json", b'{"schema": 2}')(golden(folder)), "FC161"),
    "null": (lambda folder: over("golden.json", b"null")(golden(folder)), "FC161"),
}


def golden(folder: Path) -> Path:
    place = folder.with_name("p.golden")
    place.mkdir()
    return place


for word, (change, code) in GOLDEN.items():
    case(f"golden: {word}", project(change, COMMANDS[3]), code)

# --- words of the command line -------------------------------------------------------------------------------------


def words(*arguments: str) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        tiny_model(folder / "m.h5")
        return ["convert", "m.h5", "-o", "new/out", "--no-csim", *arguments]

    return make


for word, name in NAMES.items():
    if "\x00" not in name:
        case(f"words: a part: {word}", words("--part", name), "FC040", "FC002", "FC120")
for text in (
    "fixed",
    "ufixed<0,0>",
    "fixed<999,1>",
    "fixed<8,3",
    "fixed<8,3>; rm",
    "fixed<8,3,EVIL>",
    "x" * 5000,
    "\x1b[31m",
):
    case(f"words: an input type: {text[:20]!r}", words("--input-type", text), "FC032")
for text in ("0", "-3", "99", "x", "8,", "8,9,1", "1e9"):
    case(f"words: bits: {text!r}", words("--bits", text), "FC002", "FC030", "FC031")

# --- files of flags ------------------------------------------------------------------------------------------------

FLAGS: dict[str, bytes] = {
    "no toml": b"clock = ",
    "no text": b"\xff\xfe\x00",
    "json": b'{"clock": 5}',
    "an unknown key": b"cloc = 5",
    "a flag that is no target": b'output = "/etc"',
    "a key that is a command": b'"; system(\\"id\\"); //" = 1',
    "a clock in words": b'clock = "fast"',
    "a yes for a number": b"reuse = true",
    "half a reuse factor": b"reuse = 1.5",
    "an unknown choice": b'io = "both"',
    "a table for a text": b"part = {a = 1}",
    "a date": b"bits = 2026-01-01",
    "layers that are a number": b"layers = 3",
    "a layer that is a number": b"[layers]\nconv = 3",
    "an unknown key of a layer": b'[layers.conv]\npart = "x"',
    "an unknown strategy of a layer": b'[layers.conv]\nstrategy = "magic"',
    "deep": b"a = " + b"[" * 100_000,
    "deep tables": b"[" + b"a." * 5_000 + b"a]\nb = 1",
    "large": b"# " + b"x" * (1 << 21),
    "twice": b"clock = 5\nclock = 6",
    "a list for a choice": b"io = [[1]]",
    "a table for a choice": b"backend = {a = 1}",
    "a number of 12,000 digits": b"reuse = 0x" + b"f" * 10_000,
    "a clock of 12,000 digits": b"clock = 0x" + b"f" * 10_000,
    "bits of 12,000 digits": b"bits = 0x" + b"f" * 10_000,
}


def flags(content: bytes) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        (folder / "flags.toml").write_bytes(content)
        return words("--config", "flags.toml")(folder)

    return make


for word, content in FLAGS.items():
    case(f"flags: {word}", flags(content), "FC130")
for word, name in NAMES.items():
    if name:
        layer = json.dumps(name, ensure_ascii=True)
        case(f"flags: a layer: {word}", flags(f"[layers.{layer}]\nreuse = 2".encode()), "FC002", "FC040", "FC130")
case("flags: none", words("--config", "nothing.toml"), "FC130")
case("flags: a folder", words("--config", "."), "FC130")
case("flags: a device", words("--config", "/dev/zero"), "FC130")
case("flags: a clock of nothing", flags(b"clock = nan"), "FC002")
