"""The precision plan: a `Decision(format, reason)` for every accumulator, result and table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fpgacnn.ir.fixed_point import Format


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A chosen format and why it was chosen."""

    format: Format
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPrecision:
    """The formats of a node's sums and of its result.

    `error` bounds the absolute difference between the node's result and exact arithmetic on the trained numbers, for
    every possible input. `loss` says in words what is lost in this node. `rounds_in_float32`: the framework's own
    float32 may round here where hardware does not. `reach` are the smallest and largest possible value of the result.
    """

    result: Decision
    accumulator: Decision | None = None
    tables: Mapping[str, Decision] = field(default_factory=dict)
    error: float = 0.0
    loss: str = ""
    rounds_in_float32: bool = False
    reach: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionPlan:
    """The formats of every node, and what follows from them."""

    layers: Mapping[str, LayerPrecision]

    @property
    def is_lossless(self) -> bool:
        """Hardware gives the results of exact arithmetic on the trained numbers."""
        return all(not layer.loss for layer in self.layers.values())

    @property
    def is_exact(self) -> bool:
        """Lossless, and all numbers are short enough for float32: the framework gives equal results."""
        return self.is_lossless and not any(layer.rounds_in_float32 for layer in self.layers.values())

    @property
    def losses(self) -> tuple[tuple[str, str], ...]:
        """(node, what is lost there)."""
        return tuple((name, layer.loss) for name, layer in self.layers.items() if layer.loss)
