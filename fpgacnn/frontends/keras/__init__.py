"""Keras and QKeras files, read as JSON and arrays, without TensorFlow or Keras."""
