"""The RTL backend: arithmetic, schedule, and simulation with Verilator."""
