"""Run RMIA: compare an example's gain in probability with that of others.

Source: Zarifzadeh, Liu & Shokri 2024, "Low-cost high-power membership inference attacks", equations 2 to 10. Access:
outputs, references, and examples that nobody trained on; cost: one evaluation of each reference. The score is a rank
among those examples, so that it ties in steps of one of them. Under exact unlearning its AUC is that of the references,
which is 0.5 where forget set and controls are alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pytest_unlearn.attacks.attack import Pairing, scores_of
from pytest_unlearn.attacks.signals import log_probability
from pytest_unlearn.core.evidence import Answers, FloatArray, Scores

OFFLINE = 0.3  # the paper's `a` without tuning: how far a reference that saw the example would go from one that did not


def offline_rmia(
    target: Answers, references: Sequence[Answers], pairing: Pairing, a: float = OFFLINE, gamma: float = 1.0
) -> Scores:
    """Rank an example's gain among the controls'. Target: the references' value.

    Where forget examples are harder than controls (mislabelled ones), a retrained model's AUC is far from 0.5. So each
    reference is judged by the others beside the model, if there are two.
    """
    everyone = [[log_probability(part) for part in (one.forget, one.controls)] for one in (target, *references)]
    mine, others = everyone[0], everyone[1:]
    found = [_judged(mine, others, a, gamma)]
    if len(others) > 1:
        found += [_judged(one, [*others[:k], *others[k + 1 :]], a, gamma) for k, one in enumerate(others)]
    return scores_of(found, tie_share=pairing.tie_share(mine[0], mine[1]))


def _judged(
    own: list[FloatArray], others: list[list[FloatArray]], a: float, gamma: float
) -> tuple[FloatArray, FloatArray]:
    forget, controls = (np.array([one[side] for one in others]) for side in (0, 1))
    return (
        rmia_scores(own[0], forget, own[1], controls, a=a, gamma=gamma, ties=0.5),
        rmia_scores(own[1], controls, own[1], controls, a=a, gamma=gamma, ties=0.5),
    )


def rmia_scores(
    target: FloatArray,
    references: FloatArray,
    population: FloatArray,
    population_references: FloatArray,
    *,
    a: float = OFFLINE,
    gamma: float = 1.0,
    ties: float = 0.0,
) -> FloatArray:
    """Return the share of the population whose gain is exceeded by `gamma`.

    Args:
        target: log-probabilities of the true labels by the model, shape (examples,).
        references: the same by reference models, shape (models, examples).
        population: as `target`, of examples that no model was trained on, shape (population,).
        population_references: as `references`, shape (models, population).
        a: the assumed probability by models with the example, a p + 1 - a; in [0, 1].
        gamma: the factor, above 0.
        ties: what a member of the population counts whose gain is exceeded by exactly that factor. One half where the
            population is scored too: each of it would else rank below an example of others with as much of it beneath.

    Returns:
        A score in [0, 1] for each example; higher is more member-like. Where the references give every example the same
        probability it ranks as the loss does.

    Raises:
        ValueError: shapes that do not match, or `a` or `gamma` out of range.
    """
    target, population = np.asarray(target, dtype=np.float64), np.asarray(population, dtype=np.float64)
    references, theirs = np.asarray(references, dtype=np.float64), np.asarray(population_references, dtype=np.float64)
    if references.shape[1:] != target.shape or theirs.shape != (len(references), *population.shape) or not theirs.size:
        raise ValueError(
            f"references {references.shape} and {theirs.shape} do not go with {target.shape} examples and a population "
            f"of {population.shape}"
        )
    if not 0.0 <= a <= 1.0 or not gamma > 0.0:
        raise ValueError(f"a is {a} and gamma {gamma}: a is between 0 and 1, and gamma above 0")
    return share_exceeded(target - offline_average(references, a), population - offline_average(theirs, a), gamma, ties)


def share_exceeded(gains: FloatArray, others: FloatArray, gamma: float, ties: float) -> FloatArray:
    """Return the share of `others` that each gain exceeds by the factor `gamma`."""
    ordered = np.sort(others)
    least = gains - np.log(gamma)
    exceeded = np.searchsorted(ordered, least).astype(np.float64)
    if ties:
        exceeded += ties * (np.searchsorted(ordered, least, side="right") - exceeded)
    return np.asarray(exceeded / len(ordered))


def offline_average(references: FloatArray, a: float) -> FloatArray:
    """Log a probability averaged over models with and without, from those without."""
    out = np.exp(references).mean(axis=0)
    return np.asarray(np.log(((1.0 + a) * out + 1.0 - a) / 2.0))
