"""Canaries in documents: texts drawn at random, whose rank has a known law."""
