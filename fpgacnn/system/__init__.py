"""The operating system: child processes, sandboxed children, folders that are replaced atomically, array files."""
