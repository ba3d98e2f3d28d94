"""Successive requests: checked lists, or an adversary that sees the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pytest_unlearn.attacks.signals import logit_scaled_confidence
from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.data.tables import comparable
from pytest_unlearn.models.predict import evaluate
from pytest_unlearn.task import UnlearningTask, View

Adversary = Callable[..., Any]  # adversary(model, asked_so_far, task, seed) -> positions in train


def adaptive_adversary(model: Any, asked_so_far: IntArray, task: UnlearningTask, seed: int) -> IntArray:
    """Choose what an adversary would delete next, who sees the current model.

    Those whose neighbours are deleted already, and that the model is still most confident about: the sum of both ranks,
    so that neither scale counts. A method that leaves a trace of what it deleted is asked about what lies beside it.

    Args:
        model: the current model.
        asked_so_far: [m], positions in train that are deleted; none before the first request.
        task: whose training examples are asked for.
        seed: of the order of ties.

    Returns:
        All other positions in train, those to be asked for first.

    Source: Gupta et al. 2021, "Adaptive machine unlearning"; Chourasia and Shah 2023, "Forget unlearning".
    """
    count = len(task.split.train)
    left = np.setdiff1d(np.arange(count), asked_so_far)
    view = View("train", task.split.train, left, task)
    outputs = evaluate(model, view, classes=task.split.classes, device=task.device)
    appeal = _ranks(-logit_scaled_confidence(outputs))
    if len(asked_so_far):
        rows = comparable(View("train", task.split.train, np.arange(count), task).arrays()[0])
        appeal = appeal + _ranks(_distance_to_nearest(rows[left], rows[asked_so_far]))
    shuffled = np.random.default_rng(seed).permutation(len(left))
    return np.asarray(left[shuffled[np.argsort(appeal[shuffled], kind="stable")]])


def checked_requests(requests: Any, task: UnlearningTask) -> tuple[IntArray, ...]:
    """Check a list of requests, as positions in train.

    Raises:
        ValueError: an empty list, an empty request, positions that are none, or that are asked for twice; a request
            after which too little is left to train on or a class cannot be compared.
    """
    if isinstance(requests, (str, bytes)) or not hasattr(requests, "__iter__"):
        raise ValueError(
            "requests must be a list of index arrays (positions in train), or an adversary "
            f"(model, asked_so_far, task, seed) -> positions; got {type(requests).__name__}."
        )
    found: list[IntArray] = []
    for request in requests:
        found.append(checked_request(request, found, task))
    if not found:
        raise ValueError("requests is empty: there is no sequence to audit.")
    return tuple(found)


def checked_request(request: Any, before: Sequence[IntArray], task: UnlearningTask) -> IntArray:
    """Check one request after others, with the errors of `checked_requests`."""
    number, count = len(before) + 1, len(task.split.train)
    positions = np.asarray(request)
    if positions.dtype == bool and positions.shape == (count,):
        positions = np.flatnonzero(positions)
    if positions.size == 0:
        raise ValueError(f"request {number} is empty: leave it out, or name the examples to delete.")
    if positions.ndim != 1 or positions.dtype.kind not in "iu":
        raise ValueError(f"request {number} must hold positions in train, whole numbers in one dimension.")
    outside = positions[(positions < 0) | (positions >= count)]
    if len(outside):
        raise ValueError(f"request {number} names position {outside[0]}, and train has {count} examples.")
    values, times = np.unique(positions, return_counts=True)
    if (times > 1).any():
        raise ValueError(f"request {number} names position {values[times > 1][0]} twice: name each example once.")
    for earlier, other in enumerate(before, start=1):
        again = np.intersect1d(values, other)
        if len(again):
            raise ValueError(
                f"request {number} names position {again[0]}, which request {earlier} has deleted already: an example "
                "can be deleted once."
            )
    _check_left(number, np.concatenate([*before, values]), task)
    return values.astype(np.int64)


def chosen(
    requests: Any, task: UnlearningTask, rounds: int | None, size: int | None
) -> Callable[[Any, Sequence[IntArray], int], IntArray | None]:
    """Return the next request for the current model, None at the end.

    Raises:
        ValueError: a list that cannot be asked for, `rounds=` or `size=` with a list, or an adversary without them.
    """
    if not callable(requests):
        if rounds is not None or size is not None:
            raise ValueError("rounds= and size= are for an adversary; a list of requests has its own.")
        listed = checked_requests(requests, task)
        return lambda _, before, __: listed[len(before)] if len(before) < len(listed) else None
    wrong = [name for name, value in (("rounds", rounds), ("size", size)) if not _positive(value)]
    if wrong or rounds is None or size is None:
        raise ValueError(
            f"an adversary needs {' and '.join(f'{name}=' for name in wrong)}, whole numbers from 1: how many requests "
            "it makes, and of how many examples each."
        )
    total, each = rounds, size

    def ask(model: Any, before: Sequence[IntArray], seed: int) -> IntArray | None:
        if len(before) == total:
            return None
        asked = np.concatenate([*before, np.empty(0, dtype=np.int64)])
        return checked_request(np.asarray(requests(model, asked, task, seed))[:each], before, task)

    return ask


def _positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _check_left(number: int, gone: IntArray, task: UnlearningTask) -> None:
    labels = task.split.train.labels
    left = np.delete(labels, gone)
    if len(np.unique(left)) < 2:
        raise ValueError(
            f"after request {number} fewer than two classes are left to train on: ask for fewer examples, so that "
            "models can be retrained without them."
        )
    lost = np.setdiff1d(np.unique(labels[gone]), left)
    blind = np.setdiff1d(lost, task.split.held_out.labels)
    if len(blind):
        raise ValueError(
            f"after request {number} no example of class {blind[0]} is left, and there is no control of it to compare "
            "with: pass controls= with never-trained examples of that class to Split, or keep some of it."
        )


def _distance_to_nearest(rows: FloatArray, others: FloatArray, batch: int = 256) -> FloatArray:
    from scipy.spatial.distance import cdist

    starts = range(0, len(rows), batch)
    return np.concatenate([cdist(rows[k : k + batch], others, "sqeuclidean").min(axis=1) for k in starts])


def _ranks(values: FloatArray) -> FloatArray:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values), dtype=np.float64)
