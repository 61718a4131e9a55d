"""The formats of a report: HTML, Markdown, CSV and JSON."""
