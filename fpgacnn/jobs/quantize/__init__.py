"""The command `quantize`: from a float network and its data to a quantized, fine-tuned network."""
