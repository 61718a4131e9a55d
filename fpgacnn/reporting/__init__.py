"""Turn records into text for terminal, HTML, Markdown and CSV; nothing is computed here."""
