"""Estimate how likely an example is to be asked for.

Out of fold, and from inputs and labels alone.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.data.tables import comparable, concatenate, is_frame, numbers, without_column
from pytest_unlearn.data.view import View
from pytest_unlearn.statistics import folds, out_of_fold

MOST_FEATURES = 4096
TREES, COMPONENTS = 60, 50
REMEMBERED = 16
_KNOWN: dict[bytes, FloatArray] = {}
MOST_RETAINED = 4000  # examples that stand-ins are trained on, evenly spaced
SURE = 0.005  # no forest of so many trees is surer than that


def once(find: Callable[..., FloatArray], *arrays: Any) -> FloatArray:
    """Return what a pure function finds in arrays, None for none.

    The last few answers are remembered: all models of a run are compared on the same examples.
    """
    digest = hashlib.sha256(find.__qualname__.encode())
    for one in arrays:
        array = np.ascontiguousarray([] if one is None else one)
        digest.update(f"{one is None} {array.dtype} {array.shape}".encode() + array.tobytes())
    key = digest.digest()
    if key not in _KNOWN:
        _KNOWN[key] = find(*arrays)
        while len(_KNOWN) > REMEMBERED:
            del _KNOWN[next(iter(_KNOWN))]
    return _KNOWN[key]


def features(*views: View) -> tuple[FloatArray, IntArray]:
    """Return views as rows of numbers, without whose they are, and their labels."""
    rows = numbers(concatenate([_without_ids(view) for view in views]))
    step = -(-rows.shape[1] // MOST_FEATURES)
    return rows[:, ::step], np.concatenate([view.labels for view in views])


def _without_ids(view: View) -> Any:
    """Return the inputs but for whose they are.

    Ids tell persons apart, and not what they are like.
    """
    inputs = view.arrays()[0]
    named = view.task.split.group_column if view.task is not None else None
    return inputs if named is None or not is_frame(inputs) else without_column(inputs, named)


def plausibility(rows: FloatArray, labels: IntArray, fold: IntArray, seed: int = 0) -> FloatArray:
    """Score each example's own label out of fold by a simple classifier."""
    from sklearn.ensemble import RandomForestClassifier

    def score(fitted: IntArray, held: IntArray) -> FloatArray:
        model = RandomForestClassifier(TREES // 2, min_samples_leaf=2, random_state=seed).fit(
            rows[fitted], labels[fitted]
        )
        columns = {label: column for column, label in enumerate(model.classes_)}
        p = model.predict_proba(rows[held])
        return np.array([p[i, columns[label]] if label in columns else 0.0 for i, label in enumerate(labels[held])])

    return out_of_fold(fold, score)


def stand_ins(forget: View, controls: View) -> FloatArray | None:
    """Ask two simple models of retain for their log odds of each label.

    A forest and a logistic regression. They saw neither forget set nor controls, and say how hard an example is (a
    prognostic score, Hansen 2008). Returns [2, forget + controls]; None where nothing is known of retain, or it has one
    class.
    """
    task = forget.task
    if task is None or len(np.unique(task.retain.labels)) < 2:
        return None
    step = -(-len(task.retain) // MOST_RETAINED)
    retain = View("retain", task.retain.examples, task.retain.indices[::step], task)
    return once(_stand_ins, *features(forget, controls, retain), np.array(len(forget) + len(controls)))


def _stand_ins(rows: FloatArray, labels: IntArray, count: IntArray) -> FloatArray:
    table, asked = _components(comparable(rows)), int(count)
    scores = []
    for model in (_forest(), _linear()):
        _fit(model, table[asked:], labels[asked:])
        p = model.predict_proba(table[:asked])
        columns = np.searchsorted(model.classes_, labels[:asked])
        known = np.isin(labels[:asked], model.classes_)
        right = np.where(known, p[np.arange(asked), np.where(known, columns, 0)], 0.0)
        scores.append(_log_odds(right))
    return np.array(scores)


def log_odds(
    rows: FloatArray,
    labels: IntArray,
    member: IntArray,
    units: IntArray | None = None,
    *,
    hardness: FloatArray | None = None,
) -> FloatArray:
    """Estimate each example's log odds of being a forget example and no control.

    Cross-fitted: whoever is estimated, and its unit, was not fitted to. Log odds of a logistic
    regression and of a forest, which see principal components, labels and how plausible these are, joined and put to
    scale by a logistic regression on them (stacking, Wolpert 1992).

    Args:
        rows: [examples, columns] numbers, missing ones NaN.
        labels: [examples] classes.
        member: [examples] 1 for forget examples, 0 for controls.
        units: [examples] whose each is; its own by default.
        hardness: [scores, examples] how plausible labels are; found out of fold by default.
    """
    return once(_cross_fitted, rows, labels, member, units, hardness)


def _cross_fitted(
    rows: FloatArray, labels: IntArray, member: IntArray, units: IntArray | None, hardness: FloatArray | None
) -> FloatArray:
    if hardness is None:
        hardness = plausibility(rows, labels, folds(labels, units))[None]
    table = np.column_stack([_components(comparable(rows)), hardness.T, labels[:, None] == np.unique(labels)])
    fold = folds(member, units)

    def score(make: Callable[[], Any], fitted: IntArray, held: IntArray) -> FloatArray:
        model = _fit(make(), table[fitted], member[fitted])
        return _log_odds(model.predict_proba(table[held])[:, -1])

    raw = np.column_stack([out_of_fold(fold, partial(score, model)) for model in (_linear, _forest)])
    return np.asarray(_scale().fit(raw, member).decision_function(raw), dtype=np.float64)


def _fit(model: Any, table: FloatArray, labels: IntArray) -> Any:
    """Fit; a regression that stops early is no worse a stand-in, and nobody's concern."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(table, labels)


def _log_odds(p: FloatArray) -> FloatArray:
    p = np.clip(p, SURE, 1 - SURE)
    return np.asarray(np.log(p / (1 - p)))


def _scale() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1e6)


def _components(rows: FloatArray) -> FloatArray:
    """Reduce many columns to 50 principal components."""
    if min(rows.shape) <= 2 * COMPONENTS:
        return rows
    from sklearn.decomposition import PCA

    return np.asarray(PCA(COMPONENTS, random_state=0).fit_transform(rows))


def _linear() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))


def _forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(TREES, min_samples_leaf=5, random_state=0)
