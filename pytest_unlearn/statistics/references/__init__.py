"""Comparisons of one model with reference models."""
