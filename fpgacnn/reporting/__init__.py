"""Ink. Records become text; nothing is computed here."""
