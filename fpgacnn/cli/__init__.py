"""Argv. One file a command; only `main` catches errors."""
