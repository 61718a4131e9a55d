"""SavedModel folders of Keras 2, read without TensorFlow: the architecture in the metadata, weights in a checkpoint."""
