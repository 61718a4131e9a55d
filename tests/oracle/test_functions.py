"""Functions between layers, as Keras 2 (TensorFlow's) and Keras 3 (its own) save them, answered by the frameworks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.design import Design, Target
from fpgacnn.errors import CodeInFileError, FpgacnnError
from fpgacnn.ir.fixed_point import Codes, parse_format
from fpgacnn.passes.precision import legalize
from fpgacnn.passes.quantization import SoftmaxChoice, quantize
from fpgacnn.passes.widths.widths import Widths, uniform, with_quantizers
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.training.keras import open_keras

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # Keras warns that HDF5 is old

Build = Callable[[Any, Any], Any]
IMAGE, VECTOR = (6, 5, 3), (8,)

TENSORFLOW: dict[str, tuple[tuple[int, ...], Build]] = {
    "sum": (IMAGE, lambda x, _: x + x),
    "a constant first": (IMAGE, lambda x, _: 1.5 - x),
    "a constant for each channel": (IMAGE, lambda x, tf: x * tf.constant([0.5, 2.0, -1.0])),
    "scaled": (IMAGE, lambda x, _: x / 255.0 - 0.5),
    "negative": (IMAGE, lambda x, _: -x),
    "square": (IMAGE, lambda x, tf: tf.square(x)),
    "hard swish": (IMAGE, lambda x, tf: x * tf.nn.relu6(x + 3.0) * (1.0 / 6.0)),
    "maximum": (IMAGE, lambda x, tf: tf.maximum(x, 0.25) + tf.minimum(x, 0.0) + tf.maximum(x, 0.0)),
    "maximum of tensors": (IMAGE, lambda x, tf: tf.maximum(x, tf.nn.relu(x))),
    "clip": (IMAGE, lambda x, tf: tf.clip_by_value(x, -0.5, 0.75)),
    "activations": (
        VECTOR,
        lambda x, tf: tf.concat(
            [tf.nn.relu(x), tf.nn.leaky_relu(x, 0.3), tf.nn.elu(x), tf.sigmoid(x), tf.tanh(x), tf.nn.silu(x)], -1
        ),
    ),
    "softmax": (VECTOR, lambda x, tf: tf.nn.softmax(x)),
    "joined rows": (IMAGE, lambda x, tf: tf.concat([x, x], axis=1)),
    "reshaped": (IMAGE, lambda x, tf: tf.reshape(x, (-1, 15, 6))),
    "turned": (IMAGE, lambda x, tf: tf.transpose(x, (0, 2, 1, 3))),
    "a new axis": (VECTOR, lambda x, tf: tf.squeeze(tf.expand_dims(tf.expand_dims(x, -1), 1), 1)),
    "mean over space": (IMAGE, lambda x, tf: tf.reduce_mean(x, axis=[1, 2])),
    "mean over columns": (IMAGE, lambda x, tf: tf.reduce_mean(x, axis=-2, keepdims=True)),
    "maximum over rows": (IMAGE, lambda x, tf: tf.reduce_max(x, axis=1)),
    "sum over steps": ((7, 3), lambda x, tf: tf.reduce_sum(x, axis=1)),
    "rows and columns cut": (IMAGE, lambda x, _: x[:, 1:-1, :4]),
    "channels chosen": (IMAGE, lambda x, _: x[:, :, :, 1:]),
    "one row": (IMAGE, lambda x, _: x[:, 2]),
    "one channel": (IMAGE, lambda x, _: x[:, :, :, 1]),
    "part of a vector": (VECTOR, lambda x, _: x[:, 2:6]),
    "steps cut": ((7, 3), lambda x, _: x[:, -4:, 0:2]),
    "padded": (IMAGE, lambda x, tf: tf.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]])),
    "every other row, backwards": (IMAGE, lambda x, _: x[:, ::-2]),
    "every other of a vector": (VECTOR, lambda x, _: x[:, 1::2]),
    "a new axis by a slice": (VECTOR, lambda x, tf: x[:, tf.newaxis, 2:5]),
    "a constant for each column": (IMAGE, lambda x, tf: x * tf.reshape(tf.range(5.0) / 4.0, (5, 1)) - 0.5),
    "a constant image": (IMAGE, lambda x, tf: x + tf.reshape(tf.range(90.0) / 64.0, IMAGE)),
    "an image as a limit": (IMAGE, lambda x, tf: tf.maximum(tf.reshape(tf.range(90.0) / 64.0 - 0.5, IMAGE), x)),
    "softmax over rows": (IMAGE, lambda x, tf: tf.nn.softmax(x, axis=1)),
    "mean over channels": (IMAGE, lambda x, tf: tf.reduce_mean(x, axis=-1)),
    "smallest over rows": (IMAGE, lambda x, tf: tf.reduce_min(x, axis=1)),
    "absolute": (IMAGE, lambda x, tf: tf.abs(x)),
    "stacked": (VECTOR, lambda x, tf: tf.stack([x, tf.abs(x)], axis=1)),
    "parts in another order": (IMAGE, lambda x, tf: tf.concat(tf.split(x, [1, 2], axis=-1)[::-1], axis=-1)),
    "a part of several": (VECTOR, lambda x, tf: tf.split(x, 4, axis=1)[2]),
    "stopped": (IMAGE, lambda x, tf: tf.stop_gradient(x) + 1.0),
}

KERAS3: dict[str, tuple[tuple[int, ...], Build]] = {
    "sum": (IMAGE, lambda x, _: x + x),
    "a constant first": (IMAGE, lambda x, _: 1.5 - x),
    "scaled": (IMAGE, lambda x, _: x / 255.0 * 3.0 - 0.5),
    "negative": (IMAGE, lambda x, _: -x),
    "square": (IMAGE, lambda x, ops: ops.square(x)),
    "maximum": (IMAGE, lambda x, ops: ops.maximum(x, 0.25) + ops.minimum(x, 0.0)),
    "clip": (IMAGE, lambda x, ops: ops.clip(x, -0.5, 0.75)),
    "activations": (
        VECTOR,
        lambda x, ops: ops.concatenate(
            [ops.relu(x), ops.leaky_relu(x, 0.3), ops.elu(x, 0.5), ops.sigmoid(x), ops.tanh(x), ops.silu(x)], -1
        ),
    ),
    "gelu": (VECTOR, lambda x, ops: ops.gelu(x, approximate=False)),
    "softmax": (VECTOR, lambda x, ops: ops.softmax(x)),
    "joined rows": (IMAGE, lambda x, ops: ops.concatenate([x, x], axis=1)),
    "reshaped": (IMAGE, lambda x, ops: ops.reshape(x, (-1, 15, 6))),
    "turned": (IMAGE, lambda x, ops: ops.transpose(x, (0, 2, 1, 3))),
    "a new axis": (VECTOR, lambda x, ops: ops.squeeze(ops.expand_dims(ops.expand_dims(x, -1), 1), 1)),
    "mean over space": (IMAGE, lambda x, ops: ops.mean(x, axis=(1, 2))),
    "maximum over rows": (IMAGE, lambda x, ops: ops.max(x, axis=1)),
    "sum over steps": ((7, 3), lambda x, ops: ops.sum(x, axis=1, keepdims=True)),
    "rows and columns cut": (IMAGE, lambda x, _: x[:, 1:-1, :4]),
    "part of a vector": (VECTOR, lambda x, _: x[:, 2:6]),
    "one channel": (IMAGE, lambda x, _: x[:, :, :, 1]),
    "channels chosen behind an ellipsis": (IMAGE, lambda x, _: x[..., 1:]),
    "every other column": (IMAGE, lambda x, _: x[:, :, ::2]),
    "an array for each row": (IMAGE, lambda x, _: x * (np.arange(6, dtype=np.float32) / 4).reshape(6, 1, 1)),
    "absolute": (IMAGE, lambda x, ops: ops.abs(x)),
    "axes exchanged": (IMAGE, lambda x, ops: ops.swapaxes(x, 1, -1)),
    "an axis moved": (IMAGE, lambda x, ops: ops.moveaxis(x, -1, 1)),
    "stacked": (VECTOR, lambda x, ops: ops.stack([x, ops.abs(x)], axis=-1)),
    "a part of several": (VECTOR, lambda x, ops: ops.split(x, 4, axis=-1)[1]),
    "padded": (IMAGE, lambda x, ops: ops.pad(x, ((0, 0), (1, 2), (0, 1), (0, 0)))),
}


def network(k: Any, library: Any, shape: tuple[int, ...], build: Build) -> Any:
    """The function behind a layer that gives it values of both signs."""
    x = k.Input(shape)
    dense = k.layers.Dense(shape[-1])
    model = k.Model(x, build(dense(x), library))
    dense.set_weights([np.random.default_rng(1).normal(size=(shape[-1], shape[-1])) * 0.4, np.full(shape[-1:], -0.1)])
    return model


def agrees(path: Path, model: Any) -> None:
    """Our reference answers as the framework does, and hardware as the plan promises."""
    source, form = frontends.load(path), parse_format("fixed<8,2>")
    codes = Codes(
        array=np.random.default_rng(2).integers(form.low, form.high, size=(16, *source.layers[0].shape), endpoint=True),
        format=form,
    )
    wanted = np.asarray(model(codes.values.astype(np.float32)), np.float64)
    ours = evaluate(source, [codes.values], quantized=True)[source.outputs[0]]
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-5)
    given = with_quantizers(source, uniform(source, Widths(bits=12), evaluate(source, [codes.values], quantized=False)))
    quantized, planned = legalize(quantize(given, inputs=[form], softmax=SoftmaxChoice.KEEP))
    design = Design(model=quantized, plan=planned, target=Target())
    hardware = ReferenceEmulator(design).run([codes]).outputs[quantized.outputs[0]].values
    exact = evaluate(given, [codes.values], quantized=True)[given.outputs[0]]
    np.testing.assert_allclose(
        hardware.reshape(exact.shape), exact, rtol=0, atol=design.plan.layers[quantized.outputs[0]].error + 1e-9
    )


@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize("name", TENSORFLOW)
def test_functions_of_tensorflow_are_read_as_it_computes_them(name: str, suffix: str, tmp_path: Path) -> None:
    modules = open_keras()
    import tensorflow as tf

    model = network(modules.keras, tf, *TENSORFLOW[name])
    model.save(path := tmp_path / f"m.{suffix}")
    agrees(path, model)


@pytest.mark.parametrize(
    "build",
    [
        lambda x, _: x[..., 1:],
        lambda x, _: x[..., 1:3, :],
        lambda x, _: x[:, 1:, ...],
        lambda x, _: x[..., 1],
        lambda x, _: x[:, ..., -1:],
    ],
)
def test_an_ellipsis_of_tensorflow_stands_for_the_axes_that_are_not_named(build: Build, tmp_path: Path) -> None:
    """Keras 2 has no ellipsis in `.keras` archives."""
    model = network(open_keras().keras, None, (4, 4, 4), build)
    model.save(path := tmp_path / "m.h5")
    agrees(path, model)


@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize("name", KERAS3)
def test_functions_of_keras_3_are_read_as_it_computes_them(name: str, suffix: str, tmp_path: Path) -> None:
    open_keras()
    import keras

    model = network(keras, keras.ops, *KERAS3[name])
    model.save(path := tmp_path / f"m.{suffix}")
    agrees(path, model)


REFUSED: dict[str, tuple[tuple[int, ...], Build, str]] = {
    "a quotient of tensors": (VECTOR, lambda x, tf: x / tf.nn.relu(x), "division by a tensor is not supported"),
    "a constant above": (VECTOR, lambda x, _: 1.0 / x, "division by a tensor or by 0"),
    "mean over events": (IMAGE, lambda x, tf: tf.reduce_mean(x, axis=0), "axis=0 is not supported"),
    "events reshaped": (VECTOR, lambda x, tf: tf.reshape(x, (4, -1)), "reshaping to [4, -1] is not supported"),
    "events turned": (VECTOR, lambda x, tf: tf.transpose(x, (1, 0)), "transposing to [1, 0] is not supported"),
    "an axis before events": (VECTOR, lambda x, tf: tf.expand_dims(x, 0), "axis=0 is not supported"),
    "events cut": (VECTOR, lambda x, _: x[1:], "a slice of events"),
    "mirrored": (IMAGE, lambda x, tf: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="REFLECT"), "is not supported"),
    "gelu by a tanh": (VECTOR, lambda x, tf: tf.nn.gelu(x, approximate=True), "approximated by a tanh"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_built_is_refused_by_name(name: str, tmp_path: Path) -> None:
    modules = open_keras()
    import tensorflow as tf

    shape, build, words = REFUSED[name]
    network(modules.keras, tf, shape, build).save(path := tmp_path / "m.h5")
    with pytest.raises(FpgacnnError) as caught:
        frontends.load(path)
    assert words in str(caught.value)


def test_any_other_function_is_code_that_is_never_run(tmp_path: Path) -> None:
    modules = open_keras()
    import tensorflow as tf

    network(modules.keras, tf, VECTOR, lambda x, tf: tf.math.cumsum(x, axis=1)).save(path := tmp_path / "m.h5")
    with pytest.raises(CodeInFileError, match=r"tf\.math\.cumsum"):
        frontends.load(path)
