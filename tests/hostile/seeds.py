"""Good inputs to begin with, as bytes: what is damaged is near to something that the readers take."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fpgacnn.system.npz import packed
from tests.hostile import graphs, mutations, protobuf
from tests.hostile.mutations import archive
from tests.laws.test_synth_reports import FIXTURES
from tests.support import files, records
from tests.unit.hardware.estimation.test_project import DEFINES, PARAMETERS, SCRIPT, TOP
from tests.unit.hardware.synthesis.test_folders import whole

HGQ = Path(__file__).parents[1] / "hgq"
HGQ_FILES = {"networks.zip": ("dense.h5",), "networks1.zip": ("dense1_proxy.h5",)}
HGQ_ARCHIVES = {
    "networks.zip": ("conv2d.keras", "dense_wrap.keras", "pools_1d.keras", "quantizer.keras", "table.keras"),
    "networks1.zip": ("dense1_clipped.keras", "merged1.keras", "table1.keras"),
}
Network = tuple[dict[str, Any], tuple[files.Entry, ...]]

# --- networks ------------------------------------------------------------------------------------------------------


def networks() -> list[Network]:
    """Architectures with many kinds of layers, and their weights; no two layers with weights have one name."""
    return [
        (files.sequential(*files.tiny_layers(), shape=(4, 4, 1)), files.tiny_layers()),
        _quantized(),
        _float(),
        _nested(),
    ]


def _quantized() -> Network:
    quantizers = {"kernel_quantizer": files.quantized_bits(), "bias_quantizer": files.quantized_bits()}
    texts = {
        "depthwise_quantizer": "quantized_po2(4)",
        "pointwise_quantizer": "ternary(alpha=1)",
        "bias_quantizer": "quantized_bits(4,0,1,alpha=1)",
    }
    apart = {
        "depthwise_kernel": files.values(2, 2, 4, 1),
        "pointwise_kernel": files.values(1, 1, 4, 3),
        "bias": files.values(3),
    }
    layers = (
        files.input_layer("x", 6, 6, 2),
        files.entry(
            "QConv2D",
            "first",
            "x",
            filters=4,
            kernel_size=[3, 3],
            padding="same",
            strides=[2, 2],
            weights=files.linear(3, 3, 2, 4),
            **quantizers,
        ),
        files.entry("QActivation", "relu", "first", activation="quantized_relu(4,2)"),
        files.entry("BatchNormalization", "bn", "relu", axis=[3], epsilon=0.001, weights=files.normalization(4)),
        files.entry(
            "DepthwiseConv2D",
            "depth",
            "bn",
            kernel_size=[2, 2],
            weights={"depthwise_kernel": files.values(2, 2, 4, 1), "bias": files.values(4)},
        ),
        files.entry("MaxPooling2D", "pool", "relu", pool_size=[2, 2], strides=[1, 1], padding="valid"),
        files.entry("Add", "add", "depth", "pool"),
        files.entry("Concatenate", "join", "add", "pool", axis=-1),
        files.entry("ZeroPadding2D", "pad", "join", padding=[[1, 0], [0, 1]]),
        files.entry("Flatten", "flatten", "pad"),
        files.entry(
            "QDense",
            "dense",
            "flatten",
            units=3,
            activation="quantized_tanh(5)",
            weights=files.linear(72, 3),
            **quantizers,
        ),
        files.entry("Activation", "act", "dense", activation="softmax"),
        files.entry("QSeparableConv2D", "apart", "relu", filters=3, kernel_size=[2, 2], weights=apart, **texts),
        files.entry(
            "QConv2DBatchnorm",
            "folded",
            "x",
            filters=2,
            kernel_size=[2, 2],
            weights=files.linear(2, 2, 2, 2) | files.normalization(2),
            **quantizers,
        ),
    )
    return files.functional(*layers, inputs=["x"], outputs=["act", "apart", "folded"]), layers


def _float() -> Network:
    layers = (
        files.input_layer("x", 4, 4, 2),
        files.input_layer("z", 5, 2),
        files.entry("Rescaling", "rescaled", "x", scale=0.5, offset=[0.25, 0.0]),
        files.entry("Normalization", "normal", "rescaled", mean=[0.5, 0.0], variance=[1.0, 0.25]),
        files.entry(
            "Conv2DTranspose",
            "up",
            "normal",
            filters=2,
            kernel_size=[2, 2],
            strides=[2, 2],
            weights=files.linear(2, 2, 2, 2),
        ),
        files.entry("AveragePooling2D", "average", "up", pool_size=[2, 2], padding="same"),
        files.entry("PReLU", "slopes", "average", shared_axes=[1, 2], weights={"alpha": files.values(1, 1, 2)}),
        files.entry("UpSampling2D", "large", "slopes", size=[2, 2], interpolation="nearest"),
        files.entry("Cropping2D", "cut", "large", cropping=[[1, 3], [2, 2]]),
        files.entry("LeakyReLU", "leaky", "cut", alpha=0.125),
        files.entry("ELU", "elu", "cut", alpha=1.0),
        files.entry("ReLU", "limited", "cut", max_value=2.0, negative_slope=0.0, threshold=0.0),
        files.entry("Average", "mean", "leaky", "elu", "limited"),
        files.entry("Permute", "turned", "mean", dims=[3, 1, 2]),
        files.entry("Reshape", "rows", "turned", target_shape=[-1, 4]),
        files.entry(
            "TimeDistributed",
            "each",
            "rows",
            layer={"class_name": "Dense", "config": {"name": "d", "units": 2}},
            weights=files.linear(4, 2),
        ),
        files.entry("GlobalAveragePooling1D", "least", "each", keepdims=False),
        files.entry("RepeatVector", "again", "least", n=3),
        files.entry("Dropout", "dropped", "again", rate=0.5),
        files.entry(
            "Conv1D",
            "row",
            "z",
            filters=2,
            kernel_size=[2],
            padding="causal",
            dilation_rate=[2],
            weights=files.linear(2, 2, 2),
        ),
        files.entry("SeparableConv1D", "thin", "row", filters=2, kernel_size=[3], weights=_thin()),
        files.entry("Multiply", "product", "dropped", "thin"),
        files.entry("GlobalMaxPooling1D", "most", "product"),
        files.entry("Dense", "logits2", "most", units=2, activation="sigmoid", weights=files.linear(2, 2)),
    )
    return files.functional(*layers, inputs=["x", "z"], outputs=["logits2"]), layers


def _thin() -> dict[str, np.ndarray]:
    return {
        "depthwise_kernel": files.values(3, 2, 1),
        "pointwise_kernel": files.values(1, 2, 2),
        "bias": files.values(2),
    }


def _nested() -> Network:
    """A model that uses another one twice."""
    inside = files.functional(
        files.input_layer("inside", 4), files.entry("ReLU", "bent", "inside"), inputs=["inside"], outputs=["bent"]
    )
    layers = (files.input_layer("x", 4), files.entry("Dense", "after", "encoder", "encoder:1", units=2))
    whole = files.functional(
        files.input_layer("x", 4), files.entry("Subtract", "end", "encoder", "encoder:1"), inputs=["x"], outputs=["end"]
    )
    inner = {"class_name": "Functional", "config": {**inside["config"], "name": "encoder"}, "name": "encoder"}
    whole["config"]["layers"].insert(1, {**inner, "inbound_nodes": [[["x", 0, 0, {}]], [["x", 0, 0, {}]]]})
    return whole, layers[:1]


def architectures() -> list[bytes]:
    return [json.dumps(architecture).encode() for architecture, _ in networks()]


@cache
def weights() -> bytes:
    """The weights of all networks in one file."""
    content = io.BytesIO()
    files.write_h5(content, None, [layer for _, layers in networks() for layer in layers if layer.weights])  # type: ignore[arg-type]  # any binary file
    return content.getvalue()


def hdf5_files() -> list[bytes]:
    """Whole models as Keras 2, QKeras and HGQ write them."""
    found = []
    for architecture, layers in networks():
        content = io.BytesIO()
        files.write_h5(content, architecture, layers)  # type: ignore[arg-type]  # h5py writes to any binary file
        found.append(content.getvalue())
    return [*found, *_of_hgq(HGQ_FILES)]


def _of_hgq(names: Mapping[str, Sequence[str]]) -> list[bytes]:
    return [mutations.unpacked((HGQ / file).read_bytes())[name] for file, members in names.items() for name in members]


def _positional() -> bytes:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for place, arrays in {"q_conv2d": files.linear(3, 3, 1, 2), "q_dense": files.linear(8, 3)}.items():
            for number, array in enumerate(arrays.values()):
                file[f"layers/{place}/vars/{number}"] = array
    return content.getvalue()


def keras_archives() -> list[bytes]:
    """Models as Keras 2.15 and Keras 3 write them."""
    members = {
        "config.json": architectures()[0],
        "metadata.json": b'{"keras_version": "2.15.0"}',
        "model.weights.h5": _positional(),
    }
    return [archive(members, zipfile.ZIP_DEFLATED), *_of_hgq(HGQ_ARCHIVES)]


def onnx_files() -> list[bytes]:
    return [protobuf.encoded(make()) for make in graphs.MODELS]


# --- arrays, texts -------------------------------------------------------------------------------------------------


def event_archives() -> list[bytes]:
    """Events for an input of 4x4 pixels, with labels and groups; packed, plain, and in Fortran's order."""
    arrays: Mapping[str, Any] = {
        "input_0": files.values(20, 4, 4, 1),
        "labels": np.arange(20) % 3,
        "groups": np.arange(20) // 2,
    }
    turned = np.asfortranarray(files.values(20, 4, 4, 1).astype(np.float64))
    plain = {f"{name}.npy": npy(array) for name, array in {"input_0": turned, "labels": np.arange(20)}.items()}
    return [packed(arrays), archive(plain)]


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def event_arrays() -> list[bytes]:
    return [npy(files.values(20, 4, 4, 1)), npy((files.values(20, 4, 4, 1) * 8).astype(np.int8))]


