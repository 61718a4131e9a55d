"""Boards: an AXI wrapper around the project, scripts that build a bitstream, drivers that run events on the board."""
