"""LiRA in a world whose laws are known: its AUCs are closed forms, and it equals a plain implementation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.attacks.lira import offline_lira, offline_scores
from pytest_unlearn.attacks.signals import logit_scaled_confidence
from pytest_unlearn.attacks.thresholds import reference_difference
from pytest_unlearn.core.evidence import Answers, Outputs
from pytest_unlearn.statistics import auc
from tests.published.online_lira import online_scores

N, SPREAD, SHIFT = 40_000, 3.0, 2.0  # examples a side, between examples, by having been trained on
ERROR = 4 * 0.5 / math.sqrt(N)  # more than four standard errors of any AUC


def world(models, seed=0):
    """Statistics of members and strangers, (2, N), and of models without them, (2, models, N)."""
    rng = np.random.default_rng(seed)
    level = rng.normal(0, SPREAD, size=(2, N))
    target = level + rng.normal(size=(2, N)) + np.array([[SHIFT], [0.0]])
    return target, level[:, None] + rng.normal(size=(2, models, N)), level


def attacked(models, **rest):
    target, references, _ = world(models)
    members, strangers = (offline_scores(*pair, **rest) for pair in zip(target, references, strict=True))
    return auc(members, strangers)


@pytest.mark.parametrize("models", [1, 2, 4, 16, 64])
def test_offline_with_some_models_reaches_its_closed_form(models):
    expected = special.ndtr(SHIFT / math.sqrt(2 * (1 + 1 / models)))
    assert attacked(models, variance="pooled") == pytest.approx(expected, abs=ERROR)


def test_without_models_most_of_it_is_lost_and_with_the_law_none():
    target, _, level = world(1)
    assert auc(*target) == pytest.approx(special.ndtr(SHIFT / math.sqrt(2 * (1 + SPREAD**2))), abs=ERROR)
    assert auc(*(target - level)) == pytest.approx(special.ndtr(SHIFT / math.sqrt(2)), abs=ERROR)


def test_a_variance_of_each_from_two_models_is_worse_than_the_pooled_one():
    rng = np.random.default_rng(0)
    member, included = np.arange(2 * N) < N, np.tile(np.arange(4)[:, None] < 2, (1, 2 * N))
    level = rng.normal(0, SPREAD, size=2 * N)
    references = level + rng.normal(size=(4, 2 * N)) + included
    target = level + rng.normal(size=2 * N) + member
    each, pooled = (online_scores(target, references, included, variance=kind) for kind in ("each", "pooled"))
    assert auc(each[member], each[~member]) == pytest.approx(0.586, abs=ERROR)  # no model at all gives 0.594
    assert auc(pooled[member], pooled[~member]) > 0.66


def test_each_example_has_a_variance_of_its_own_from_32_models():
    assert attacked(4) == attacked(4, variance="pooled")
    assert attacked(64) == attacked(64, variance="each")


def test_online_with_many_models_comes_near_the_oracle():
    rng = np.random.default_rng(1)
    models, examples = 64, 10_000
    level = rng.normal(0, SPREAD, size=examples)
    included = rng.permuted(np.tile(np.arange(models)[:, None] % 2 == 0, (1, examples)), axis=0)
    references = level + rng.normal(size=(models, examples)) + SHIFT * included
    member = np.arange(examples) % 2 == 0
    target = level + rng.normal(size=examples) + SHIFT * member
    scores = online_scores(target, references, included, variance="pooled")
    assert auc(scores[member], scores[~member]) == pytest.approx(special.ndtr(SHIFT / math.sqrt(2)), abs=0.02)


@pytest.mark.parametrize("variance", ["pooled", "each"])
@pytest.mark.parametrize("queries", [1, 3])
def test_it_equals_a_plain_implementation(variance, queries):
    rng = np.random.default_rng(2)
    models, examples = 9, 40
    references = rng.normal(size=(models, queries, examples))
    target = rng.normal(size=(queries, examples))
    included = rng.permuted(np.tile(np.arange(models)[:, None] < 4, (1, examples)), axis=0)

    def law(query, kind):
        groups = [references[kind[:, e], query, e] for e in range(examples)]
        squares = [((g - g.mean()) ** 2).sum() for g in groups]
        own = [s / (len(g) - 1) for s, g in zip(squares, groups, strict=True)]
        pooled = sum(squares) / sum(len(g) - 1 for g in groups)
        return [(g.mean(), math.sqrt(v if variance == "each" else pooled)) for g, v in zip(groups, own, strict=True)]

    expected = np.zeros(examples)
    for query in range(queries):
        for e, (inside, outside) in enumerate(zip(law(query, included), law(query, ~included), strict=True)):
            logs = [stats.norm.logpdf(target[query, e], *one) for one in (inside, outside)]
            expected[e] += (logs[0] - logs[1]) / queries
    given = (target, references) if queries > 1 else (target[0], references[:, 0])
    np.testing.assert_allclose(online_scores(*given, included, variance=variance), expected, rtol=1e-9, atol=1e-9)


def test_pooled_offline_ranks_as_the_difference_to_the_references_does():
    rng = np.random.default_rng(3)

    def answers():
        forget, controls = (Outputs(logits=rng.normal(size=(50, 4)), labels=np.arange(50) % 4) for _ in range(2))
        return Answers(forget=forget, controls=controls)

    target, references = answers(), [answers() for _ in range(4)]
    ours, plain = (
        score(logit_scaled_confidence, target, references, Pairing()) for score in (offline_lira, reference_difference)
    )
    for side in ("forget", "controls"):
        np.testing.assert_array_equal(np.argsort(getattr(ours, side)), np.argsort(getattr(plain, side)))


def test_references_that_agree_in_everything_give_finite_scores():
    assert np.isfinite(offline_scores(np.ones(5), np.zeros((3, 5)))).all()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: offline_scores(np.zeros(5), np.zeros((2, 4))), "do not go with"),
        (lambda: offline_scores(np.zeros(5), np.zeros((0, 5))), "do not go with"),
        (lambda: offline_scores(np.zeros(5), np.zeros((1, 5)), variance="each"), "needs 2 or more"),
        (lambda: online_scores(np.zeros(5), np.zeros((2, 5)), np.ones((2, 5), dtype=bool)), "needs 1 or more"),
        (lambda: online_scores(np.zeros(5), np.zeros((2, 5)), np.ones((3, 5), dtype=bool)), "included has shape"),
    ],
)
def test_what_does_not_fit_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
