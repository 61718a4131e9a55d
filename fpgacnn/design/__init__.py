"""A design decides the hardware: network, precision plan and target. As a value, as files, and as a project folder."""

from __future__ import annotations

from fpgacnn.design.design import BackendName, Design, IoType, Multiplier, Strategy, Target

__all__ = ["BackendName", "Design", "IoType", "Multiplier", "Strategy", "Target"]
