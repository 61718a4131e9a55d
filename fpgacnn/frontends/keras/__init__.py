"""Read Keras and QKeras files as JSON and arrays, without TensorFlow or Keras."""
