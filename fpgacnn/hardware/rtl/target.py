"""Options of the target that RTL has."""

from __future__ import annotations

from dataclasses import replace

from fpgacnn.design import BackendName, IoType, Strategy, Target
from fpgacnn.errors import RtlTargetError


def as_rtl(target: Target) -> Target:
    """The target with the RTL backend; its io type and strategies are those that RTL has."""
    if target.backend is BackendName.RTL:
        return target
    return replace(
        target,
        backend=BackendName.RTL,
        io=IoType.STREAM,
        strategy=Strategy.LATENCY,
        strategy_of={},
        reuse=1,
        reuse_of={},
        multiplier_of={},
    )


def refuse_unbuilt(target: Target) -> None:
    """Raise RtlTargetError for an option that RTL has not."""
    if target.io is IoType.PARALLEL and (target.reuse != 1 or target.reuse_of):
        raise RtlTargetError(
            why="--io parallel computes every product at once, and --reuse makes products share multipliers",
            do="leave --reuse out, or use --io stream",
        )
    if target.multiplier_of:
        setting = f"--set {next(iter(target.multiplier_of))}.multiplier"
        raise RtlTargetError(why=f"{setting} is for HLS", do=f"leave {setting} out")
    other = {target.strategy, *target.strategy_of.values()} - {Strategy.LATENCY}
    if other:
        raise RtlTargetError(
            why=f"--strategy {min(other)} is for HLS",
            do="leave --strategy out: products are folded into the pauses between pixels, or by --reuse",
        )
