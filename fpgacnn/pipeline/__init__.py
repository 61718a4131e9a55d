"""The pipeline: the order of the passes from a model file to a proven project."""
