"""The source network: what a model file says, parsed to layers with real weights and typed quantizers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from fpgacnn.ir.element_types import ElementKind
from fpgacnn.ir.quantizers import (
    UNLIMITED,
    Binary,
    FloatArray,
    PowerOfTwo,
    QuantizedBits,
    QuantizedRelu,
    QuantizedSigmoid,
    QuantizedTanh,
    Quantizer,
    Ternary,
    Uniform,
)

Shape: TypeAlias = tuple[int, ...]

LEFT_OUT = {"left out": True}
"""That of `fpgacnn.system.codec`, from which this package must not import."""

# --- activations ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Relu:
    """Keras `ReLU`: `x if x >= threshold else negative_slope * (x - threshold)`, at most `max_value`."""

    max_value: float | None = None
    negative_slope: float = 0.0
    threshold: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PRelu:
    """`x if x > 0 else slope * x` with trained slopes that broadcast against the tensor."""

    slope: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Softmax:
    """Softmax over the last axis."""


class FunctionKind(StrEnum):
    """Smooth functions of one number, defined in `fpgacnn.ir.functions`."""

    SIGMOID = "sigmoid"
    TANH = "tanh"
    SOFTPLUS = "softplus"
    SOFTSIGN = "softsign"
    ELU = "elu"
    SELU = "selu"
    EXPONENTIAL = "exponential"
    SWISH = "swish"
    GELU = "gelu"
    MISH = "mish"
    HARD_SIGMOID = "hard_sigmoid"
    HARD_SWISH = "hard_swish"
    HARD_TANH = "hard_tanh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function of one number; `alpha` is its parameter (ELU: the limit; hard sigmoid: the slope).

    `by_sixths`: a hard sigmoid is computed as `relu6(x + 3) / 6` (Keras 3), not as `alpha * x + 0.5` limited to 0..1.
    `in_float32`: a hard sigmoid or hard swish is evaluated in float32, with each operation rounded as in the framework.
    It is set where a quantizer reads the result, because the rounding decides on which side of a tie the result is.
    """

    kind: FunctionKind
    alpha: float = 1.0
    by_sixths: bool = False
    in_float32: bool = False


Activation: TypeAlias = Quantizer | Relu | PRelu | Function | Softmax

# --- layers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """Trained float values and the quantizer that the framework applies to them at inference."""

    values: FloatArray
    quantizer: Quantizer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Batch normalization: `gamma * (x - mean) / sqrt(variance + epsilon) + beta`, each of shape (channels,)."""

    gamma: Weight
    beta: Weight
    mean: Weight
    variance: Weight
    epsilon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input of the network; `element` is the type of its numbers in the file."""

    element: ElementKind = ElementKind.FLOAT32


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """Conv1D or Conv2D, channels last. `pads` are top, bottom, left, right.

    `kernel` is (h, w, in per group, out), with h = 1 for Conv1D.

    `folded` statistics are multiplied into kernel and bias before these are quantized (QConv2DBatchnorm); the folded
    bias exists even where the layer itself has none, and is quantized by `folded_bias_quantizer`.
    """

    kernel: Weight
    bias: Weight | None
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    folded: Statistics | None = None
    folded_bias_quantizer: Quantizer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Depthwise:
    """DepthwiseConv1D or 2D. `kernel` (h, w, in, multiplier); output channel c * multiplier + m reads channel c."""

    kernel: Weight
    bias: Weight | None
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    dilation: tuple[int, int] = (1, 1)
    folded: Statistics | None = None
    folded_bias_quantizer: Quantizer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transposed:
    """Conv1DTranspose or Conv2DTranspose: every input cell adds its value times the kernel, at steps of `strides`.

    `kernel` is (h, w, out, in), as Keras stores it. `begin` are the rows and columns cut off above and left of the
    sums. The shape of the result decides where they end; cells that no input reaches are zero.
    """

    kernel: Weight
    bias: Weight | None
    strides: tuple[int, int]
    begin: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense:
    """Dense on the last axis. `kernel` (in, out)."""

    kernel: Weight
    bias: Weight | None
    folded: Statistics | None = None
    folded_bias_quantizer: Quantizer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchNormalization:
    """Batch normalization along the last axis at inference."""

    statistics: Statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class Activate:
    """An elementwise function or a quantizer of activations."""

    function: Activation


