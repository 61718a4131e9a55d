"""Training with quantizers: data sets, Keras and QKeras, and the `quantize` command."""
