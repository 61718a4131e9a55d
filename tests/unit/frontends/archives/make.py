"""Makes the archives of this folder with the real Keras 2.12 and 2.13, whose layout later versions do not write.

`pip install tensorflow-cpu==2.12.1` (or 2.13.1) in an environment of its own, and `python make.py`. A shared model
inside, layers used twice, layers with and without weights, wrappers, and layers of equal shapes, which must not be
exchanged.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import tensorflow as tf

keras = tf.keras
layers = keras.layers


def network() -> object:
    keras.utils.set_random_seed(3)
    inner = keras.Sequential(
        [layers.Input((4,)), layers.Dense(4, name="z_in"), layers.Dense(4, name="a_in")], name="inner"
    )
    first, second = layers.Input((4,), name="i"), layers.Input((4,), name="j")
    shared = layers.Dense(4, name="a")
    x = shared(layers.Dense(4, use_bias=False, name="b")(first))
    x = layers.BatchNormalization(name="bn")(layers.ReLU()(x))
    x = layers.Dense(4, name="c")(layers.Add()([inner(x), inner(second)]))
    x = layers.Reshape((2, 2))(shared(x))
    for name, layer in (("t0", layers.ReLU()), ("t1", layers.Dense(2)), ("t2", layers.Dense(2))):
        x = layers.TimeDistributed(layer, name=name)(x)
    return keras.Model([first, second], x)


def main() -> None:
    version = "".join(tf.__version__.split(".")[:2])
    here, model = Path(__file__).parent, network()
    model.save(path := here / f"keras{version}.keras", save_format="keras_v3" if version == "212" else "keras")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    np.savez_compressed(here / f"keras{version}.npz", i=x[0], j=x[1], y=model.predict([*x], verbose=0))


if __name__ == "__main__":
    main()
