"""Floor 1: fixed-point formats and exact integer arithmetic on their codes."""
