"""The vocabulary of an audit: evidence, claims, settings, the recorder. Standard library and numpy types only."""
