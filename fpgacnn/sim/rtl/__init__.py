"""RTL simulation with Verilator, built and cached like C simulation."""
