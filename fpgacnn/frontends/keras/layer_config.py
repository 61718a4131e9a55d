"""Read a layer's configuration from JSON with types: errors name the key, and nothing is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from fpgacnn.errors import BrokenArchitectureError, UnsupportedOptionError

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

MAX_SIZE = 1 << 20
MAX_NUMBER = (2.0 - 2.0**-23) * 2.0**127
"""The largest finite float32, in which the framework computes."""

_ARRAYS = ("__numpy__", "__tensor__")
"""Classes of Keras 2.12 and later for numbers and arrays of other libraries among a layer's options."""

_PACKAGES = frozenset(
    {"builtins", "hgq", "keras", "keras_core", "qkeras", "tensorflow", "tensorflow_model_optimization", "tf_keras"}
)
"""The packages whose classes can have a bare name, in small letters."""


def short_name(name: Json) -> str:
    """`QKeras>QConv2D` is `QConv2D`."""
    return name.rsplit(">", 1)[-1] if isinstance(name, str) else repr(name)


def class_of(entry: Mapping[str, Json]) -> str:
    """The class of a serialized object; one of an unknown package keeps its package, and so matches no supported class.

    A file names it by `class_name`, and says in `module` and `registered_name` whose it is: a class of the user's own
    may be called `Dense`, too.
    """
    name = short_name(entry.get("class_name"))
    module, registered, called = (entry.get(key) for key in ("module", "registered_name", "class_name"))
    owners = [module.partition(".")[0]] if isinstance(module, str) and module else []
    owners += [word.partition(">")[0] for word in (registered, called) if isinstance(word, str) and ">" in word]
    foreign = next((owner for owner in owners if owner.lower() not in _PACKAGES), None)
    return name if foreign is None else f"{foreign}>{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerConfig:
    """The `config` of one layer in one file."""

    file: Path
    layer: str
    values: Mapping[str, Json]

    def broken(self, key: str, why: str) -> BrokenArchitectureError:
        """The error for a value that Keras does not write."""
        return BrokenArchitectureError(file=self.file, where=f"layer '{self.layer}'", why=f"{key}: {why}")

    def unsupported(self, why: str, do: str) -> UnsupportedOptionError:
        """The error for a value that Keras can write but the hardware cannot have."""
        return UnsupportedOptionError(layer=self.layer, why=why, do=do)

    def with_value(self, key: str, value: Json) -> LayerConfig:
        """The same with another value."""
        return replace(self, values={**self.values, key: value})

    def get(self, key: str, default: Json = None) -> Json:
        """The raw value; a serialized number or array of NumPy or of the framework becomes a number or list."""
        value = self.values.get(key, default)
        if (
            isinstance(value, dict)
            and value.get("class_name") in _ARRAYS
            and isinstance(config := value.get("config"), dict)
        ):
            return config.get("value", default)
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """A bool; some files have 0 and 1."""
        value = self.get(key, default)
        if value is None:
            return default
        if value in (0, 1):
            return bool(value)
        raise self.broken(key, f"expected true or false, found {value!r}")

    def number(self, key: str, default: float) -> float:
        """A finite number as float32; null means the default."""
        value = self.get(key, default)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_NUMBER:
            raise self.broken(key, f"expected a number, found {value!r}")
        return float(np.float32(value))

    def integer(self, key: str, default: int | None = None) -> int:
        """An integer from 1 to 2^20."""
        value = self.get(key, default)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_SIZE:
            raise self.broken(key, f"expected an integer from 1 to {MAX_SIZE}, found {value!r}")
        return value

    def sizes(self, key: str, count: int, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """`count` positive integers; a single number counts for all."""
        value = self.get(key)
        if value is None and default is not None:
            return default
        items = value if isinstance(value, list) else [value] * count
        if len(items) == 1:
            items = items * count
        if len(items) != count:
            raise self.broken(key, f"expected {count} numbers, found {value!r}")
        return tuple(LayerConfig(file=self.file, layer=self.layer, values={key: item}).integer(key) for item in items)

    def word(self, key: str, allowed: tuple[str, ...], default: str) -> str:
        """One of the allowed words."""
        value = self.get(key, default)
        if value is None:
            return default
        if value not in allowed:
            raise self.unsupported(f"{key}={value!r} is not supported", f"use one of: {', '.join(allowed)}")
        return str(value)
