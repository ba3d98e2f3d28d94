"""Retrain reference models by the user's recipe, once, and keep them.

Importing this package is light: torch, scikit-learn and the file formats are imported when a model is trained or read.
"""

from pytest_unlearn.core.progress import Progress, progress, report_progress
from pytest_unlearn.training.arrays import stack
from pytest_unlearn.training.cache.store import Store, StoredModel
from pytest_unlearn.training.fingerprint import fingerprint
from pytest_unlearn.training.fingerprint.walker import UnknownRecipe
from pytest_unlearn.training.pool import in_this_process
from pytest_unlearn.training.recipes import EstimatorRecipe, Recipe, TorchRecipe, builder, on_device
from pytest_unlearn.training.runner import Job, Trained, reference_key, train_all
from pytest_unlearn.training.seeding import isolated
from pytest_unlearn.training.signatures import check_recipe, check_unlearner, checked_device
from pytest_unlearn.training.workers import sendable, workers

__all__ = [
    "EstimatorRecipe",
    "Job",
    "Progress",
    "Recipe",
    "Store",
    "StoredModel",
    "TorchRecipe",
    "Trained",
    "UnknownRecipe",
    "builder",
    "check_recipe",
    "check_unlearner",
    "checked_device",
    "fingerprint",
    "in_this_process",
    "isolated",
    "on_device",
    "progress",
    "reference_key",
    "report_progress",
    "sendable",
    "stack",
    "train_all",
    "workers",
]
