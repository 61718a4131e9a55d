"""Distributed arithmetic: the product with a constant matrix as a graph of adders, found by da4ml."""
