"""A network for recognising persons: photographs become directions, and a person is whose direction is nearest."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import normalize

from pytest_unlearn import TorchRecipe

EMBEDDING, SHARPNESS = 64, 16.0


class Recogniser(nn.Module):
    """Photographs as directions of one length (Ranjan et al. 2017), and a linear layer that names a person."""

    def __init__(self, persons: int) -> None:
        super().__init__()
        self.embed = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 6 * 6, EMBEDDING),
        )
        self.persons = nn.Linear(EMBEDDING, persons)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (photographs, persons)."""
        logits: Tensor = self.persons(SHARPNESS * normalize(self.embed(x)))
        return logits


class Retrieval(nn.Module):
    """What a network without its last layer still can: say whose photographs in a gallery are most like a new one.

    This is how such networks are used once trained, on persons that training never saw: nothing is known of a person
    but photographs beside which others are held.
    """

    def __init__(self, recogniser: Any, gallery: Tensor) -> None:
        super().__init__()
        self.embed = recogniser.embed
        self.register_buffer("gallery", gallery)  # shape (persons, photographs, 1, 24, 24)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (photographs, persons): how near each person of the gallery is."""
        known = normalize(self.embed(self.gallery.flatten(0, 1))).unflatten(0, self.gallery.shape[:2])
        return SHARPNESS * normalize(self.embed(x)) @ normalize(known.mean(1)).T


def recipe(persons: int, epochs: int = 15) -> TorchRecipe:
    """How every recogniser is trained."""
    return TorchRecipe(
        partial(Recogniser, persons), epochs=epochs, batch_size=64, learning_rate=2e-3, schedule="cosine"
    )
