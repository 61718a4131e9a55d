"""Commands that take a project folder."""
