"""The native engine: a design as C kernels that compute several events together, compiled for this processor."""
