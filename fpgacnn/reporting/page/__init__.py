"""What a report shows: sections, verdicts and tables, whatever the form."""
