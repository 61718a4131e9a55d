"""Nodes before they have a place in the graph."""

from __future__ import annotations

from fpgacnn.ir import hardware as hw
from fpgacnn.ir import source as src
from fpgacnn.ir.source import Shape


def node(name: str, operation: hw.Operation, shape: Shape) -> hw.Layer:
    """A node whose name is only a hint; the builder gives it its place, inputs and unique name."""
    return hw.Layer(name=name, source="", operation=operation, inputs=(), shape=shape)


def reshaped(before: Shape, after: Shape) -> list[hw.Layer]:
    """A reshape, where the shapes differ."""
    return [] if before == after else [node("reshape", src.Reshape(), after)]
