"""Kinds of canaries that can be planted before training."""
