"""Files of Keras: HDF5, `.keras` archives, and the places of weights in them."""
