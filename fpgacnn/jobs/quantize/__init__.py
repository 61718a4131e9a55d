"""The `quantize` command: from a float network and its data to a quantized, fine-tuned one."""
