"""Boundary distance: how far an input must move to change its label.

Source: Chen, Jordan & Wainwright 2020, "HopSkipJumpAttack", for the Euclidean norm. It starts from noise, not from
other examples: the distance must not depend on how many examples a set has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray, Outputs
from pytest_unlearn.data.dataset import to_numpy
from pytest_unlearn.data.view import View

FIRST_RADIUS = 0.01  # of the input's norm; doubled until the label changes
DOUBLINGS = 14
HALVINGS = 12


@dataclass(frozen=True)
class BoundaryDistance:
    """Euclidean distance to the nearest boundary found; 0 for a wrong label.

    Args:
        steps: rounds of estimating the boundary's direction and moving along it.
        directions: labels asked for in the first round; the k-th asks for sqrt(k) times as many.
        seed: of the directions; the same for every model.
    """

    steps: int = 4
    directions: int = 40
    seed: int = 0
    continuous: ClassVar[bool] = True  # inputs are moved by fractions, which integers (tokens, bytes) cannot be

    def __call__(self, _: Any, view: View, answer: Callable[[Any, IntArray], Outputs]) -> FloatArray:
        """Ask the model, through `answer`, for labels of inputs around those of the view."""
        given = to_numpy(view.inputs(np.arange(len(view))))
        shape, kind, labels = given.shape[1:], given.dtype, view.labels
        start = given.reshape(len(given), -1).astype(np.float64)
        rng = np.random.default_rng(self.seed)

        def moved(points: FloatArray, of: IntArray) -> np.ndarray:
            """Whether these inputs are labelled other than the examples they come from."""
            if not len(of):
                return np.zeros(0, dtype=bool)
            outputs = answer(points.reshape(-1, *shape).astype(kind), labels[of])
            return np.asarray(outputs.logits.argmax(axis=1) != outputs.labels)

        everyone = np.arange(len(start))
        right = everyone[~moved(start, everyone)]
        points, found = _first_points(start, right, moved, rng)
        active = right[found]
        points = _bisect(start[active], points[found], active, moved)
        for step in range(1, self.steps + 1):
            if not len(active):
                break
            points = self._step(start[active], points, active, moved, rng, step)
        distances = np.zeros(len(start))
        farthest = FIRST_RADIUS * 2.0**DOUBLINGS
        distances[right] = farthest * np.linalg.norm(start[right], axis=1)  # the label held as far as was tried
        distances[active] = np.linalg.norm(points - start[active], axis=1)
        return distances

    def _step(self, start: FloatArray, points: FloatArray, of: IntArray, moved: Any, rng: Any, step: int) -> FloatArray:
        """Step along where labels change, then back to the boundary, if it is nearer."""
        count, size = round(self.directions * step**0.5), start.shape[1]
        away = np.linalg.norm(points - start, axis=1, keepdims=True)
        units = rng.standard_normal((count, size))
        units /= np.linalg.norm(units, axis=1, keepdims=True)
        reach = away / size**0.5 if step > 1 else 0.1 * away
        asked = (points[:, None] + reach[:, None] * units).reshape(-1, size)
        signs = np.where(moved(asked, np.repeat(of, count)), 1.0, -1.0).reshape(len(of), count)
        mean = signs.mean(axis=1, keepdims=True)
        direction = np.where(np.abs(mean) == 1.0, mean, signs - mean) @ units
        direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), np.finfo(np.float64).tiny)
        length = away / step**0.5
        candidate = points + length * direction
        for _ in range(HALVINGS):
            back = ~moved(candidate, of)
            if not back.any():
                break
            length = np.where(back[:, None], length / 2, length)
            candidate = points + length * direction
        outside = moved(candidate, of)
        candidate = _bisect(start, np.where(outside[:, None], candidate, points), of, moved)
        nearer = np.linalg.norm(candidate - start, axis=1) < away[:, 0]
        return np.where(nearer[:, None], candidate, points)


def _first_points(start: FloatArray, of: IntArray, moved: Any, rng: Any) -> tuple[FloatArray, np.ndarray]:
    """Find a point beyond the boundary for each example, along noise."""
    radius = FIRST_RADIUS * np.linalg.norm(start[of], axis=1, keepdims=True) + np.finfo(np.float64).tiny
    points, found = start[of].copy(), np.zeros(len(of), dtype=bool)
    for doubling in range(DOUBLINGS + 1):
        direction = rng.standard_normal(start.shape[1])
        direction /= np.linalg.norm(direction)
        for sign in (1.0, -1.0):
            open_ = np.flatnonzero(~found)
            if not len(open_):
                return points, found
            tried = start[of[open_]] + sign * radius[open_] * 2.0**doubling * direction
            beyond = moved(tried, of[open_])
            points[open_[beyond]], found[open_[beyond]] = tried[beyond], True
    return points, found


def _bisect(start: FloatArray, beyond: FloatArray, of: IntArray, moved: Any) -> FloatArray:
    """Bisect each segment for the point nearest to `start` with a changed label."""
    low, high = np.zeros((len(of), 1)), np.ones((len(of), 1))
    for _ in range(HALVINGS if len(of) else 0):
        middle = (low + high) / 2
        changed = moved(start + middle * (beyond - start), of)[:, None]
        low, high = np.where(changed, low, middle), np.where(changed, middle, high)
    return np.asarray(start + high * (beyond - start))
