"""Neighbours of images: the same picture a little to the side, or mirrored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.data.dataset import to_numpy


@dataclass(frozen=True)
class Shifted:
    """Images shifted by up to some pixels each way, padded with zeros.

    Batches of shape (examples, channels, height, width).
    """

    pixels: int = 2

    def __call__(self, inputs: Any, rng: np.random.Generator) -> Any:
        """Move copies of a batch."""
        rows = to_numpy(inputs)
        margin = ((0, 0), (0, 0), (self.pixels, self.pixels), (self.pixels, self.pixels))
        padded = np.pad(rows, margin)
        height, width = rows.shape[2:]
        corners = rng.integers(0, 2 * self.pixels + 1, size=(len(rows), 2))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(2, 3))
        return windows[np.arange(len(rows)), :, corners[:, 0], corners[:, 1]]


@dataclass(frozen=True)
class Mirrored:
    """Images flipped from left to right, the last axis of a batch."""

    def __call__(self, inputs: Any, rng: np.random.Generator) -> Any:  # noqa: ARG002
        """Mirror copies of a batch."""
        return np.ascontiguousarray(to_numpy(inputs)[..., ::-1])


def is_images(inputs: Any) -> bool:
    """Tell whether a batch is of images, (examples, channels, height, width)."""
    return len(np.shape(inputs)) == 4 and np.shape(inputs)[1] <= 4 and min(np.shape(inputs)[2:]) >= 8
