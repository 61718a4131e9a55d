"""Layers and quantizers of HGQ and HGQ2."""
