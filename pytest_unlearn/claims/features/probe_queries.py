"""Probes as queries: scores of layers' features, learned from a few shots."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any
from weakref import ReferenceType, ref

import numpy as np
from scipy.linalg import eigh

from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.attacks.learned import cross_fitted, normal_columns
from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.core.threads import on_one_thread
from pytest_unlearn.data.view import View
from pytest_unlearn.models.handle import ModelHandle
from pytest_unlearn.models.layers import labels_exchanged
from pytest_unlearn.models.query import Answer
from pytest_unlearn.statistics import normal_scores

LABEL_SHOTS, LABEL_DRAWS = 10, 5  # a class, and how often they are drawn
CLASS_SHOTS, CLASS_DRAWS = 3, 10
MOST_COMPONENTS = 64  # that the membership probe looks at: it has few examples to learn from
RIDGE = 1.0  # the penalty, in mean squared lengths of the shots


@dataclass(frozen=True)
class MembershipProbe:
    """Out-of-fold scores of being in the forget set, by a layer, (examples,).

    By a logistic regression on the leading principal components of the layer's features, each as normal scores among
    forget set and controls together; ranks within a fold. Asked about either set. Folds follow from `pairing`, and so
    do equal probes: what original and references score is kept for the next candidate. Layers `beside` this one are
    read in the same pass, for their own probes.
    """

    layer: str
    forget: View = field(repr=False)
    controls: View = field(repr=False)
    pairing: Pairing = field(repr=False, compare=False)
    beside: tuple[str, ...] = field(default=(), repr=False, compare=False)
    folds: str = field(init=False, repr=False)
    _made: list[tuple[ReferenceType[ModelHandle], tuple[FloatArray, FloatArray]]] = field(
        default_factory=list, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        """Note which folds there are."""
        folds = self.pairing.folds(len(self.forget), len(self.controls))
        object.__setattr__(self, "folds", hashlib.sha256(folds.tobytes()).hexdigest())

    def __call__(self, _: Any, view: View, answer: Answer) -> FloatArray:
        """Run the model on both sets, and score one of them."""
        return self._of(answer)[0 if view.key == self.forget.key else 1]

    def _of(self, answer: Answer) -> tuple[FloatArray, FloatArray]:
        for asked, made in self._made:
            if asked() is answer.handle:
                return made
        layers = tuple(dict.fromkeys((self.layer, *self.beside)))
        sides = [answer.features(side, layers)[0] for side in (self.forget, self.controls)]
        found = cross_fitted(components(*sides), len(self.forget), self.pairing)
        self._made[:] = [(ref(answer.handle), found)]  # of one model at a time
        return found


@on_one_thread
def components(*sides: FloatArray) -> FloatArray:
    """Return leading principal components of all rows, each as normal scores."""
    rows = np.concatenate(sides)
    return normal_columns(principal(rows - rows.mean(axis=0)))


@dataclass(frozen=True)
class LabelsByFeatures:
    """Whether an example's label follows exchanged features; see `labels_exchanged`."""

    layer: str

    def __call__(self, model: Any, view: View, answer: Answer) -> FloatArray:
        """Exchange features between the examples of the view."""
        return labels_exchanged(model, view, self.layer, answer.output)


@dataclass(frozen=True)
class LabelProbe:
    """Scores of an example's own label by layer, shape (examples, layers).

    By a ridge classifier. Taught with ten retained examples a class, and averaged over five draws of shots, which are
    the same for every model. 0 for labels that nothing was retained of.
    """

    layers: tuple[str, ...]
    shots: View = field(repr=False)

    @on_one_thread
    def __call__(self, _: Any, view: View, answer: Answer) -> FloatArray:
        """Teach on the shots, and ask about the view."""
        classes, drawn = _draws(self.shots.labels)
        used, position = np.unique(np.concatenate(drawn), return_inverse=True)
        lessons = answer.features(_part(self.shots, used), self.layers)
        asked = answer.features(view, self.layers)
        places = np.split(position.reshape(-1), np.cumsum([len(rows) for rows in drawn])[:-1])
        found = np.zeros((len(view), len(self.layers)))
        for number, (taught, shown) in enumerate(zip(lessons, asked, strict=True)):
            for rows, where in zip(drawn, places, strict=True):
                targets = (self.shots.labels[rows][:, None] == classes[None, :]).astype(np.float64)
                scores = _ridge(taught[where], targets, shown)
                found[:, number] += _own(scores, classes, view.labels) / len(drawn)
        return found


