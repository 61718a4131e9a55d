"""The native engine: a design as C kernels on events side by side, compiled for the processor at hand."""
