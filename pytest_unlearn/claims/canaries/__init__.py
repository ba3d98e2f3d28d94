"""Canaries: what an auditor plants in the training data, at random, to ask for its deletion later."""

from pytest_unlearn.claims.canaries.planting import Canaries, plant_canaries

__all__ = ["Canaries", "plant_canaries"]
