"""Files of users: how they are opened, written, and protected against other users."""
