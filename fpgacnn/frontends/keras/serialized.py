"""Objects as Keras serializes them.

Class, package and configuration are read together, never one without the others.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fpgacnn.frontends.keras.layer_config import MAX_NUMBER, Json, class_of
from fpgacnn.ir.source import FloatArray

TENSOR = "__keras_tensor__"
_ARRAYS = ("__numpy__", "__tensor__")


def layer_class(entry: Mapping[str, Json]) -> str:
    """The class of a layer; HGQ2's carry their package, since QKeras has layers of the same names."""
    words = [entry.get(key) for key in ("class_name", "registered_name", "module")]
    name = class_of(entry)
    return f"hgq>{name}" if any(isinstance(word, str) and word.startswith(("hgq>", "hgq.")) for word in words) else name


def plain(value: Json) -> Json:
    """A value with its tuples as lists."""
    if isinstance(value, dict):
        if value.get("class_name") == "__tuple__" and isinstance(value.get("items"), list):
            return plain(value["items"])
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def array_of(value: Json) -> FloatArray | None:
    """A number, nested lists of numbers, or a serialized array, as float32 values; None for anything else."""
    if isinstance(value, dict):
        config = value.get("config")
        if (
            value.get("class_name") not in _ARRAYS
            or not isinstance(config, dict)
            or isinstance(config.get("value"), dict)
        ):
            return None
        return array_of(config.get("value"))
    if not _is_numeric(value):
        return None
    try:
        numbers = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):  # of unequal lengths
        return None
    return numbers.astype(np.float32).astype(np.float64) if np.all(np.abs(numbers) <= MAX_NUMBER) else None


def _is_numeric(value: Json) -> bool:
    """Whether a value is a number or lists of numbers; truth values, texts and null are none."""
    if isinstance(value, list):
        return bool(value) and all(map(_is_numeric, value))
    return isinstance(value, int | float) and not isinstance(value, bool)
