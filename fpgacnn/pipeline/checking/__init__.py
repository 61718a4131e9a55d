"""Checks of a run: engines against each other, hardware against the network, the reading against the framework."""
