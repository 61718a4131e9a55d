"""Names of operations and quantizers in `design.json` and golden vectors: part of the formats, not of the code.

If a class is renamed, its text here stays. A new operation needs a new text. docs/design-format.md describes each.
"""

from __future__ import annotations

from collections.abc import Mapping

from fpgacnn.ir import hardware as hw
from fpgacnn.ir import quantizers
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes

TAGS: Mapping[type, str] = {
    # operations of the source network
    src.Input: "input",
    src.Convolution: "convolution",
    src.Depthwise: "depthwise",
    src.Transposed: "transposed",
    src.Dense: "dense",
    src.BatchNormalization: "batch_normalization",
    src.Activate: "activate",
    src.Pool: "pool",
    src.GlobalPool: "global_pool",
    src.Merge: "merge",
    # operations that are the same in the source network and in hardware
    src.ZeroPad: "zero_pad",
    src.Crop: "crop",
    src.Upsample: "upsample",
    src.Permute: "permute",
    src.Reshape: "reshape",
    src.Concatenate: "concatenate",
    # activation functions of the source network
    src.Relu: "relu",
    src.PRelu: "p_relu",
    src.Softmax: "softmax",
    src.Function: "function",
    # quantizers of the source network
    quantizers.QuantizedBits: "quantized_bits",
    quantizers.QuantizedRelu: "quantized_relu",
    quantizers.Binary: "binary",
    quantizers.Ternary: "ternary",
    quantizers.PowerOfTwo: "power_of_two",
    quantizers.QuantizedTanh: "quantized_tanh",
    quantizers.QuantizedSigmoid: "quantized_sigmoid",
    quantizers.Uniform: "uniform",
    # operations of the hardware
    hw.Input: "input",
    hw.Convolution: "convolution",
    hw.Dense: "dense",
    hw.Depthwise: "depthwise",
    hw.Affine: "affine",
    hw.Lookup: "lookup",
    hw.Thresholds: "thresholds",
    hw.Cast: "cast",
    hw.Relu: "relu",
    hw.Saturate: "saturate",
    hw.LeakyRelu: "leaky_relu",
    hw.ThresholdRelu: "threshold_relu",
    hw.Pool: "pool",
    hw.GlobalPool: "global_pool",
    hw.Merge: "merge",
    hw.Softmax: "softmax",
}
"""Class of a record that is a member of a union -> the text of its field `type`, unique in each union."""

PARTS: Mapping[type, str] = {
    Codes: "codes",
    src.Weight: "weight",
    src.Statistics: "statistics",
}
"""Records that are not members of unions and have no field `type`; golden vectors name them."""
