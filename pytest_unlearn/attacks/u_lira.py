"""Run U-LiRA: compare a model with what the method makes of other requests.

Source: Hayes et al. 2024, "Inexact unlearning needs more careful evaluations to avoid a false sense of privacy". The
same method is run on shadow tasks, each with a request of its own. One law of an example comes from the models that
unlearned it, the other from originals that never saw it ("never trained"), or from models that unlearned others
("unlearned"). Where a method changes every model, the first null finds out that it was run, for all examples alike;
the second can only find out on which.

Requests must be drawn independently of each other: were they balanced, an example of this run's request would be in
fewer of the others', and the attack would be biased below 0.5 against an exact method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.attacks.attack import Pairing, Signal
from pytest_unlearn.attacks.lira import likelihood_ratios
from pytest_unlearn.core.evidence import Answers, FloatArray, Scores

Null = Literal["unlearned", "never trained"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """Hold one shadow run on the audited run's examples: its answers.

    `requested`, shape (examples,), forget set first, then controls: which examples it was trained on, then unlearned.
    """

    unlearned: Answers
    original: Answers
    requested: NDArray[np.bool_]


def unlearning_lira(
    signal: Signal, shadows: Sequence[Shadow], null: Null, target: Answers, _: Sequence[Answers], pairing: Pairing
) -> Scores:
    """Compare the forget set with what the method forgets: 0.5 if it is exact.

    Args:
        signal: the statistic of an example.
        shadows: other runs of the same method, their requests drawn independently.
        null: where the law without the example comes from.
        target: the audited model's answers.
        pairing: the examples that may be compared.
    """
    mine = _values(signal, target)
    unlearned = np.array([_values(signal, shadow.unlearned) for shadow in shadows])
    before = unlearned if null == "unlearned" else np.array([_values(signal, shadow.original) for shadow in shadows])
    scores = unlearning_lira_scores(mine, unlearned, before, np.array([shadow.requested for shadow in shadows]))
    count = len(target.forget.labels)
    return Scores(
        forget=scores[:count], controls=scores[count:], tie_share=pairing.tie_share(mine[:count], mine[count:])
    )


def unlearning_lira_scores(
    target: FloatArray, unlearned: FloatArray, null: FloatArray, requested: NDArray[np.bool_]
) -> FloatArray:
    """Compare likelihoods after unlearning the example and without it, in logs.

    Args:
        target: the model's statistic, shape (examples,).
        unlearned: the same of each shadow run's model, shape (runs, examples).
        null: the same of each run's model for the null, shape (runs, examples).
        requested: which run trained on, and then unlearned, which example, shape (runs, examples).

    Returns:
        A log-likelihood ratio for each example, shape (examples,); 0 where all shadow runs requested it, or none. With
        given laws a shift of d standard deviations gives an AUC of Phi(d / sqrt(2)).

    Raises:
        ValueError: shapes that do not match.
    """
    requested = np.asarray(requested, dtype=bool)
    if unlearned.shape != requested.shape or null.shape != requested.shape:
        raise ValueError(f"runs of shape {unlearned.shape} and {null.shape} do not go with requests {requested.shape}")
    able = requested.any(axis=0) & ~requested.all(axis=0)
    scores = np.zeros(len(target))
    if able.any():
        runs, none = requested[:, able], np.zeros_like(requested[:, able])
        models = np.concatenate([unlearned[:, able], null[:, able]])
        scores[able] = likelihood_ratios(
            target[able], models, np.concatenate([runs, none]), np.concatenate([none, ~runs])
        )
    return scores


def _values(signal: Signal, answers: Answers) -> FloatArray:
    return np.concatenate([signal(answers.forget), signal(answers.controls)])
