"""The operating system: child processes, sandboxes, atomic folders, array files."""
