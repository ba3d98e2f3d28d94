"""Runs of a method from the start: fresh seeds, a drawn request, the answers.

A drawn request has the size of the real one and is drawn from the forget set and as many controls: what was not drawn
was never trained on in that run, and is what the drawn examples are compared with. Chance alone decided which is which,
so that an exact method gives an AUC of 0.5 whatever the forget set is like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.attacks.registry import Pairing
from pytest_unlearn.claims.common.controls import same_answers
from pytest_unlearn.claims.common.provenance import ONLY_ITSELF
from pytest_unlearn.core.evidence import Answers, IntArray, Outputs
from pytest_unlearn.data.dataset import Examples
from pytest_unlearn.data.view import joined
from pytest_unlearn.models.predict import Output, evaluate
from pytest_unlearn.task import UnlearningTask, View

Requests = Literal["drawn", "same"]
FIRST_RUN_SEED = 9000  # far from the seeds of the original, of references and of searches
METHOD_SEEDS = 500  # what the method's seed is above the original's: they must not share their noise
DRAWS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The answers of one run's models, and the part of the pool it unlearned.

    `outside` marks the run's controls that are controls of the task as well: no model may have been trained on them.
    `others` are the references that are not the unlearned model itself, which a deterministic recipe makes again.
    """

    seed: int
    original: Answers
    unlearned: Answers
    references: tuple[Answers, ...]
    others: tuple[Answers, ...]
    pairing: Pairing
    drawn: NDArray[np.bool_]
    outside: NDArray[np.bool_]
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPool:
    """The examples that runs are judged on, as positions in `examples`.

    With the units they are deleted in, if any. `retain` are positions too; `size` is how many of the pool a request
    holds, `fixed` the request itself if all runs have the same.
    """

    examples: Examples
    retain: IntArray
    positions: IntArray
    units: IntArray | None
    size: int
    fixed: NDArray[np.bool_] | None
    by_class: bool

    @property
    def labels(self) -> IntArray:
        """The labels of the pool."""
        return self.examples.labels[self.positions]


def open_pool(task: UnlearningTask, requests: Requests) -> RequestPool:
    """Open the pool of a task; its examples keep the order forget, then controls."""
    forget, controls, retain = task.forget, task.controls, task.retain
    examples = joined([retain, forget, controls], "train and controls")
    start = len(retain)
    chosen = np.arange(len(controls))
    if requests == "drawn":
        chosen = _as_many(forget.labels, controls.labels, task.split.matching.by_class, task.seed)
    units = None
    groups, owners = task.split.groups, task.split.control_groups
    if groups is not None or owners is not None:
        ids = Pairing(
            forget_groups=None if groups is None else groups[forget.indices],
            control_groups=None if owners is None else owners[controls.indices][chosen],
        )
        units = ids.units(len(forget), len(chosen))
    fixed = np.arange(len(forget) + len(chosen)) < len(forget)
    return RequestPool(
        examples=examples,
        retain=np.arange(start),
        positions=np.concatenate([start + np.arange(len(forget)), start + len(forget) + chosen]),
        units=units,
        size=len(forget),
        fixed=fixed if requests == "same" else None,
        by_class=task.split.matching.by_class,
    )


def draw(task: UnlearningTask, pool: RequestPool, count: int) -> tuple[list[NDArray[np.bool_]], list[View]]:
    """Draw each run's request, a mask over the pool, and its original's training set."""
    rng = np.random.default_rng(task.seed)
    masks = [pool.fixed if pool.fixed is not None else _draw(pool, rng) for _ in range(count)]
    return masks, [_train_set(pool, mask) for mask in masks]


def simulate(unlearner: Any, task: UnlearningTask, pool: RequestPool, count: int, output: Output) -> list[Run]:
    """Make `count` runs, with seeds counted from the task's.

    Raises:
        ValueError: when the unlearner changed its input, a model cannot be asked, or a fixed request has no reference
            but the audited model itself: a drawn one is judged by chance alone.
    """
    masks, trains = draw(task, pool, count)
    view = View("pool", pool.examples, pool.positions)
    first = task.seed + FIRST_RUN_SEED
    reference_outputs = [_ask(task, model, view, output) for model in task.retrained]
    asked = [(train, *_request(pool, train)) for train in trains]
    models = task.runs(unlearner, asked, first_seed=first, method_seed=first + METHOD_SEEDS)
    runs = []
    for number, (mask, (original, model)) in enumerate(zip(masks, models, strict=True)):
        before, after = (_ask(task, one, view, output) for one in (original, model))
        run = _run(pool, mask, first + number, before, after, reference_outputs, task.models.seconds_of(model))
        if pool.fixed is not None and not run.others:
            raise ValueError(ONLY_ITSELF)
        runs.append(run)
    return runs


