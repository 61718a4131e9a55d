"""Checks of C++ as text, before any tool runs: what compilers skip, and synthesis fails at."""
