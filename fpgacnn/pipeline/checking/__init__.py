"""Checks of a run: engines against each other, hardware against the network, network against the framework."""
