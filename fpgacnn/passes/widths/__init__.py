"""Bit widths: what they cost in effective bit operations, and quantizers for networks that have none."""
