"""Layers, functions and quantizers of Keras and QKeras as operations of the source network."""
