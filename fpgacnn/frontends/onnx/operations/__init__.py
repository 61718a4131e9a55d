"""ONNX operators as operations of the source network."""
