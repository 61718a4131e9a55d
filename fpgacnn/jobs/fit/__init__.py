"""Search for the target that meets given limits."""
