"""What products by constants cost, to choose between two ways to build them: with a scale in the weights, or before.

The rules are near those of the estimate (`hardware.estimation.multiply`), for the smallest slices of DSP blocks. Here
products are also shared that differ by a sign or a shift, and signs cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from fpgacnn.ir import hardware as hw
from fpgacnn.ir import quantized as q
from fpgacnn.ir import ranges
from fpgacnn.ir.fixed_point import MAX_WIDTH, Codes, odd_parts, signed_digits
from fpgacnn.passes.precision.nodes import PlannedAffine

FABRIC_WIDEST, FABRIC_NARROWEST = 10, 5
"""Tools build a product of LUTs where both operands have at most ten bits, or one has less than five."""

DSP_PORTS = 18, 25
"""Bits of the ports of a DSP48E1, the smallest slice that designs are made for."""

LUTS_OF_DSP = 100
"""One DSP slice counts as so many LUTs: about as many as parts have for each slice (Kintex UltraScale: 120)."""


class Products(Enum):
    """How the products of a layer are built."""

    CONSTANTS = "each weight is a constant: the strategy latency"
    ADDERS = "each weight is an adder graph: the strategy da, and RTL"
    MEMORY = "weights are in memory, and multipliers are shared: the strategy resource"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folding:
    """Whether scales are folded into the layer behind: the products of all layers, and of single ones by their name.

    The names are those of linear layers, and of scales that have products of their own. `splits`: products behind
    concatenations may be split into two, each for inputs of one width.
    """

    products: Products = Products.CONSTANTS
    products_of: Mapping[str, Products] = field(default_factory=dict)
    splits: bool = False

    def of(self, scale: q.Layer, layer: q.Layer) -> Products | None:
        """The products of a linear layer; None where the scale before it has others, so that they cannot be one."""
        found = self.of_layer(layer)
        return found if self._of(scale) in {None, found} else None

    def of_layer(self, layer: q.Layer) -> Products:
        """The products of a linear layer."""
        return self._of(layer) or self.products

    def _of(self, layer: q.Layer) -> Products | None:
        return self.products_of.get(layer.source, self.products_of.get(layer.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductLayers:
    """One way to build the products: the weights of each layer (rows, outputs), its data and its sums in bits.

    `between` are the bits of a word between two layers, each a register or a place of a FIFO.
    """

    layers: Sequence[tuple[Codes, int, int]]
    between: int

    def cost(self, products: Products) -> tuple[float, float]:
        """LUTs, and what LUTs and DSP slices count together; bits of memory and of a multiplier for shared ones."""
        match products:
            case Products.CONSTANTS:
                found = [_constants(*one) for one in self.layers]
                lut = self.between + sum(one[0] for one in found)
                return lut, lut + LUTS_OF_DSP * sum(one[1] for one in found)
            case Products.ADDERS:
                adders = float(self.between + sum(_adder_bits(*one) for one in self.layers))
                return adders, adders
            case Products.MEMORY:
                kernel, data, _ = self.layers[-1]
                return float(kernel.format.width), float(kernel.format.width * data)


def _constants(kernel: Codes, data: int, total: int) -> tuple[float, float]:
    """LUTs and DSP slices of products by constants, and of the sums; equal weights of one input share a multiplier."""
    lut, slices, multipliers = 0, 0, np.zeros(MAX_WIDTH + 2, np.int64)
    for rows in ranges.row_pieces(kernel.array):
        odd = np.sort(odd_parts(kernel.array[rows]), axis=1)
        digits = signed_digits(odd)
        many = digits >= 3
        many[:, 1:] &= odd[:, 1:] != odd[:, :-1]
        multipliers += np.bincount(np.frexp(odd[many].astype(np.float64))[1] + 1, minlength=multipliers.size)
        lut += int((digits == 2).sum()) * data + int((odd != 0).sum()) * total
    for width in np.flatnonzero(multipliers).tolist():
        if max(width, data) <= FABRIC_WIDEST or min(width, data) < FABRIC_NARROWEST:
            lut += width * data * int(multipliers[width])
        else:
            slices += _slices(width, data) * int(multipliers[width])
    return float(lut), float(slices)


def _slices(left: int, right: int) -> int:
    """DSP slices of a product: tiles of the slice's ports, with one bit less from the second on."""

    def tiles(width: int, port: int) -> int:
        return 1 if width <= port else 1 - (port - width) // (port - 1)

    short, long = DSP_PORTS
    return min(tiles(left, long) * tiles(right, short), tiles(left, short) * tiles(right, long))


def _adder_bits(kernel: Codes, data: int, total: int) -> int:
    """Bits of the adders of products and of their sums."""
    found = 0
    for rows in ranges.row_pieces(kernel.array):
        odd = odd_parts(kernel.array[rows])
        found += int(np.maximum(signed_digits(odd) - 1, 0).sum()) * data + int((odd != 0).sum()) * total
    return found


def is_cheaper(products: Products, joined: ProductLayers, separate: ProductLayers) -> bool:
    """Whether the weights with the scale in them cost no more LUTs, and together with DSP slices no more either."""
    pairs = zip(joined.cost(products), separate.cost(products), strict=True)
    return all(one <= other for one, other in pairs)


def matrix(sums: hw.Linear | PlannedAffine) -> Codes:
    """Weights (rows, outputs), each row for one input; a scale has an input and an output for each channel."""
    codes = sums.scale if isinstance(sums, PlannedAffine) else sums.kernel
    columns = 1 if isinstance(sums, PlannedAffine | hw.Depthwise) else codes.array.shape[-1]
    return replace(codes, array=codes.array.reshape(-1, columns))
