"""The command line, one file for each command; only `main` catches errors."""
