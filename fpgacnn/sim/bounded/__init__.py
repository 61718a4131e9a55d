"""C simulation with FIFOs of the written depths: every call of a template is a process that can wait."""
