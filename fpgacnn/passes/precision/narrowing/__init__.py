"""Fewer bits: casts before moves, which change no result, and short scales where outputs are not exact anyway."""
