"""What was read against the frameworks themselves, which load the file in a process of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fpgacnn
from fpgacnn import frontends
from fpgacnn.ir import source as src
from fpgacnn.ir.source import SourceModel
from fpgacnn.records.record import RunRecord
from tests.oracle.kit import Kit

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]

DIGITS = Path(fpgacnn.__file__).parents[1] / "models" / "digits" / "digits.h5"


def converted(model: Path, reference: str = "keras", **options: Any) -> RunRecord:
    return fpgacnn.convert(model, output=model.parent / "project", csim_events=0, reference=reference, **options)


def row(record: RunRecord, left: str = "network as read") -> Any:
    (found,) = (
        one
        for one in record.verification
        if one.left == left and one.right.startswith(("Keras", "HGQ2", "onnx", "qonnx"))
    )
    return found


def keras_2(kit: Kit, path: Path) -> Path:
    """Quantizers behind sums, an inner model, a layer that is called twice, and functions of TensorFlow."""
    layers, source = kit.layers, kit.layers.Input((6, 6, 2), name="image")
    x = kit.relu()(kit.convolution(4, 3, name="first")(source))
    inside = kit.layers.Input((4, 4, 4))
    inner = kit.keras.Model(
        inside,
        layers.ReLU(name="clipped", max_value=2.0)(layers.DepthwiseConv2D(2, name="depths")(inside)),
        name="inner",
    )
    x = inner(x)
    x = x[:, 1:3, :2] * 0.5 + 0.25
    shared = kit.dense(8, name="shared")
    x = layers.Flatten()(x)
    x = layers.Add()([layers.Activation("tanh")(shared(x)), shared(x)])
    model = kit.keras.Model(
        source, [layers.Softmax(name="classes")(layers.Dense(5, name="scores")(x)), layers.Dense(2, name="place")(x)]
    )
    model.save(path, include_optimizer=False)
    return path


def test_keras_2_computes_what_was_read_with_and_without_given_widths(kit: Kit, tmp_path: Path) -> None:
    found = row(converted(keras_2(kit, tmp_path / "net.h5"), bits="8,3"))
    assert (found.holds, found.mismatches, found.float32_events) == (True, 0, 0)
    assert found.layers >= 15
    assert found.right.startswith("Keras 2.")
    assert 0 < found.max_abs_difference < 1e-5


def test_architecture_and_weights_in_two_files(kit: Kit, tmp_path: Path) -> None:
    model = kit.model(
        (4,), lambda x: kit.layers.Dense(3, name="second")(kit.layers.ReLU()(kit.layers.Dense(5, name="first")(x)))
    )
    (tmp_path / "net.json").write_text(model.to_json())
    model.save_weights(tmp_path / "net_weights.h5")
    found = row(converted(tmp_path / "net.json", bits="8,3"))
    assert (found.holds, found.layers) == (True, 4)


def keras_3(path: Path) -> Path:
    """Functions of Keras 3, an inner model, two calls of a layer, inputs and outputs by name."""
    import keras

    layers, ops = keras.layers, keras.ops
    image, other = keras.Input((5, 4, 3), name="z_image"), keras.Input((5, 4, 3), name="a_other")
    inside = keras.Input((5, 4, 3))
    inner = keras.Model(
        inside, layers.Conv2D(3, 3, padding="same", activation="relu", name="deep")(inside), name="inner"
    )
    x = ops.subtract(inner(image), inner(other))
    x = ops.maximum(ops.transpose(x, (0, 2, 1, 3)), 0.25)
    flat = layers.Flatten()(x)
    dense = layers.Dense(60, name="dense")
    x = dense(dense(flat))
    keras.Model(
        {"z_image": image, "a_other": other},
        {"b": layers.Dense(2, name="b")(x), "a": layers.Softmax()(layers.Dense(3, name="a")(x))},
    ).save(path)
    return path


def test_keras_3_computes_what_was_read(kit: Kit, tmp_path: Path) -> None:
    assert kit.keras.__version__.startswith("2")  # loaded first, as Keras 3 would keep it out
    found = row(converted(keras_3(tmp_path / "net.keras"), bits="10,4"))
    assert (found.holds, found.mismatches) == (True, 0)
    assert found.right.startswith("Keras 3.")
    assert found.layers >= 13


@pytest.mark.parametrize("channels", [64, 20])
def test_as_many_events_as_channels_are_no_bias(tmp_path: Path, channels: int) -> None:
    """`ops.add` with TensorFlow adds 64 events of one value to 64 channels."""
    import keras

    x, y = keras.Input((channels,), name="x"), keras.Input((1,), name="y")
    keras.Model([x, y], keras.layers.Dense(2)(keras.ops.add(x, y))).save(tmp_path / "net.keras")
    events = {
        "input_0": np.random.default_rng(1).random((channels, channels)),
        "input_1": np.random.default_rng(2).random((channels, 1)),
    }
    np.savez(tmp_path / "events.npz", **events)
    found = row(converted(tmp_path / "net.keras", bits="8,3", input=tmp_path / "events.npz"))
    assert (found.holds, found.events) == (True, channels)


def damaged(network: SourceModel, name: str) -> SourceModel:
    """The network with the kernel of a layer read along the wrong axis."""

    def turned(layer: src.SourceLayer) -> src.SourceLayer:
        operation = layer.operation
        if layer.name != name or not isinstance(operation, src.Dense | src.Convolution):
            return layer
        kernel = replace(operation.kernel, values=np.ascontiguousarray(operation.kernel.values[..., ::-1]))
        return replace(layer, operation=replace(operation, kernel=kernel))

    return replace(network, layers=tuple(map(turned, network.layers)))


def test_a_layer_that_is_read_wrongly_fails_the_run_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    load = frontends.load
    monkeypatch.setattr(frontends, "load", lambda *paths: damaged(load(*paths), "conv2"))
    (tmp_path / "digits.h5").write_bytes(DIGITS.read_bytes())
    record = converted(tmp_path / "digits.h5")
    assert [one.left for one in record.verification if not one.holds] == [
        "network as read",
        "emulator",
    ]  # by name, hardware too
    assert row(record).first.layer == "conv2"
    assert capfd.readouterr() == ("", "")
