"""The C code generator of the native emulator."""
