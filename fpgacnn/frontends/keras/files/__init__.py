"""Files of Keras: HDF5, `.keras` archives, and where each weight lies in them."""
