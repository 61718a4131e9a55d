"""One network, many targets."""
