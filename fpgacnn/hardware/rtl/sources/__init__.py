"""Modules of SystemVerilog that every RTL project has, as files of the package."""