@dataclass(frozen=True)
class ClassProbe:
    """Ranks of a removed class's examples among others, (examples, layers).

    As normal scores. The probe is the line through the mean of three examples of the class and that of three of every
    other class, on features standardised by the other classes. Its score ranks among the other classes' never-trained
    examples; averaged over ten draws of shots, which are the same for every model. 0 for classes that did not go.

    removed: examples of the classes that went, to draw shots from.
    others: never-trained examples of the classes that stay, more than three of at least one.

    Both follow from the task, so that probes of one task and the same layers are equal, and asked once.
    """

    layers: tuple[str, ...]
    removed: View = field(repr=False, compare=False)
    others: View = field(repr=False, compare=False)

    def __call__(self, _: Any, view: View, answer: Answer) -> FloatArray:
        """Teach on the shots, and score the view, each example for its own class."""
        removed, others, asked = (answer.features(part, self.layers) for part in (self.removed, self.others, view))
        ranks = np.zeros((len(view), len(self.layers)))
        for label in np.intersect1d(view.labels, self.removed.labels):  # an example of another class scores 0
            ours = view.labels == label
            pool = np.flatnonzero(self.removed.labels == label)
            if not len(pool):
                continue
            for draw in range(CLASS_DRAWS):
                rng = np.random.default_rng([draw, int(label)])
                shots = rng.permutation(pool)[:CLASS_SHOTS]
                away = _few(self.others.labels, CLASS_SHOTS, rng)
                for number in range(len(self.layers)):
                    score = _prototype(removed[number][shots], others[number][away], others[number])
                    beaten = normal_scores(score(asked[number][ours]), score(np.delete(others[number], away, axis=0)))
                    ranks[ours, number] += beaten / CLASS_DRAWS
        return ranks


def _prototype(own: FloatArray, away: FloatArray, usual: FloatArray) -> Any:
    spread = usual.std(axis=0) + 1e-6 * (1.0 + np.abs(usual).max())
    direction = (own.mean(axis=0) - away.mean(axis=0)) / spread**2
    return lambda rows: rows @ direction


def _ridge(lessons: FloatArray, targets: FloatArray, shown: FloatArray) -> FloatArray:
    """Fit least squares with a penalty in dual form, for few shots."""
    centre, spread = lessons.mean(axis=0), lessons.std(axis=0) + 1e-6 * (1.0 + np.abs(lessons).max())
    rows = (lessons - centre) / spread
    gram = rows @ rows.T
    penalty = RIDGE * max(float(np.trace(gram)) / len(rows), 1e-12)
    weights = np.linalg.solve(gram + penalty * np.eye(len(rows)), targets - targets.mean(axis=0))
    slopes = (rows.T @ weights) / spread[:, None]
    return np.asarray(shown @ slopes - centre @ slopes + targets.mean(axis=0))


def _own(scores: FloatArray, classes: IntArray, labels: IntArray) -> FloatArray:
    present = np.flatnonzero(np.isin(labels, classes))
    found = np.zeros(len(labels))
    found[present] = scores[present, np.searchsorted(classes, labels[present])]
    return found


def _draws(labels: IntArray) -> tuple[IntArray, list[IntArray]]:
    draws = [_few(labels, LABEL_SHOTS, np.random.default_rng(draw)) for draw in range(LABEL_DRAWS)]
    return np.unique(labels), draws


def _few(labels: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    return np.concatenate([rng.permutation(np.flatnonzero(labels == label))[:count] for label in np.unique(labels)])


def _part(view: View, positions: IntArray) -> View:
    return View(view.name, view.examples, view.indices[positions], view.task)


def principal(centred: FloatArray) -> FloatArray:
    """Project onto the leading principal components, by the covariance.

    Directions in which nothing varies are left out: what rounding makes of them would rank like a feature.
    """
    count = centred.shape[1]
    leading = [max(0, count - MOST_COMPONENTS), count - 1]  # the others would cost three times as much again
    variances, directions = eigh(centred.T @ centred, subset_by_index=leading)
    varying = variances > max(variances[-1], 0.0) * count * np.finfo(np.float64).eps
    kept = directions[:, varying][:, ::-1]
    return np.asarray(centred @ (kept if kept.shape[1] else directions[:, -1:]))
