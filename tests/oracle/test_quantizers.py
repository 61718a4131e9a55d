"""Our quantizers against QKeras' own, on ties, extremes and random values, as weights and as activations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fpgacnn.frontends.keras.operations.quantizers import parse_quantizer
from fpgacnn.passes.quantization.quantizers import apply

pytestmark = pytest.mark.train

BITS = [
    {"bits": bits, "integer": integer, "symmetric": symmetric, "keep_negative": keep, "alpha": alpha}
    for bits, integer, symmetric, keep, alpha in itertools.product(
        (1, 2, 4, 8, 16), (0, 2, 5), (0, 1), (True, False), (1.0, None, 0.5, 0.3)
    )
]
AUTOMATIC = [
    {"bits": bits, "integer": integer, "alpha": alpha, "symmetric": 1}
    for bits, integer, alpha in itertools.product((2, 3, 4, 6, 8), (0, 2), ("auto", "auto_po2"))
]
RELU = [
    {"bits": bits, "integer": integer, "use_sigmoid": sigmoid, "negative_slope": slope}
    for bits, integer, (sigmoid, slope) in itertools.product(
        (2, 3, 6, 8), (0, 2, 8), ((0, 0.0), (1, 0.0), (0, 0.25), (0, 0.5))
    )
]


@pytest.fixture(scope="module")
def qkeras():
    from fpgacnn.training.keras import open_keras

    return open_keras().qkeras


def values() -> np.ndarray:
    random = np.random.default_rng(5)
    ties = np.arange(-80, 80) / 32.0
    return np.concatenate(
        [ties, random.normal(size=200) * 3, random.normal(size=100) * 0.1, [0.0, -0.0, 100.0, -100.0, 1e-6]]
    ).astype(np.float32)


def on_a_grid(x: np.ndarray) -> np.ndarray:
    """Multiples of 2^-12 up to 10, on which QKeras' `x + (q - x)` is exact in float32."""
    return (np.rint(x[np.abs(x) <= 10] * 4096) / 4096).astype(np.float32)


def answer(qkeras: object, name: str, config: dict[str, object], x: np.ndarray) -> np.ndarray:
    return np.asarray(getattr(qkeras, name)(**config)(x), np.float64)


def ours(name: str, config: dict[str, object], x: np.ndarray) -> np.ndarray:
    quantizer = parse_quantizer({"class_name": name, "config": config}, layer="test")
    return apply(x.astype(np.float64), quantizer).product


def close_to_float32(wanted: np.ndarray, seen: np.ndarray) -> bool:
    """Equal up to the float32 rounding of a product with a scale and of QKeras' `x + (q - x)`."""
    return bool(np.all(np.abs(wanted - seen) <= 1e-6 * np.maximum(np.abs(wanted), 1e-3) + 1e-5 * (np.abs(wanted) > 10)))


@pytest.mark.parametrize("config", BITS, ids=str)
def test_quantized_bits_equals_qkeras(qkeras: object, config: dict[str, object]) -> None:
    x = on_a_grid(values())
    wanted, seen = answer(qkeras, "quantized_bits", config, x), ours("quantized_bits", config, x)
    assert close_to_float32(wanted, seen) if config["alpha"] == 0.3 else np.array_equal(wanted, seen)


@pytest.mark.parametrize("config", AUTOMATIC, ids=str)
@pytest.mark.parametrize("shape", [(3, 3, 4, 6), (20, 5), (7,)], ids=str)
def test_automatic_scales_equal_qkeras(qkeras: object, config: dict[str, object], shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(9)
    for scale in (0.05, 1.0, 7.0):
        x = (random.normal(size=shape) * scale).astype(np.float32)
        wanted, seen = answer(qkeras, "quantized_bits", config, x), ours("quantized_bits", config, x)
        assert close_to_float32(wanted, seen), np.abs(wanted - seen).max()


@pytest.mark.parametrize("config", RELU, ids=str)
def test_quantized_relu_equals_qkeras(qkeras: object, config: dict[str, object]) -> None:
    x = on_a_grid(values())
    assert np.array_equal(answer(qkeras, "quantized_relu", config, x), ours("quantized_relu", config, x))
