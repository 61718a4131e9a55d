"""Makes the fixtures of this folder with the real HGQ2.

Small networks with random weights and widths, and their answers.

HGQ2 and QKeras install packages of the same name, so this runs in an environment of its own:
`pip install HGQ2==0.2.0 tensorflow` and `python tests/hgq/make.py`. Nothing of HGQ2 is in the files but what it saves.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
from hgq import layers as q
from hgq.config import QuantizerConfig

EVENTS = 24
HERE = Path(__file__).parent
ROUNDINGS = ("TRN", "RND", "RND_CONV", "TRN_ZERO", "RND_ZERO", "RND_MIN_INF", "RND_INF", "S_RND")
OVERFLOWS = ("WRAP", "SAT", "SAT_SYM")


def data(**options: Any) -> Any:
    return QuantizerConfig("kif", "datalane", **options)


def kernel(q_type: str = "kbi", **options: Any) -> Any:
    return QuantizerConfig(q_type, "weight", **options)


def dense(**options: Any) -> Callable[[], Any]:
    def build() -> Any:
        x = keras.Input((7,))
        return keras.Model(x, q.QDense(3, **options)(q.QDense(5, activation="relu", **options)(x)))

    return build


def image(*layers: Callable[[], Any], shape: tuple[int, ...] = (6, 5, 2)) -> Callable[[], Any]:
    def build() -> Any:
        x = y = keras.Input(shape)
        for layer in layers:
            y = layer()(y)
        return keras.Model(x, y)

    return build


def space() -> dict[str, Any]:
    """Widths for channels only."""
    return {"iq_conf": data(heterogeneous_axis=(-1,), homogeneous_axis=None)}


def merged(kind: Any) -> Callable[[], Any]:
    def build() -> Any:
        x = keras.Input((4, 4, 2))
        return keras.Model(x, kind()([q.QConv2D(3, 1)(x), q.QConv2D(3, 3, padding="same", activation="relu")(x)]))

    return build


def frozen() -> Any:
    model = dense(kq_conf=kernel(overflow_mode="WRAP"), bq_conf=QuantizerConfig("kbi", "bias", overflow_mode="WRAP"))()
    for layer in model.layers:
        layer.trainable = False
    return model


NETWORKS: dict[str, Callable[[], Any]] = {
    "dense": dense(),
    **{f"dense_{mode.lower()}": dense(iq_conf=data(round_mode=mode)) for mode in ROUNDINGS},
    **{
        f"dense_{mode.lower()}": dense(
            iq_conf=data(overflow_mode=mode), oq_conf=data(overflow_mode=mode), enable_oq=True
        )
        for mode in OVERFLOWS
    },
    **{f"kernel_{mode.lower()}": dense(kq_conf=kernel(overflow_mode=mode)) for mode in OVERFLOWS},
    "kernel_kif": dense(kq_conf=kernel("kif"), bq_conf=QuantizerConfig("kif", "bias")),
    "kernel_rnd_conv_wrap": dense(kq_conf=kernel(overflow_mode="WRAP", round_mode="RND_CONV")),
    "homogeneous": dense(iq_conf=data(homogeneous_axis=None, heterogeneous_axis=())),
    "scaled": dense(iq_conf=data(scaler=0.5), kq_conf=kernel(scaler=4.0)),
    "no_input_quantizer": dense(enable_iq=False),
    "frozen": frozen,
    "conv2d": image(lambda: q.QConv2D(3, 3, activation="relu"), lambda: q.QConv2D(2, 2, strides=2, padding="same")),
    "conv2d_by_channel": image(
        lambda: q.QConv2D(3, 3, padding="same", **space()), lambda: q.QConv2D(3, 2, groups=3, **space())
    ),
    "conv1d": image(
        lambda: q.QConv1D(3, 3, padding="causal", **space()),
        lambda: q.QConv1D(2, 2, strides=2, dilation_rate=1, activation="relu"),
        shape=(8, 2),
    ),
    "einsum": image(
        lambda: q.QEinsumDense("...c,cC->...C", 4, bias_axes="C"),
        lambda: q.QEinsumDense("btc,cd->btd", (5, 3), activation="relu"),
        shape=(5, 3),
    ),
    "einsum_batchnorm": image(
        lambda: q.QEinsumDenseBatchnorm("bc,cC->bC", 6, bias_axes="C", activation="relu"),
        lambda: q.QEinsumDenseBatchnorm("bc,cC->bC", 4, bias_axes="C"),
        shape=(7,),
    ),
    "batchnorm_dense": image(
        lambda: q.QBatchNormDense(5, activation="relu"), lambda: q.QBatchNormDense(3, scale=False), shape=(6,)
    ),
    "batchnorm": image(
        q.QBatchNormalization,
        lambda: q.QConv2D(3, 2),
        lambda: q.QBatchNormalization(scale=False),
        lambda: q.QBatchNormalization(center=False, enable_ebops=False),
    ),
    "pools": image(lambda: q.QMaxPooling2D(2), lambda: q.QAveragePooling2D(2, strides=1), shape=(7, 6, 2)),
    "average_of_six": image(lambda: q.QAveragePooling2D((2, 3), enable_oq=True)),
    "pools_1d": image(lambda: q.QMaxPooling1D(2), lambda: q.QAveragePooling1D(2), shape=(8, 3)),
    "global_average": image(q.QGlobalAveragePooling2D, shape=(4, 4, 3)),
    "global_max": image(q.QGlobalMaxPooling1D, shape=(5, 3)),
    "quantizer": image(
        lambda: q.Quantizer(QuantizerConfig("kif", "datalane", overflow_mode="SAT")),
        keras.layers.ReLU,
        lambda: q.Quantizer(QuantizerConfig("kbi", "datalane")),
        shape=(6,),
    ),
    "flattened": image(lambda: q.QConv2D(2, 3), keras.layers.Flatten, lambda: q.QDense(4)),
    "table": image(
        lambda: q.QUnaryFunctionLUT("tanh"),
        lambda: q.QUnaryFunctionLUT("relu", enable_oq=False, enable_ebops=False),
        shape=(6,),
    ),
    **{kind.__name__[1:].lower(): merged(kind) for kind in (q.QAdd, q.QSubtract, q.QMultiply, q.QMaximum, q.QMinimum)},
}


def randomized(model: Any, seed: int) -> None:
    """Weights around 1, widths that round, overflow and vanish."""
    random = np.random.default_rng(seed)
    for layer in model._flatten_layers():  # the only list that has quantizers in it
        for variable in layer._trainable_variables + layer._non_trainable_variables:
            shape, name = variable.shape, variable.name
            if name in {"k", "i", "f", "b"}:
                low, high = {"k": (0, 1), "i": (-1, 2), "f": (-1, 5), "b": (0, 6)}[name]
                values = random.integers(low, high, size=shape, endpoint=True) + (
                    0 if name == "k" else random.choice([0.0, 0.3, -0.4], size=shape)
                )
            elif name == "moving_variance":
                values = random.uniform(0.3, 2.0, shape)
            elif name in {"beta", "ebops", "i_decay_speed"}:
                continue
            else:
                values = random.normal(size=shape) * 0.7
            variable.assign(values.astype(np.float32))


def main() -> None:
    """One zip archive of networks, and one file of events and answers."""
    answers: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(HERE / "networks.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for number, (name, build) in enumerate(NETWORKS.items()):
            keras.utils.set_random_seed(number)
            model = build()
            randomized(model, number)
            x = np.random.default_rng(100 + number).integers(-64, 64, size=(EVENTS, *model.input_shape[1:])) / 16
            answers[f"{name}/x"], answers[f"{name}/y"] = x, model.predict(x.astype(np.float32), verbose=0)
            for suffix in ("keras", "h5") if name in {"dense", "batchnorm", "add"} else ("keras",):
                model.save(path := HERE / f"saved.{suffix}")
                archive.writestr(f"{name}.{suffix}", path.read_bytes())
                path.unlink()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **answers)
    (HERE / "answers.npz").write_bytes(buffer.getvalue())


if __name__ == "__main__":
    main()
