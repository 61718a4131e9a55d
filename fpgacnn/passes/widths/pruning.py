"""Magnitude pruning: the weights of a kernel with the smallest magnitudes become zero, before they are quantized.

S. Han et al., "Learning both weights and connections for efficient neural networks", arXiv:1506.02626. A product with a
zero is no hardware where all products are computed at once, and no effective bit operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir import source as src
from fpgacnn.ir.source import SourceLayer, SourceModel

MOST_PERCENT = 90
"""The largest share of the weights of a kernel that a search makes zero."""


def kept(kernel: NDArray[np.floating], share: float) -> NDArray[np.bool_]:
    """Where weights stay, in the shape of the kernel; of equal magnitudes, the first are cut.

    `share` of the weights are cut, from 0 to below 1, rounded to whole weights.
    """
    mask = np.ones(kernel.size, np.bool_)
    mask[np.argsort(np.abs(kernel).reshape(-1), kind="stable")[: round(share * kernel.size)]] = False
    return mask.reshape(kernel.shape)


def pruned(network: SourceModel, percents: Mapping[str, int]) -> SourceModel:
    """The network whose kernels have so many percent of zeros, by the names of their layers; others are unchanged."""
    if not any(percents.values()):
        return network
    return replace(network, layers=tuple(_pruned(layer, percents.get(layer.name, 0)) for layer in network.layers))


def _pruned(layer: SourceLayer, percent: int) -> SourceLayer:
    operation = layer.operation
    if not percent or not isinstance(operation, src.Linear):
        return layer
    values = np.where(kept(operation.kernel.values, percent / 100), operation.kernel.values, 0.0)
    return replace(layer, operation=replace(operation, kernel=replace(operation.kernel, values=values)))
