"""Nodes that are not yet in a graph."""

from __future__ import annotations

from fpgacnn.ir import graph
from fpgacnn.ir import quantized as q
from fpgacnn.ir import source as src
from fpgacnn.ir.source import Shape


def node(name: str, operation: q.Operation, shape: Shape) -> q.Layer:
    """A node whose name is only a hint; the builder adds inputs and a unique name."""
    return graph.Node(name=name, source="", operation=operation, inputs=(), shape=shape)


def reshaped(before: Shape, after: Shape) -> list[q.Layer]:
    """A reshape, if the shapes differ."""
    return [] if before == after else [node("reshape", src.Reshape(), after)]
