"""Render the ledger as text, one format a file, from plain dictionaries alone."""
