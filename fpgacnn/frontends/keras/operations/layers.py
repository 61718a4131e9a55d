"""The white list: how each Keras and QKeras layer class becomes operations.

A parser takes what the file says about one layer and gives the chain of operations that it stands for. A class that
is not in `PARSERS`, `NO_OPERATION` or handled by the graph reader is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fpgacnn.errors import UnsupportedLayerError, printable
from fpgacnn.frontends.keras.context import LayerContext, ParsedOperation, Parser
from fpgacnn.frontends.keras.dtypes import refuse_quantized
from fpgacnn.frontends.keras.hgq import hgq1, hgq2, hgq2_merges
from fpgacnn.frontends.keras.layer_config import LayerConfig, short_name
from fpgacnn.frontends.keras.nodes import AUGMENTATIONS
from fpgacnn.frontends.keras.operations import activations, channels_first, functions, linear, shaping
from fpgacnn.frontends.keras.serialized import layer_class

CODE_CARRIERS = frozenset(
    {
        "Lambda",
        "TFOpLambda",
        "SlicingOpLambda",
        "ClassMethod",
        "InstanceMethod",
        "InstanceProperty",
        "TensorFlowOpLayer",
        "TFSMLayer",
        "RandomFourierFeatures",
    }
)
"""Classes that hold Python code or the name of a function to call."""

NO_OPERATION = frozenset(
    {
        "Dropout",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
        "AlphaDropout",
        "GaussianDropout",
        "GaussianNoise",
        "ActivityRegularization",
        "Identity",
        *hgq1.NO_OPERATION,
        *(f"Random{what}" for what in AUGMENTATIONS),
    }
)
"""Classes that do nothing at inference."""

_RECURRENT = (
    "LSTM",
    "GRU",
    "RNN",
    "SimpleRNN",
    "Bidirectional",
    "ConvLSTM2D",
    "QLSTM",
    "QGRU",
    "QSimpleRNN",
    "QBidirectional",
)

HINTS: Mapping[str, str] = {
    "LocallyConnected1D": ": weights that differ from place to place are not supported; use Conv1D",
    "LocallyConnected2D": ": weights that differ from place to place are not supported; use Conv2D",
    **dict.fromkeys(_RECURRENT, ": recurrent layers are not CNNs"),
    **dict.fromkeys(("MultiHeadAttention", "Attention", "AdditiveAttention"), ": attention is not supported"),
    **dict.fromkeys(
        ("QuantizeLayer", "QuantizeWrapper", "QuantizeWrapperV2"),
        ": it was trained for TFLite; give the float network, or train with QKeras",
    ),
    "VitisQuantize": ": it was trained for Vitis AI; give the float network, or train with QKeras",
    "ClusterWeights": ": take it off with strip_clustering of tensorflow_model_optimization and save again",
    **dict.fromkeys(("Conv3D", "MaxPooling3D", "AveragePooling3D"), ": three axes of space are not supported"),
    **dict.fromkeys(
        ("LayerNormalization", "GroupNormalization"),
        ": it divides by a standard deviation of the data; use BatchNormalization",
    ),
    **dict.fromkeys(
        ("UnitNormalization", "RMSNormalization"), ": it divides by a norm of the data; use BatchNormalization"
    ),
    **hgq2_merges.HINTS,
    **hgq1.HINTS,
}
"""Words for refused classes that people meet often."""


_ONLY_LAST = frozenset(
    {*hgq1.PARSERS, *hgq2.PARSERS, *hgq2_merges.PARSERS, "QConv2DBatchnorm", "QDepthwiseConv2DBatchnorm"}
)
"""Classes that are read with channels last only: of HGQ, whose quantizers differ along axes, and those of QKeras that
fold a normalization of the last axis into the kernel."""


def parse_layer(context: LayerContext) -> list[ParsedOperation]:
    """The operations of one layer, in order.

    Raises UnsupportedLayerError for classes that are not on the white list.
    """
    if context.kind == "TimeDistributed":
        return _time_distributed(context)
    parser = PARSERS.get(context.kind)
    if parser is None:
        raise UnsupportedLayerError(layer=context.name, kind=context.kind, why=hint(context.kind))
    refuse_quantized(context.settings)
    if context.settings.get("data_format") in (None, "channels_last"):
        return parser(context)
    if channels_first.is_channels_first(context) and context.kind not in _ONLY_LAST:
        return channels_first.parse(context, parser)
    found = printable(repr(context.settings.get("data_format")))
    raise context.settings.unsupported(f"data_format={found} is not supported", "train with channels last")


def hint(kind: str) -> str:
    """Words for a class that is not built, also for one of a package that is not known."""
    return HINTS.get(kind, HINTS.get(short_name(kind), ""))


def _time_distributed(context: LayerContext) -> list[ParsedOperation]:
    inner = context.settings.get("layer")
    config = inner.get("config") if isinstance(inner, dict) else None
    if (
        not isinstance(inner, dict) or not isinstance(config, dict) or len(context.input) < 2
    ):  # rows and what is in them
        raise context.settings.broken("layer", "TimeDistributed without a layer inside")
    kind = layer_class(inner)
    if kind in NO_OPERATION:
        return []
    settings = LayerConfig(file=context.settings.file, layer=context.name, values=config)
    steps = parse_layer(replace(context, settings=settings, kind=kind, inputs=(context.input[1:],)))
    return shaping.over_time(context, steps)


def is_known(kind: str) -> bool:
    """Whether a class is on the white list."""
    return kind in PARSERS or kind in NO_OPERATION or kind in {"InputLayer", "TimeDistributed"}


PARSERS: Mapping[str, Parser] = {
    **dict.fromkeys(
        ("Conv1D", "Conv2D", "QConv1D", "QConv2D", "QConv2DBatchnorm", "Convolution1D", "Convolution2D"),
        linear.convolution,
    ),
    **dict.fromkeys(
        ("DepthwiseConv1D", "DepthwiseConv2D", "QDepthwiseConv2D", "QDepthwiseConv2DBatchnorm"), linear.depthwise
    ),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D", "QSeparableConv1D", "QSeparableConv2D"), linear.separable),
    **dict.fromkeys(("Dense", "QDense", "QDenseBatchnorm"), linear.dense),
    **dict.fromkeys(
        ("BatchNormalization", "BatchNormalizationV1", "SyncBatchNormalization", "QBatchNormalization"),
        linear.batch_normalization,
    ),
    **dict.fromkeys(
        ("Activation", "QActivation", "ReLU", "LeakyReLU", "ThresholdedReLU", "ELU", "Softmax"),
        activations.activation_layer,
    ),
    "PReLU": activations.prelu,
    **dict.fromkeys(
        ("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D", "QAveragePooling2D"), shaping.pool
    ),
    **dict.fromkeys(
        ("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D"),
        shaping.global_pool,
    ),
    "QGlobalAveragePooling2D": shaping.global_pool,
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D"), shaping.zero_padding),
    **dict.fromkeys(("Cropping1D", "Cropping2D"), shaping.cropping),
    **dict.fromkeys(("UpSampling1D", "UpSampling2D"), shaping.upsampling),
    "Permute": shaping.permute,
    "Flatten": shaping.flatten,
    "Reshape": shaping.reshape,
    "RepeatVector": shaping.repeat_vector,
    **dict.fromkeys(shaping.MERGES, shaping.merge),
    **dict.fromkeys(
        ("Conv1DTranspose", "Conv2DTranspose", "QConv2DTranspose", "Convolution2DTranspose"), linear.transposed
    ),
    "Rescaling": linear.rescaling,
    "Normalization": linear.normalization,
    "Dot": shaping.dot,
    "Concatenate": shaping.concatenate,
    **hgq2.PARSERS,
    **hgq2_merges.PARSERS,
    **hgq1.PARSERS,
    **functions.PARSERS,
}
