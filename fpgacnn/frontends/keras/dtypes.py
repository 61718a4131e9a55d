"""The number type of a layer: its `dtype`, a name or a policy with options."""

from __future__ import annotations

from fpgacnn.frontends.keras.layer_config import LayerConfig

_POLICIES = ("Policy", "DTypePolicy", "FloatDTypePolicy")
_HALVES = frozenset({"float16", "half", "bfloat16", "mixed_float16", "mixed_bfloat16"})


def refuse_quantized(settings: LayerConfig) -> None:
    """Raise UnsupportedOptionError for a network of `model.quantize` of Keras 3.

    Its kernels are codes with separate scales.
    """
    dtype = settings.get("dtype")
    kind = dtype.get("class_name") if isinstance(dtype, dict) else None
    if (kind is not None and kind not in _POLICIES) or "_from_" in _name(settings):
        why = (
            f"it was quantized by Keras after training ({kind or dtype}), which rounds its inputs anew for every event"
        )
        raise settings.unsupported(why, "convert the model as it was before model.quantize()")


def is_half(settings: LayerConfig) -> bool:
    """Whether the layer computes in 16-bit floats."""
    return _name(settings) in _HALVES


def _name(settings: LayerConfig) -> str:
    dtype = settings.get("dtype")
    config = dtype.get("config") if isinstance(dtype, dict) else None
    name = config.get("name") if isinstance(config, dict) else dtype
    return name if isinstance(name, str) else ""
