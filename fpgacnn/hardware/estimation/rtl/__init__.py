"""The estimate of an RTL design: exact clocks from its schedule, and resources from its kernels and modules."""
