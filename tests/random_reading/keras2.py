"""Random networks of Keras 2 with TensorFlow's functions between layers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from fpgacnn.training.keras import open_keras
from tests.random_reading.functional import Functions, Maker, saved
from tests.random_reading.law import Saved

FREED_EVERY = 50


def make(seed: int, folder: Path) -> Saved:
    """The network of a seed."""
    modules = open_keras()
    forgotten(modules.keras, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns that HDF5 is old
        maker = Maker(random=np.random.default_rng(seed), keras=modules.keras, functions=functions())
        plainly = modules.tf.autograph.experimental.do_not_convert(saved)  # no layer has Python code to convert
        _, found = plainly(maker, folder, steps=2 + seed % 5)
        return found


def forgotten(keras: Any, seed: int) -> None:
    """Names begin anew for every network; graphs are freed now and then, since that takes a quarter of the time."""
    keras.backend.reset_uids()
    if seed % FREED_EVERY == 0:
        keras.backend.clear_session()


def functions() -> Functions:
    """TensorFlow's functions by the words of this package."""
    import tensorflow as tf

    return {
        "constant": tf.constant,
        "add": tf.add,
        "subtract": tf.subtract,
        "multiply": tf.multiply,
        "divide": tf.divide,
        "maximum": tf.maximum,
        "minimum": tf.minimum,
        "clip": tf.clip_by_value,
        "abs": tf.abs,
        "negative": tf.negative,
        "square": tf.square,
        "relu": tf.nn.relu,
        "relu6": tf.nn.relu6,
        "leaky_relu": lambda x: tf.nn.leaky_relu(x, alpha=0.25),
        "sigmoid": tf.sigmoid,
        "tanh": tf.tanh,
        "softmax": tf.nn.softmax,
        "silu": tf.nn.silu,
        "elu": tf.nn.elu,
        "transpose": tf.transpose,
        "reshape": tf.reshape,
        "expand_dims": tf.expand_dims,
        "squeeze": tf.squeeze,
        "mean": tf.reduce_mean,
        "max": tf.reduce_max,
        "min": tf.reduce_min,
        "sum": tf.reduce_sum,
        "stack": tf.stack,
        "concat": tf.concat,
        "split": tf.split,
        "unstack": tf.unstack,
        "pad": tf.pad,
    }
