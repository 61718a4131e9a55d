"""Helpers that tests share: small networks, files, records, reports of tools, and the command in one call."""
