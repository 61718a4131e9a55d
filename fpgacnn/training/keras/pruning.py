"""Magnitude pruning: the smallest weights of every kernel become zero, more of them in each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.passes.widths.pruning import kept

Float32: TypeAlias = NDArray[np.float32]
RAMP = 0.5
"""Fraction of the epochs in which the sparsity rises; in the rest the network recovers."""


def sparsity_at(epoch: int, epochs: int, final: float) -> float:
    """The fraction of zeros in an epoch, from 1: a cubic rise (Zhu and Gupta, arXiv:1710.01878), then constant."""
    ramp = max(round(epochs * RAMP), 1)
    return final * (1 - (1 - min(epoch / ramp, 1.0)) ** 3)


def masks(kernels: Sequence[Float32], sparsity: float) -> list[Float32]:
    """For each kernel, 1 for each weight that stays and 0 for each that is cut; of equal weights the first are cut."""
    return [kept(kernel, sparsity).astype(np.float32) for kernel in kernels]
