"""Two deletion requests: persons who want to be forgotten, and persons who want ten photographs to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from examples.people.persons import persons
from pytest_unlearn import Split

TRAINED, GALLERY, LEAVE, ASK, OF_EACH = 20, 6, 40, 60, 10


@dataclass(frozen=True)
class Album:
    """Who is photographed where.

    Attributes:
        train, test: photographs (n, 1, 24, 24), the person on each, (n,): 20 of each person, and those that are left.
        gallery: photographs beside which new ones are held, shape (persons, 6, 1, 24, 24); nobody trains on them.
    """

    train: tuple[Any, Any]
    test: tuple[Any, Any]
    gallery: torch.Tensor

    @property
    def persons(self) -> int:
        """How many there are."""
        return len(self.gallery)


def album(draw: int, *, most: int | None = None) -> Album:
    """Draw 0, 1, 2, ...: which photographs of each person are trained on; the first `most` persons, or all."""
    everybody = persons().photographs[:most]
    rng = np.random.default_rng(draw)
    order = np.stack([rng.permutation(everybody.shape[1]) for _ in everybody])
    mixed = np.take_along_axis(everybody, order[:, :, None, None, None], axis=1)
    parts = np.split(mixed, [TRAINED, TRAINED + GALLERY], axis=1)
    return Album(_rows(parts[0]), _rows(parts[2]), torch.as_tensor(parts[1]))


def whole_persons(of: Album, draw: int) -> Split:
    """Forty persons leave with every photograph; each is compared with photographs of the same person."""
    who = np.random.default_rng(draw).choice(of.persons, LEAVE, replace=False)
    return Split(of.train, forget=np.isin(of.train[1], who), test=of.test)


def ten_photographs(of: Album, draw: int) -> Split:
    """Sixty persons want ten of their twenty photographs deleted; persons are counted, not photographs."""
    rng = np.random.default_rng(draw)
    who = rng.choice(of.persons, ASK, replace=False)
    rows = [rng.choice(np.flatnonzero(of.train[1] == person), OF_EACH, replace=False) for person in who]
    return Split(of.train, forget=np.concatenate(rows), test=of.test, groups=of.train[1], control_groups=of.test[1])


def _rows(photographs: Any) -> tuple[Any, Any]:
    count, each = photographs.shape[:2]
    return photographs.reshape(count * each, *photographs.shape[2:]), np.repeat(np.arange(count), each)
