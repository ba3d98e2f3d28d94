"""Unlearn with a proof: as retraining does, or within a certified distance."""
