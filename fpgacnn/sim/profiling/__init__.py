"""Distributions of weights and results against their formats, and the events that quantization changes most."""

from fpgacnn.sim.profiling.profile import LEVELS, Profile, TensorProfile, WorstEvent, profile_events, profiled

__all__ = ["LEVELS", "Profile", "TensorProfile", "WorstEvent", "profile_events", "profiled"]
