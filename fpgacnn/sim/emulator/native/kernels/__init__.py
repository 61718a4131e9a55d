"""C kernels of the native emulator, one module for each kind of operation."""
