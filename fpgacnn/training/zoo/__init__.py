"""The model zoo: classic architectures as Keras models, small enough for a mid-range FPGA.

`seeded(ZOO[name].build(open_keras()), seed)` is the float network with seeded weights; `fpgacnn quantize` quantizes
it, and `tools/zoo.py` runs all of them through the whole pipeline and writes docs/zoo.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from fpgacnn.training.keras import Keras, KerasModel
from fpgacnn.training.zoo.images import (
    alexnet,
    densenet,
    dqn,
    edges,
    inception,
    lenet5,
    local,
    resnet,
    segmentation,
    svhn,
    vgg,
)
from fpgacnn.training.zoo.physics import jets, sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooEntry:
    """One network: its description, and the data set that it is trained on, or None if the weights stay seeded.

    `epochs` are those of the float training. `is_known`: its weights are neither trained nor seeded but given.
    `reuse` is the reuse factor with which the network fits a mid-range part.
    """

    build: Callable[[Keras], KerasModel]
    data: str | None = None
    epochs: int = 0
    is_known: bool = False
    reuse: int = 1


ZOO: Mapping[str, ZooEntry] = {
    "edges": ZooEntry(build=edges.build, is_known=True),
    "lenet5": ZooEntry(build=lenet5.build, data="mnist5k", epochs=8, reuse=64),
    "alexnet": ZooEntry(build=alexnet.build, reuse=64),
    "vgg": ZooEntry(build=vgg.build, data="mnist5k", epochs=12, reuse=16),
    "inception": ZooEntry(build=inception.build, data="digits", epochs=20, reuse=16),
    "resnet8": ZooEntry(build=resnet.build_8, data="digits", epochs=20, reuse=16),
    "resnet20": ZooEntry(build=resnet.build_20, reuse=64),
    "densenet": ZooEntry(build=densenet.build, data="digits", epochs=20, reuse=16),
    "dqn": ZooEntry(build=dqn.build, reuse=64),
    "segmentation": ZooEntry(build=segmentation.build),
    "local": ZooEntry(build=local.build),
    "svhn": ZooEntry(build=svhn.build, reuse=16),
    "jets": ZooEntry(build=jets.build),
    "sequence": ZooEntry(build=sequence.build, data="km3net", epochs=6),
}


def seeded(model: KerasModel, seed: int) -> KerasModel:
    """The model with random weights that keep the size of the data from layer to layer, and random batch statistics."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        name, shape = variable.name.rsplit("/", 1)[-1], tuple(variable.shape)
        if "kernel" in name:
            values = random.normal(size=shape) * np.sqrt(2.0 / np.prod(shape[:-1]))
        elif "gamma" in name or "variance" in name:
            values = random.uniform(0.5, 1.5, size=shape)
        else:
            values = random.normal(size=shape) * 0.1
        variable.assign(values.astype(np.float32))
    return model