def originals_alone(
    task: UnlearningTask, pool: RequestPool, drawn: Sequence[tuple[NDArray[np.bool_], Any]], references: Sequence[Any]
) -> list[Run]:
    """Return runs whose method has done nothing yet."""
    view = View("pool", pool.examples, pool.positions)
    reference_outputs = [_ask(task, model, view, None) for model in references]
    asked = [(mask, _ask(task, original, view, None)) for mask, original in drawn]
    return [_run(pool, mask, number, one, one, reference_outputs, None) for number, (mask, one) in enumerate(asked)]


def _run(
    pool: RequestPool,
    mask: NDArray[np.bool_],
    seed: int,
    original: Outputs,
    unlearned: Outputs,
    references: Sequence[Outputs],
    seconds: float | None,
) -> Run:
    """Put together what the models of one run answered."""
    before = _split(original, mask)
    after = replace(_split(unlearned, mask), original=before)
    retrained = tuple(replace(_split(one, mask), original=before) for one in references)
    return Run(
        seed=seed,
        original=before,
        unlearned=after,
        references=retrained,
        others=tuple(one for one in retrained if not same_answers(one, after)),
        pairing=_pairing(pool, mask),
        drawn=mask,
        outside=np.flatnonzero(~mask) >= pool.size,
        seconds=seconds,
    )


def _train_set(pool: RequestPool, drawn: NDArray[np.bool_]) -> View:
    """Build a run's own training set: undrawn examples are not even visible."""
    parts = [View("part", pool.examples, positions) for positions in (pool.retain, pool.positions[drawn])]
    examples = joined(parts, "train")
    return View("train", examples, np.arange(len(examples)))


def _request(pool: RequestPool, train: View) -> tuple[View, View]:
    """Part what was trained on into what stays and what must go."""
    kept = np.arange(len(train)) < len(pool.retain)
    stay, go = (View(n, train.examples, np.flatnonzero(k)) for n, k in (("retain", kept), ("forget", ~kept)))
    return stay, go


def _ask(task: UnlearningTask, model: Any, view: View, output: Output) -> Outputs:
    return evaluate(model, view, classes=task.split.classes, output=output, device=task.device)


def _split(outputs: Outputs, drawn: NDArray[np.bool_]) -> Answers:
    forget, controls = outputs.take(drawn), outputs.take(~drawn)
    return Answers(forget=forget, controls=controls)


def _pairing(pool: RequestPool, drawn: NDArray[np.bool_]) -> Pairing:
    labels = (pool.labels[drawn], pool.labels[~drawn]) if pool.by_class else (None, None)
    units = (pool.units[drawn], pool.units[~drawn]) if pool.units is not None else (None, None)
    return Pairing(
        forget_strata=labels[0],
        control_strata=labels[1],
        forget_groups=units[0],
        control_groups=units[1],
        exchangeable=pool.fixed is None,
    )


def _as_many(wanted: IntArray, labels: IntArray, by_class: bool, seed: int) -> IntArray:
    """Choose as many controls as forget examples class by class, or all."""
    order = np.random.default_rng(seed).permutation(len(labels))
    if not by_class:
        return np.sort(order[: len(wanted)])
    kept = [order[labels[order] == label][: (wanted == label).sum()] for label in np.unique(wanted)]
    return np.sort(np.concatenate(kept))


def _draw(pool: RequestPool, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw a request with the real one's size in each class, or of whole units."""
    first = np.arange(len(pool.positions)) < pool.size
    if pool.units is None:
        strata = pool.labels if pool.by_class else np.zeros(len(first), dtype=np.int64)
        drawn = np.zeros(len(first), dtype=bool)
        for label in np.unique(strata):
            members = np.flatnonzero(strata == label)
            drawn[rng.permutation(members)[: int(first[members].sum())]] = True
        return drawn
    names, of = np.unique(pool.units, return_inverse=True)
    for _ in range(DRAWS):  # a coin for each unit: large ones must not be drawn less often than small ones
        drawn = (rng.random(len(names)) < pool.size / len(first))[of]
        if 0 < drawn.sum() < len(drawn) and (not pool.by_class or set(pool.labels[drawn]) <= set(pool.labels[~drawn])):
            return drawn
    raise ValueError(
        "no request of whole groups leaves a control for each of its classes: give more controls or fewer groups, or "
        'compare across classes with Split(match=None), or pass requests="same".'
    )
