"""Commands that need no input of the user."""