TEXTS = {
    "format": ("ufixed<8,0>", "fixed<16,6>", "ap_fixed<12, 4, AP_RND_CONV, AP_SAT>", "fixed<4,-2,RND,SAT_SYM>"),
    "bits": ("16", "8,3", "12,-2"),
    "budget": ("ebops=200000", "ebops=50%", "lut=50.5%", "accuracy-drop=0.5%"),
    "set": ("conv.reuse=4", "dense.strategy=resource"),
    "augment": ("shift=1x2,degrees=10.5,flip=lr,noise=0.02", "flip=both"),
    "part": ("zcu102", "xcku115-flvb2104-2-i", "XC7Z020CLG400-1", "alveo-u250"),
    "quantizer": (
        *(
            "quantized_bits(4,0,1,alpha=1)",
            "quantized_relu(6,2,1)",
            "binary(alpha='auto')",
            "ternary(threshold=0.5,alpha=1)",
            "quantized_po2(4,2)",
        ),
        *(
            "quantized_bits(6, 0, alpha='auto_po2')",
            "quantized_linear(6,0,alpha=2.0)",
            "quantized_sigmoid(10,4)",
            "quantized_tanh(6)",
        ),
    ),
}
"""What is given on a command line, or stands as text in a file, by the reader that it is for."""


