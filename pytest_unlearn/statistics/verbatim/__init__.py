"""Measure whether a text comes back word for word."""
