"""Kernels, each one clocked module: graphs of integers, their operations, and their SystemVerilog."""
