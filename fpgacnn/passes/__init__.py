"""Compiler passes: from a network as read to one that hardware computes, with every width planned."""
