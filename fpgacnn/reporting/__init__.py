"""Floor 9: ink. Records become text; nothing is computed here."""
