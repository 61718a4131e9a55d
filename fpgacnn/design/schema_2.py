"""`design.json` of schema 2 as schema 3.

Schema 2 kept remarks of planning with the operations of the hardware: trained numbers, names of functions, and where
the framework's float32 may round. They decide no bits, so schema 3 leaves them out.
"""

from __future__ import annotations

from collections.abc import Mapping

from fpgacnn.system.codec import Json

_LINEAR = frozenset({"off", "in_steps"})
_TABLE = frozenset({"error", "what", "rounds"})
REMOVED: Mapping[str, frozenset[str]] = {
    "convolution": _LINEAR,
    "depthwise": _LINEAR,
    "dense": _LINEAR,
    "affine": frozenset({"trained_scale", "trained_shift", "exact_steps", "in_steps", "divisor"}),
    "lookup": _TABLE,
    "thresholds": _TABLE,
    "cast": frozenset({"is_index", "is_narrowing", "in_halves"}),
    "relu": frozenset({"in_halves"}),
    "leaky_relu": frozenset({"trained"}),
    "pool": frozenset({"guard"}),
    "global_pool": frozenset({"guard"}),
}
"""Fields that only schema 2 has, by the tag of the operation of the hardware."""


def upgraded(design: Json) -> Json:
    """The record `design` of a document of schema 2 as the same record of schema 3; what is not as expected stays."""
    match design:
        case {"model": {"layers": list(layers)} as model}:
            return {**design, "model": {**model, "layers": [_layer(layer) for layer in layers]}}
        case _:
            return design


def _layer(layer: Json) -> Json:
    match layer:
        case {"operation": {"type": str(tag)} as operation}:
            removed = REMOVED.get(tag, frozenset())
            return {**layer, "operation": {key: item for key, item in operation.items() if key not in removed}}
        case _:
            return layer


def is_removed(path: str) -> bool:
    """Whether a path in a node, such as `operation.off.kernel`, leads to a field that only schema 2 has."""
    parts = path.split(".")
    return len(parts) > 1 and parts[0] == "operation" and any(parts[1] in names for names in REMOVED.values())
