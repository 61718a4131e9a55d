"""Commands that take a model file."""
