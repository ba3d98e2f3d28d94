"""Canaries: examples planted at random to ask for their deletion later."""

from pytest_unlearn.claims.canaries.planting import Canaries, plant_canaries

__all__ = ["Canaries", "plant_canaries"]
