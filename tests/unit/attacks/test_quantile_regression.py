"""Quantile regression: difficulty that inputs explain is taken out without any reference."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.stats import norm

from pytest_unlearn.attacks.attack import Pairing, auc_of_scores
from pytest_unlearn.attacks.quantile_regression import quantile_regression
from pytest_unlearn.attacks.signals import logit_scaled_confidence
from pytest_unlearn.core.evidence import Answers
from tests.unit.attacks.gaussian import binary

PLAIN = Pairing()
attack = partial(quantile_regression, logit_scaled_confidence)


def world(shift, n=2000, spread=3.0, seed=0, noise=None):
    """Confidence is N(spread * x, 1), and `shift` more on the forget set; the input x is known."""
    rng = np.random.default_rng(seed)
    sides = []
    for push in (shift, 0.0):
        x = rng.uniform(-1.7, 1.7, size=(n, 1))
        scale = np.ones(n) if noise is None else np.where(x[:, 0] > 0, noise, 1.0)
        outputs = binary(spread * x[:, 0] + scale * (rng.normal(size=n) + push))
        sides.append(type(outputs)(logits=outputs.logits, labels=outputs.labels, asked={"inputs": x}))
    return Answers(forget=sides[0], controls=sides[1])


def test_where_inputs_explain_difficulty_it_is_nearly_as_good_as_knowing_the_law():
    found = auc_of_scores(attack(world(2.0), [], PLAIN), PLAIN).value
    oracle, plain = norm.cdf(2 / 2**0.5), norm.cdf(2 / (2 * (1 + 3.0**2)) ** 0.5)
    assert oracle - 0.05 < found <= oracle + 0.01
    assert found > plain + 0.2


@pytest.mark.slow
def test_the_deviation_is_learned_too():
    # where x > 0 the statistic is five times as noisy: standardised, all examples are alike
    scores = attack(world(0.0, noise=5.0), [], PLAIN)
    target = world(0.0, noise=5.0)
    noisy = target.controls.asked["inputs"][:, 0] > 0
    spread = scores.controls[noisy].std() / scores.controls[~noisy].std()
    assert spread == pytest.approx(1.0, abs=0.2)


@pytest.mark.slow
def test_over_ten_retrained_models_it_is_at_a_half_with_few_controls_too():
    values = [auc_of_scores(attack(world(0.0, n=80, seed=seed), [], PLAIN), PLAIN).value for seed in range(10)]
    assert np.mean(values) == pytest.approx(0.5, abs=3.5 * np.std(values) / 10**0.5)


@pytest.mark.slow
def test_controls_are_scored_by_fits_that_never_saw_them():
    # a forest knows its own training points: in-sample residuals would be smaller than those of forget examples
    scores = attack(world(0.0, n=300), [], PLAIN)
    assert scores.controls.std() == pytest.approx(scores.forget.std(), rel=0.25)