def texts() -> list[bytes]:
    return [f"{reader}:{text}".encode() for reader, examples in TEXTS.items() for text in examples]


# --- records, reports, projects of others --------------------------------------------------------------------------


def run_records() -> list[bytes]:
    """What `convert --json` prints: proven, broken, with an estimate and with reports of the tools."""
    made = (
        records.record(),
        records.exact_record(),
        records.record(verification=(records.broken(),), estimate=records.estimated()),
        records.record(synthesis=records.synthesized(), estimate=records.estimated(lut=60_000)),
    )
    return [one.to_json().encode() for one in made]


def reports() -> list[bytes]:
    """Folders of reports: each kind alone, and all that one run leaves."""
    suffix = {True: "xml", False: "rpt"}
    alone = [
        archive({f"{name.replace(' ', '_')}.{suffix['xml' in name]}": text.encode()})
        for name, (_, text) in FIXTURES.items()
    ]
    return [*alone, archive({name: text.encode() for name, text in whole().items()})]


def foreign_projects() -> list[bytes]:
    """Folders in the form of hls4ml, by hand."""
    by_hand = {
        "firmware/defines.h": DEFINES,
        "firmware/parameters.h": PARAMETERS,
        "firmware/myproject.cpp": TOP,
        "firmware/weights/w2.txt": ", ".join(["0.5", "0", "-0.03125"] * 12),
        "project.tcl": SCRIPT,
    }
    config = "Backend: Vivado\nClockPeriod: 5\nPart: xcku115-flvb2104-2-i\n"
    return [archive({name: text.encode() for name, text in by_hand.items()} | {"hls4ml_config.yml": config.encode()})]


def configs() -> list[bytes]:
    """What `--config` takes."""
    flags = (
        'part = "zcu102"\nclock = 4\nio = "stream"\nstrategy = "resource"\nreuse = 0x2\nbackend = "vivado"\nsoftmax ='
        ' "argmax"\ninput-type = "ufixed<6,1>"'
    )
    layers = '[layers.conv]\nreuse = 3\n\n[layers.logits]\nstrategy = "latency"'
    return [
        flags.encode(),
        f"{flags}\nbits = 8\nsqnr = 40.5\n\n{layers}\n".encode(),
        b'layers = {conv = {reuse = 0b11}}\nio = "parallel"\n',
    ]


def manifests() -> list[bytes]:
    return [b'[{"file": "net.h5"}, {"file": "deep/other.keras", "kind": "cnn"}]']
