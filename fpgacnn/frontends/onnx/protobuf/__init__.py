"""Protocol buffers of ONNX: messages and stored arrays."""
