"""Neighbours of images: moved, mirrored, and never another shape."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn.claims.residual.input_changes import Mirrored, Shifted, is_images

IMAGES = np.random.default_rng(0).normal(size=(50, 1, 8, 8)).astype(np.float32)


def test_a_shifted_image_is_the_image_at_one_of_the_places_near_by():
    moved = Shifted(1)(IMAGES, np.random.default_rng(0))
    assert (moved.shape, moved.dtype) == (IMAGES.shape, IMAGES.dtype)
    padded = np.pad(IMAGES, ((0, 0), (0, 0), (1, 1), (1, 1)))
    places = {(i, j): padded[:, :, i : i + 8, j : j + 8] for i in range(3) for j in range(3)}
    fits = np.array([(moved == place).all(axis=(1, 2, 3)) for place in places.values()])
    assert (fits.sum(axis=0) == 1).all()
    assert fits.any(axis=1).all()  # every place, the middle among them


def test_mirroring_twice_is_nothing_and_the_last_axis_is_turned():
    once = Mirrored()(IMAGES, np.random.default_rng(0))
    np.testing.assert_array_equal(once[..., 0], IMAGES[..., 7])
    np.testing.assert_array_equal(Mirrored()(once, np.random.default_rng(0)), IMAGES)


@pytest.mark.parametrize(
    ("shape", "images"), [((2, 1, 8, 8), True), ((2, 3, 32, 32), True), ((2, 64), False), ((2, 8, 8, 1), False)]
)
def test_images_have_channels_first(shape, images):
    assert is_images(np.zeros(shape)) is images
