"""What Vivado reports of a netlist besides its sums: its instances, its power, and its routing."""

from __future__ import annotations

from dataclasses import dataclass

from fpgacnn.hardware.synthesis.figures import Origin, Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class NetlistInstance:
    """An instance with all that is inside it; `depth` are the blanks before its name.

    A name in parentheses is the logic of the instance above it alone.
    """

    name: str
    module: str
    depth: int
    resources: Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """Vivado's report_utilization -hierarchical: the top first, and below each instance those inside it."""

    origin: Origin
    design: str
    version: str
    date: str | None
    part: str
    instances: tuple[NetlistInstance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerReport:
    """Vivado's report_power in watts; None where the tool gives no number."""

    origin: Origin
    design: str
    version: str
    date: str | None
    part: str | None
    total_w: float | None
    dynamic_w: float | None
    static_w: float | None
    confidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteStatus:
    """Vivado's report_route_status. Old versions write neither design nor date."""

    origin: Origin
    design: str
    date: str | None
    routable_nets: int
    routed_nets: int
    nets_with_errors: int

    @property
    def open_nets(self) -> int:
        """Nets that are not routed, or routed with an error."""
        return max(self.nets_with_errors, self.routable_nets - self.routed_nets)
