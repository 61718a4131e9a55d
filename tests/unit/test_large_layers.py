"""Sums and costs of layers in pieces of rows: those of every weight by itself, in Python's numbers."""

from __future__ import annotations

import numpy as np
import pytest

from fpgacnn.ir import ranges
from fpgacnn.ir.fixed_point import Codes, Format, odd_parts, signed_digits
from fpgacnn.passes.precision.narrowing.product_costs import (
    DSP_PORTS,
    FABRIC_NARROWEST,
    FABRIC_WIDEST,
    LUTS_OF_DSP,
    ProductLayers,
    Products,
)

PIECE = ranges.PIECE_NUMBERS
SHAPES = ((1, 1), (7, 3), (PIECE + 5, 1), (41, PIECE // 20), (2, PIECE + 1))
DATA, TOTAL, BETWEEN = 8, 30, 5


def weights(shape: tuple[int, int], bits: int) -> np.ndarray:
    """Numbers of all sizes up to so many bits, many of them equal or 0."""
    random = np.random.default_rng([*shape, bits])
    sizes = random.integers(0, 1 << random.integers(1, bits, shape), shape, endpoint=True)
    return sizes * random.choice([-1, 0, 1, 1], shape)


def odd(number: int) -> int:
    number = abs(number)
    while number and number % 2 == 0:
        number //= 2
    return number


def digits(number: int) -> int:
    """Canonical signed digits: the bits in which a number and its triple differ."""
    return f"{number ^ 3 * number:b}".count("1")


@pytest.mark.parametrize("bits", [6, 17, 60])
def test_odd_parts_and_digits_are_those_of_every_number(bits: int) -> None:
    numbers = weights((40, 50), bits)
    assert odd_parts(numbers).ravel().tolist() == [odd(one) for one in numbers.ravel().tolist()]
    assert signed_digits(np.abs(numbers)).ravel().tolist() == [digits(abs(one)) for one in numbers.ravel().tolist()]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("depthwise", [False, True], ids=["dense", "depthwise"])
def test_sums_of_pieces_are_sums_of_all_rows(shape: tuple[int, int], *, depthwise: bool) -> None:
    random, matrix = np.random.default_rng(5), weights(shape, 30)
    ends = np.sort(random.integers(-(1 << 10), 1 << 10, (2, *((shape[1],) if depthwise else (shape[0], 1)))), axis=0)
    below, above = ranges.products(*ends, matrix)
    low, high = ranges.sums(*ends, matrix)
    assert (low == below.sum(axis=0)).all()
    assert (high == above.sum(axis=0)).all()
    largest = np.abs(ends).max(axis=0).astype(float)
    assert (ranges.sizes(largest, matrix) == (np.abs(matrix) * largest).sum(axis=0)).all()


def test_sizes_of_products_beyond_64_bits_do_not_wrap() -> None:
    matrix = np.full((3, 2), -(1 << 60))
    assert ranges.sizes(np.full((3, 1), 2.0**40), matrix).tolist() == [3 * 2.0**100] * 2


def slices(width: int) -> int:
    """DSP slices of a product with DATA bits, which are fewer than those of either port."""
    port = max(DSP_PORTS)
    return 1 if width <= port else 1 + -(-(width - port) // (port - 1))


def costs(matrix: np.ndarray, products: Products) -> tuple[int, int]:
    """LUTs, and slices of DSP blocks, weight for weight."""
    lut, blocks = BETWEEN, 0
    for row in matrix.tolist():
        found = [odd(one) for one in row]
        lut += TOTAL * sum(one != 0 for one in found)
        if products is Products.ADDERS:
            lut += DATA * sum(max(digits(one) - 1, 0) for one in found)
            continue
        lut += DATA * sum(digits(one) == 2 for one in found)
        for width in (one.bit_length() + 1 for one in set(found) if digits(one) >= 3):
            if max(width, DATA) <= FABRIC_WIDEST or width < FABRIC_NARROWEST:
                lut += DATA * width
            else:
                blocks += slices(width)
    return lut, blocks


@pytest.mark.parametrize("bits", [4, 9, 17, 45])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("products", [Products.CONSTANTS, Products.ADDERS])
def test_costs_of_pieces_are_those_of_every_weight(shape: tuple[int, int], bits: int, products: Products) -> None:
    matrix = weights(shape, bits)
    codes = Codes(array=matrix, format=Format(width=bits + 1, integer=bits + 1))
    lut, blocks = costs(matrix, products)
    found = ProductLayers(layers=[(codes, DATA, TOTAL)], between=BETWEEN).cost(products)
    assert found == (lut, lut + LUTS_OF_DSP * blocks)
