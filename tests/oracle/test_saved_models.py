"""SavedModel folders that TensorFlow wrote: each array is that of the `.h5` file, and the answers are Keras'."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.frontends.keras.saved_model.folder import METADATA, PROGRAM
from fpgacnn.ir.source import weights_of
from fpgacnn.sim.source_reference import evaluate
from tests.oracle.kit import Kit

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # Keras and QKeras warn a lot


def plain(kit: Kit) -> Any:
    """Two inputs, a layer that is used twice, models in models, and layers that contain a layer."""
    layers, keras = kit.layers, kit.keras
    first, second = layers.Input((6, 6, 2), name="a"), layers.Input((6, 6, 2), name="b")
    shared = layers.Conv2D(2, 3, padding="same", name="shared")
    innermost = keras.Sequential([layers.Input((6, 6, 2)), layers.DepthwiseConv2D(3), layers.PReLU()], name="innermost")
    inner = keras.Sequential([layers.Input((6, 6, 2)), layers.SeparableConv2D(2, 1), innermost], name="inner")
    x = layers.Concatenate()([inner(shared(first)), inner(shared(second))])
    x = layers.BatchNormalization()(x)
    x = layers.Reshape((4, 16))(x)
    x = layers.TimeDistributed(layers.Dense(3), name="each")(x)
    x = layers.Flatten()(x)
    return keras.Model([first, second], [layers.Dense(2, name="out")(x), layers.Dense(1, name="more")(x)])


def quantized(kit: Kit) -> Any:
    bits = "quantized_bits(4,0,alpha=1)"
    quantizers = {"kernel_quantizer": bits, "bias_quantizer": bits}
    separable = {"depthwise_quantizer": bits, "pointwise_quantizer": bits, "bias_quantizer": bits}
    return kit.keras.Sequential(
        [
            kit.layers.Input((6, 6, 1)),
            kit.qkeras.QConv2DBatchnorm(2, 3, **quantizers),
            kit.qkeras.QActivation("quantized_relu(4,1)"),
            kit.qkeras.QSeparableConv2D(2, 2, **separable),
            kit.layers.Flatten(),
            kit.qkeras.QDense(2, **quantizers),
        ]
    )


def with_random_weights(model: Any) -> Any:
    random = np.random.default_rng(3)
    model.set_weights([random.uniform(0.1, 1.0, one.shape) for one in model.get_weights()])
    return model


def same(folder: Path, file: Path) -> None:
    found, wanted = frontends.load(folder), frontends.load(file)
    assert (found.inputs, found.outputs) == (wanted.inputs, wanted.outputs)
    for one, other in zip(found.layers, wanted.layers, strict=True):
        assert (one.name, one.kind, one.inputs, one.shape) == (other.name, other.kind, other.inputs, other.shape)
        pairs = zip(weights_of(one.operation), weights_of(other.operation), strict=True)
        assert all(np.array_equal(mine.values, theirs.values) for mine, theirs in pairs)


@pytest.mark.parametrize("make", [plain, quantized])
def test_a_saved_model_is_read_as_its_h5_file(kit: Kit, tmp_path: Path, make: Any) -> None:
    model = with_random_weights(make(kit))
    model.save(tmp_path / "saved", save_format="tf")
    model.save(tmp_path / "m.h5")
    same(tmp_path / "saved", tmp_path / "m.h5")
    network = frontends.load(tmp_path / "saved")
    random = np.random.default_rng(1)
    x = [random.normal(size=(5, *one.shape[1:])).astype(np.float32) for one in model.inputs]
    answers = model.predict(x, verbose=0)
    found = evaluate(network, x, quantized=True)
    for name, wanted in zip(network.outputs, answers if isinstance(answers, list) else [answers], strict=True):
        np.testing.assert_allclose(found[name], wanted, rtol=1e-4, atol=1e-4)


def test_metadata_in_the_program_are_read_as_tensorflow_2_4_wrote_them(kit: Kit, tmp_path: Path) -> None:
    """Until version 2.4 there was no file of metadata: each object of the program had its own."""
    from tensorflow.core.protobuf import saved_model_pb2
    from tf_keras.protobuf import saved_metadata_pb2

    model = with_random_weights(plain(kit))
    model.save(tmp_path / "saved", save_format="tf")
    model.save(tmp_path / "m.h5")
    program, metadata = tmp_path / "saved" / PROGRAM, tmp_path / "saved" / METADATA
    saved = saved_model_pb2.SavedModel.FromString(program.read_bytes())
    for one in saved_metadata_pb2.SavedMetadata.FromString(metadata.read_bytes()).nodes:
        user = saved.meta_graphs[0].object_graph_def.nodes[one.node_id].user_object
        user.identifier, user.metadata = one.identifier, one.metadata
    program.write_bytes(saved.SerializeToString())
    metadata.unlink()
    same(tmp_path / "saved", tmp_path / "m.h5")
