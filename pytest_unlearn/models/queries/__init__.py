"""Queries: what attacks ask of a model besides logits, one a file."""

from pytest_unlearn.models.queries.augmentations import Augmentations, Noise
from pytest_unlearn.models.queries.boundary_distance import BoundaryDistance
from pytest_unlearn.models.queries.gradient_norm import gradient_norm
from pytest_unlearn.models.queries.inputs import inputs

__all__ = ["Augmentations", "BoundaryDistance", "Noise", "gradient_norm", "inputs"]
