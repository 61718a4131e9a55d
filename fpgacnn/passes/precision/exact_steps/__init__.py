"""Hardware that takes every step of a quantizer exactly where the real numbers do."""
