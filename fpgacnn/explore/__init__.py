"""Floor 8: one network, many targets."""
