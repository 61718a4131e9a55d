"""The content of a report for all formats: sections, verdicts and tables."""
