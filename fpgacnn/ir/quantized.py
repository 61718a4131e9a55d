"""The quantized graph: the network in integer codes, and the real numbers that the codes stand for.

The quantization pass makes it, and legalization replaces it by the hardware graph. It says what the network computes,
with real scales, functions of real numbers and quantizers, and where the framework's own float32 may come to another
result. Operations without such a remark are those of the hardware.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from fpgacnn.ir import graph
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import CodeArray, Codes, Format, Rounding
from fpgacnn.ir.source import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightErrors:
    """The largest absolute differences between the codes of a float layer's weights and the trained numbers.

    `kernel` is one number for all weights, or one for each, in the shape of the kernel.
    """

    kernel: float | FloatArray
    bias: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """Sums of products with integer weights.

    `errors`: the layer has float weights, which were rounded; None where the codes are the weights.
    `rounds_in_float32`: the framework folds a batch normalization into a weight that is so near a tie of its quantizer
    that its float32 may round it to the other side.
    """

    sums: hw.Linear
    errors: WeightErrors | None = None
    rounds_in_float32: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """`x * scale / divisor + shift` in real numbers; scale and shift are (channels,).

    The divisor of a mean is a field of its own, because no float is exactly a third.
    """

    scale: FloatArray
    shift: FloatArray
    divisor: int = 1

    @property
    def slope(self) -> FloatArray:
        """`scale / divisor` (channels,), rounded to float64."""
        return self.scale / self.divisor


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine:
    """`x * scale + shift` along the last axis with every bit kept; the codes stand for the `trained` numbers.

    `rounds_in_float32`: the framework computes the same by several operations in float32, each of which rounds.
    """

    scale: Codes
    shift: Codes
    trained: Line
    rounds_in_float32: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakyRelu:
    """`x if x > 0 else slope * x` with every bit kept; `trained` are the real slopes, (1,) or one for each element."""

    slope: Codes
    trained: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """A quantizer of activations.

    `through_hard_sigmoid`: the framework rounds a hard sigmoid of the value, which it computes in float32.
    """

    format: Format
    through_hard_sigmoid: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Relu:
    """`max(x, 0)`, then a quantizer where there is a format; `through_hard_sigmoid` as in a cast."""

    format: Format | None = None
    through_hard_sigmoid: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ternary:
    """-1 up to `-threshold`, 1 from `threshold` on, 0 between."""

    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Rounding to whole numbers without a limit.

    `ends`: values beyond them are refused, since the framework does not say what becomes of them.
    """

    rounding: Rounding
    ends: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrap:
    """Whole numbers brought into `low..high` (channels,) by adding multiples of its length, which is a power of two."""

    low: CodeArray
    high: CodeArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function of one real number (`fpgacnn.ir.functions.evaluate`)."""

    function: src.Function | src.PowerOfTwo | src.QuantizedTanh | src.QuantizedSigmoid


Shared: TypeAlias = (
    hw.Input | hw.Saturate | hw.ThresholdRelu | hw.Pool | hw.GlobalPool | hw.Merge | hw.Softmax | src.Moving
)
"""Operations that hardware computes as they are."""

Operation: TypeAlias = Linear | Affine | LeakyRelu | Cast | Relu | Ternary | Round | Wrap | Function | Shared

Layer: TypeAlias = graph.Node[Operation]
"""One node of the quantized graph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedModel(graph.Graph[Layer]):
    """A network in integer codes."""
