"""A design becomes a streaming project in SystemVerilog, whose every clock is known before simulation."""
