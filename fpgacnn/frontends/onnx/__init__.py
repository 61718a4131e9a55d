"""ONNX and QONNX files, read from their bytes without the package onnx."""
