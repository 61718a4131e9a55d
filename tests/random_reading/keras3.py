"""Random networks of Keras 3 with `keras.ops` between layers."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from fpgacnn.training.keras import open_keras
from tests.random_reading.functional import Functions, Maker, saved
from tests.random_reading.law import Saved

EVENTS = 5
"""Not the length of an axis.

`ops.add` of the TensorFlow backend takes four events of one value for a bias of four channels.
"""


def make(seed: int, folder: Path) -> Saved:
    """The network of a seed."""
    open_keras()  # TensorFlow, quiet, is the backend
    import keras

    keras.backend.clear_session(free_memory=False)  # collecting garbage takes most of the time
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns that HDF5 is old
        maker = Maker(random=np.random.default_rng(seed), keras=keras, functions=functions(keras.ops))
        return saved(maker, folder, steps=2 + seed % 5, count=EVENTS)[1]


def functions(ops: Any) -> Functions:
    """Keras' operations by the words of this package."""

    def split(x: Any, sizes: int | list[int], axis: int) -> Any:
        ends = sizes if isinstance(sizes, int) else list(itertools.accumulate(sizes))[:-1]
        return ops.split(x, ends, axis=axis)

    names = (
        *("add", "subtract", "multiply", "divide", "maximum", "minimum", "clip", "abs", "negative", "square", "relu"),
        *("relu6", "sigmoid", "tanh", "softmax", "silu", "elu", "transpose", "reshape", "expand_dims", "squeeze"),
        *("mean", "max", "min", "sum", "stack", "unstack", "pad", "swapaxes", "moveaxis"),
    )
    return {
        **{name: getattr(ops, name) for name in names},
        "constant": ops.convert_to_tensor,
        "leaky_relu": lambda x: ops.leaky_relu(x, negative_slope=0.25),
        "concat": ops.concatenate,
        "split": split,
    }
