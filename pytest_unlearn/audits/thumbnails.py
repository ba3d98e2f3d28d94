"""Small pictures of forget examples, only when they were asked for: a report must not republish what was to go."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_unlearn.examples import to_numpy

LONGEST_SIDE = 32
SMALLEST_SIDE = 4


def pixels(example: Any) -> tuple[Any, ...] | None:
    """An image as rows of grey values, or of (red, green, blue), from 0 to 255; None if the input is not an image.

    Images are arrays of shape (height, width), or with one or three channels, first or last. Others are not guessed
    at: a vector of 64 numbers may be a picture, or not.
    """
    image = np.squeeze(np.asarray(to_numpy(example)))
    if image.ndim == 3 and image.shape[0] == 3:
        image = np.moveaxis(image, 0, -1)
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3) or min(image.shape[:2]) < SMALLEST_SIDE:
        return None
    step = -(-max(image.shape[:2]) // LONGEST_SIDE)
    small = image[::step, ::step].astype(np.float64)
    if image.dtype != np.uint8:
        low, high = small.min(), small.max()
        small = (small - low) * (255 / (high - low) if high > low else 0)
    rows = small.round().astype(int).tolist()
    return tuple(tuple(tuple(cell) if isinstance(cell, list) else cell for cell in row) for row in rows)
