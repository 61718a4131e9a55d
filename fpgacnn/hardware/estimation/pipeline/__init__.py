"""Pipelines: chains of combinational operations in ns, which the clock cuts into cycles and registers."""
