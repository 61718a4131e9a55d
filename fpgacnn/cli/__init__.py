"""Floor 10: argv. One file a command; only `main` catches errors."""
