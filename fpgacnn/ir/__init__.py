"""Networks as values. `source` is what the file says, `layers` and `model` what the hardware computes."""
