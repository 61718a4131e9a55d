"""Designs with `--io parallel`: every layer unrolled, a new event in every clock."""
