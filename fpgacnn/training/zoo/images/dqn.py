"""The network of the Atari DQN (Mnih et al., Nature 518, 2015): from four frames of 84 x 84 to a value for each action.

Filters, strides and sizes are the paper's: 8 x 8 by 4, 4 x 4 by 2, 3 x 3 by 1, images of 20, 9 and 7. The number of
filters is half and the dense layer an eighth of the paper's, whose 1.7 million parameters would fill the memory of a
mid-range FPGA.
"""

from __future__ import annotations

from fpgacnn.training.keras import Keras, KerasModel


def build(modules: Keras) -> KerasModel:
    """Values of 6 actions; they are real numbers, so there is no softmax."""
    layers = modules.keras.layers
    return modules.keras.Sequential(
        [
            layers.Input((84, 84, 4), name="frames"),
            layers.Conv2D(16, 8, strides=4, activation="relu", name="conv1"),
            layers.Conv2D(32, 4, strides=2, activation="relu", name="conv2"),
            layers.Conv2D(32, 3, activation="relu", name="conv3"),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="relu", name="hidden"),
            layers.Dense(6, name="values"),
        ],
        name="dqn",
    )
