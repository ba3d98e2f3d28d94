"""Remove rows from ridge regression, in closed form."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import Ridge, RidgeClassifier
from torch.utils.data import ConcatDataset

from unlearners._core.isolation import Examples, Unsupported, require_retain
from unlearners.exact.arrays import Array, arrays, positions

State = dict[str, Array]


@dataclass(frozen=True, kw_only=True)
class RidgeDowndate:
    """Remove rows from a fitted scikit-learn `Ridge` or `RidgeClassifier`.

    Source: Woodbury 1950; Hager 1989 for the history. With A = X'X + alpha I, and U the rows to forget with targets Y,
    the weights W become W - A⁻¹U'(I - U A⁻¹U')⁻¹(Y - U W), and A becomes A - U'U. With an intercept X and Y are
    centred; a group of rows then leaves as its deviations from its own mean, and one row for the distance of that mean
    to all the rest.

    Exact: equals a refit on the retain set, up to rounding. With d features and t targets, k rows cost O(k d (d + t)),
    and of the retain set only its length is read, where the model remembers A⁻¹. `prepare(model, dataset)` makes it
    remember; otherwise the first request computes A from retain and forget together, and its result remembers. The
    memory is the attribute `downdate_`, arrays about the examples that are left; when the model was fitted again
    since, it is not used but made anew.

    A class that vanishes leaves `classes_`, as in a refit. Not supported: several alphas or none, `positive`,
    `class_weight`, several labels an example. A model fitted on other data, with sample weights, or by a solver that
    stops early is refused when A is computed.
    """

    def prepare(self, model: Any, dataset: Examples) -> Any:
        """Copy the model and let it remember A⁻¹ of the dataset it was fitted on."""
        _require_ridge(model)
        copy = deepcopy(model)
        copy.downdate_ = _state(model, dataset)
        return copy

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> Any:  # noqa: ARG002
        _require_ridge(model)
        require_retain(retain, "RidgeDowndate")
        unlearned = deepcopy(model)
        if len(forget) == 0:
            return unlearned
        state = _remembered(model) or _state(model, ConcatDataset([retain, forget]))  # type: ignore[list-item]
        _hand_over(unlearned, _downdated(model, state, retain, forget))
        return unlearned


def downdate(inverse: Array, weights: Array, rows: Array, targets: Array) -> tuple[Array, Array]:
    """Update A⁻¹ and W after rows U are gone: (A - U'U)⁻¹ by Woodbury."""
    moved = rows @ inverse
    gain = np.linalg.solve(np.eye(len(rows)) - moved @ rows.T, moved).T
    return inverse + gain @ moved, weights - gain @ (targets - rows @ weights)


def _downdated(model: Any, state: State, retain: Examples, forget: Examples) -> State:
    x, y = arrays(forget)
    counts = state["counts"] - _counts(y, model)
    if counts.sum() != len(retain) or counts.min() < 0:
        raise ValueError("RidgeDowndate: retain and forget together are not what the model was fitted on.")
    table, size, features = np.column_stack([x, _targets(y, model)]), state["counts"].sum(), x.shape[1]
    inverse, weights, mean = state["inverse"], state["weights"], state["mean"]
    # The system to solve is as large as the block, so larger ones would cost more than O(k d²).
    for start in range(0, len(table), features):
        block = table[start : start + features]
        left = size - len(block)
        if model.fit_intercept:
            own = block.mean(0)
            gap = own - mean
            mean = mean - len(block) / left * gap
            block = np.vstack([block - own, np.sqrt(size * len(block) / left) * gap])
        inverse, weights = downdate(inverse, weights, block[:, :features], block[:, features:])
        size = left
    return {"inverse": inverse, "weights": weights, "mean": mean, "counts": counts}


def _state(model: Any, dataset: Examples) -> State:
    x, y = arrays(dataset)
    counts = _counts(y, model)
    table, features = np.column_stack([x, _targets(y, model)]), x.shape[1]
    mean = table.mean(0) if model.fit_intercept else np.zeros(table.shape[1])
    rows, targets = np.split(table - mean, [features], axis=1)
    gram, weights = rows.T @ rows + model.alpha * np.eye(features), model.coef_.reshape(-1, features).T.astype(float)
    # At the solution this is rounding, however ill-conditioned the problem.
    error, scale = gram @ weights - rows.T @ targets, np.abs(gram) @ np.abs(weights) + np.abs(rows).T @ np.abs(targets)
    if (np.abs(error) > np.sqrt(np.finfo(model.coef_.dtype).eps) * scale).any():
        raise ValueError(
            "RidgeDowndate: the model is not the ridge solution on retain and forget together. It was fitted on other "
            'data, with sample weights, or by a solver that stopped early (solver="cholesky" does not).'
        )
    state = {"inverse": np.linalg.inv(gram), "weights": weights, "mean": mean, "counts": counts}
    return {**state, "fitted": _fitted(model)}


def _hand_over(model: Any, state: State) -> None:
    """Write the weights into the model, with the classes that are left."""
    kept, features, kind = state["counts"] > 0, len(state["weights"]), model.coef_.dtype
    if not kept.all():
        classes, names = model.classes_[kept], getattr(model, "feature_names_in_", None)
        if len(classes) < 2:
            raise ValueError(f"RidgeDowndate leaves one class, {classes[0]}: a refit would have nothing to separate.")
        # Each column is a class against the rest, so the others stand as they are; two classes share the last one.
        columns = np.flatnonzero(kept)[0 if len(classes) > 2 else 1 :]
        state["weights"], state["counts"] = state["weights"][:, columns], state["counts"][kept]
        state["mean"] = state["mean"][[*range(features), *(features + columns)]]
        # A fit on any data with these classes sets what goes with them; the weights are overwritten below.
        model.fit(np.zeros((len(classes), features), kind), classes)
        if names is not None:
            model.feature_names_in_ = names
    model.coef_ = state["weights"].T.reshape(model.coef_.shape).astype(kind)
    if model.fit_intercept:
        intercept = state["mean"][features:] - state["mean"][:features] @ state["weights"]
        model.intercept_ = intercept.reshape(np.shape(model.intercept_)).astype(kind)[()]
    model.downdate_ = {**state, "fitted": _fitted(model)}


def _remembered(model: Any) -> State | None:
    """Return the model's memory, unless the model has changed since."""
    state: State | None = getattr(model, "downdate_", None)
    return state if state is not None and np.array_equal(state["fitted"], _fitted(model)) else None


def _fitted(model: Any) -> Array:
    return np.concatenate([np.ravel(part).astype(float) for part in (model.coef_, model.intercept_, model.alpha)])


def _counts(y: Any, model: Any) -> Array:
    """Count the examples of each class; in regression, of all."""
    if not isinstance(model, RidgeClassifier):
        return np.array([len(y)], dtype=float)
    if y.ndim > 1:
        raise Unsupported("RidgeDowndate needs a RidgeClassifier with one label an example; use Retrain(recipe).")
    return np.bincount(positions(y, model.classes_, "RidgeDowndate"), minlength=len(model.classes_)).astype(float)


def _targets(y: Any, model: Any) -> Array:
    """Encode targets in columns; classes are ±1 against the rest, two share one."""
    if not isinstance(model, RidgeClassifier):
        return np.asarray(y.reshape(len(y), -1), dtype=float)
    own = 2 * np.eye(len(model.classes_))[positions(y, model.classes_, "RidgeDowndate")] - 1
    return own[:, 1:] if len(model.classes_) == 2 else own


def _require_ridge(model: Any) -> None:
    needs = "RidgeDowndate needs a fitted scikit-learn Ridge or RidgeClassifier"
    if not isinstance(model, (Ridge, RidgeClassifier)) or not hasattr(model, "coef_"):
        raise Unsupported(f"{needs}, not {model!r:.60}; Retrain(recipe) works for any model.")
    if np.ndim(model.alpha) or model.alpha <= 0:
        raise Unsupported(f"{needs} with one positive alpha, not {model.alpha}; use Retrain(recipe).")
    if model.positive or getattr(model, "class_weight", None) is not None:
        raise Unsupported(f"{needs} without positive=True and class_weight; use Retrain(recipe).")
