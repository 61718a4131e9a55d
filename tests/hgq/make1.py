"""Makes the fixtures of the first HGQ with the real one.

Small networks with random weights and widths, and their answers.

It was written for Keras 2: `pip install HGQ==0.2.6 --no-deps`, `pip install tensorflow tf_keras`, and here `keras` is
tf_keras. `python tests/hgq/make1.py`. Nothing of HGQ is in the files but what it saves.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import io
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

EVENTS = 24
HERE = Path(__file__).parent


class Keras2(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds tf_keras where keras is asked for."""

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        return (
            importlib.machinery.ModuleSpec(name, self, is_package=True) if name.partition(".")[0] == "keras" else None
        )

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return importlib.import_module(f"tf_{spec.name}")

    def exec_module(self, module: ModuleType) -> None:
        pass


os.environ["TF_USE_LEGACY_KERAS"] = "1"
sys.meta_path.insert(0, Keras2())

import keras  # noqa: E402
from HGQ import layers as q  # noqa: E402
from HGQ import to_proxy_model, trace_minmax  # noqa: E402
from HGQ.utils import get_default_kq_conf, get_default_paq_conf  # noqa: E402


def data(**options: Any) -> dict[str, Any]:
    return {"paq_conf": {**get_default_paq_conf(), **options}}


def kernel(**options: Any) -> dict[str, Any]:
    return {"kq_conf": {**get_default_kq_conf(), **options}}


def chain(*layers: Callable[[], Any], shape: tuple[int, ...] = (7, 6, 2)) -> Callable[[], Any]:
    def build() -> Any:
        x = y = keras.layers.Input(shape)
        for layer in (q.HQuantize, *layers):  # the package's own networks begin so
            y = layer()(y)
        return keras.Model(x, y)

    return build


def dense(**options: Any) -> Callable[[], Any]:
    return chain(lambda: q.HDense(5, activation="relu", **options), lambda: q.HDense(3, **options), shape=(7,))


def merged() -> Any:
    x = q.HQuantize()(i := keras.layers.Input((4, 4, 2)))
    both = [q.HConv2D(3, 1)(x), q.HConv2D(3, 3, padding="same", activation="relu")(x)]
    y = q.PConcatenate()([q.HAdd()(both), both[0]])
    return keras.Model(i, y)


CONVOLUTIONS = (
    lambda: q.HConv2D(3, 3, activation="relu", padding="same"),
    lambda: q.PMaxPooling2D((2, 2)),
    lambda: q.HConv2DBatchNorm(4, 2, strides=(1, 2), activation="relu", **data(skip_dims=(0, 1, 2))),
    q.PFlatten,
    lambda: q.HDenseBatchNorm(3),
)
NETWORKS: dict[str, Callable[[], Any]] = {
    "dense1": dense(),
    **{
        f"dense1_{mode}": dense(**data(rnd_strategy=mode), **kernel(rnd_strategy=mode))
        for mode in ("floor", "auto", "stochastic_round")
    },
    "dense1_by_tensor": dense(**data(skip_dims=(0, 1)), **kernel(skip_dims=(0, 1))),
    "dense1_by_tensor_auto": dense(**data(skip_dims="all", rnd_strategy="auto")),
    "dense1_clipped": dense(**data(bw_clip=(1, 3)), **kernel(bw_clip=None)),
    "dense1_frozen_widths": dense(**data(trainable=False), **kernel(trainable=False)),
    "dense1_without_bias": dense(use_bias=False, **data(rnd_strategy="auto")),
    "convolutions1": chain(*CONVOLUTIONS),
    "sequence1": chain(
        lambda: q.HConv1D(3, 3, activation="relu"),
        lambda: q.PAveragePooling1D(2),
        lambda: q.HConv1DBatchNorm(2, 2, use_bias=False),
        lambda: q.HDense(4),
        lambda: q.PReshape((4,)),
        lambda: q.PDropout(0.5),
        shape=(7, 2),
    ),
    "merged1": merged,
    "table1": chain(
        lambda: q.HActivation("tanh"), lambda: q.HActivation("relu", **data(rnd_strategy="auto")), shape=(6,)
    ),
}
PROXIES = {"dense1": {}, "convolutions1": {"aggressive": False}, "merged1": {}, "dense1_auto": {}}
TWICE = {"dense1", "convolutions1", "dense1_frozen_widths"}
"""Saved in both formats."""


def randomized(model: Any, seed: int) -> None:
    """Weights around 1 and widths that round and vanish."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        for variable in layer.weights:
            name, shape = variable.name.split("/")[-1].split(":")[0], variable.shape
            if name in {"beta", "bops"}:
                continue
            bits = random.integers(-1, 5, size=shape) + random.choice([0.0, 0.3, -0.4], size=shape)
            values = bits if name.endswith("_bw") else random.normal(size=shape) * 0.7
            variable.assign((random.uniform(0.3, 2.0, shape) if "variance" in name else values).astype(np.float32))


def main() -> None:
    """One zip archive of networks, and one file of events and answers."""
    answers: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(HERE / "networks1.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:

        def keep(model: Any, name: str, x: np.ndarray) -> None:
            for suffix in ("keras", "h5") if name.removesuffix("_proxy") in TWICE else ("keras",):
                model.save(path := HERE / f"saved.{suffix}")
                archive.writestr(f"{name}.{suffix}", path.read_bytes())
                path.unlink()
            model.predict(x.astype(np.float32), verbose=0)  # the first call clips the widths behind their first use
            answers[f"{name}/x"], answers[f"{name}/y"] = x, model.predict(x.astype(np.float32), verbose=0)

        for number, (name, build) in enumerate(NETWORKS.items()):
            keras.utils.set_random_seed(number)
            model = build()
            randomized(model, number)
            x = np.random.default_rng(100 + number).integers(-64, 64, size=(EVENTS, *model.input_shape[1:])) / 16
            keep(model, name, x)
            if name in PROXIES:
                trace_minmax(model, x[:6].astype(np.float32))  # the other events overflow
                keep(to_proxy_model(model, **PROXIES[name]), f"{name}_proxy", x)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **answers)
    (HERE / "answers1.npz").write_bytes(buffer.getvalue())


if __name__ == "__main__":
    main()
