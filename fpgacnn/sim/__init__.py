"""Engines: they take input codes and give the codes of every node."""