class PoolKind(StrEnum):
    """How pooling reduces a window."""

    MAX = "max"
    AVERAGE = "average"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Pooling over windows; padded cells are left out. Height entries are 1 for 1-D.

    `factor` quantizes the mean: QAveragePooling2D multiplies the sum by this quantized 1/area instead of dividing.
    """

    kind: PoolKind
    size: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    factor: Weight | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalPool:
    """Pooling over all positions; `keep_dims` leaves axes of length 1."""

    kind: PoolKind
    keep_dims: bool = False
    factor: Weight | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroPad:
    """Zeros around the image: top, bottom, left, right (top and bottom are 0 for 1-D)."""

    pads: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """Rows and columns cut off at the border: top, bottom, left, right."""

    borders: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upsample:
    """Every cell repeated `factors` times (nearest neighbour)."""

    factors: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Permute:
    """Axes in a new order, counted without the events axis."""

    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshape:
    """Flatten or Reshape: the same elements in the same order; the layer states the new shape."""


class MergeKind(StrEnum):
    """Elementwise operations of two or more tensors of one shape."""

    ADD = "add"
    SUBTRACT = "subtract"
    MULTIPLY = "multiply"
    AVERAGE = "average"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Elementwise merge; a tensor of fewer or shorter axes is repeated, as Keras does: missing axes come first."""

    kind: MergeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Concatenate:
    """Concatenation along `axis` of the shape without the events axis."""

    axis: int


Linear: TypeAlias = Convolution | Depthwise | Transposed | Dense

Moving: TypeAlias = ZeroPad | Crop | Upsample | Permute | Reshape | Concatenate

SourceOperation: TypeAlias = Input | Linear | BatchNormalization | Activate | Pool | GlobalPool | Moving | Merge


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLayer:
    """One layer: `name` as in the file, `kind` its class there, `shape` of its output without the events axis.

    The axes of the file's tensor are those of the layer, taken in `order`; None: they are the same.
    """

    name: str
    kind: str
    operation: SourceOperation
    inputs: tuple[str, ...]
    shape: Shape
    order: tuple[int, ...] | None = field(default=None, metadata=LEFT_OUT)

    @property
    def parameters(self) -> int:
        """How many trained numbers the layer has, batch statistics included."""
        return sum(weight.values.size for weight in weights_of(self.operation))


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceModel:
    """A network as its file describes it: layers in an order that can be computed, inputs and outputs by layer name.

    `has_given_widths`: it was a float network, and fpgacnn added the quantizers.
    """

    name: str
    digest: str
    framework: str
    layers: tuple[SourceLayer, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    has_given_widths: bool = False

    def layer(self, name: str) -> SourceLayer:
        """The layer of that name."""
        return next(layer for layer in self.layers if layer.name == name)


def weights_of(operation: SourceOperation) -> tuple[Weight, ...]:
    """All trained weights of an operation."""
    match operation:
        case Transposed():
            return (operation.kernel, *((operation.bias,) if operation.bias else ()))
        case Convolution() | Depthwise() | Dense():
            folded = statistics_weights(operation.folded) if operation.folded else ()
            return (operation.kernel, *((operation.bias,) if operation.bias else ()), *folded)
        case BatchNormalization():
            return statistics_weights(operation.statistics)
        case Activate(function=PRelu(slope=slope)):
            return (Weight(values=slope),)
        case _:
            return ()


def statistics_weights(statistics: Statistics) -> tuple[Weight, ...]:
    """The four weights of a batch normalization."""
    return (statistics.gamma, statistics.beta, statistics.mean, statistics.variance)
