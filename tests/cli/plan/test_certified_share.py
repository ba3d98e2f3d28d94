"""plan: how little of what the original shows a perfect method can be shown to leave, held to simulated requests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from pytest_unlearn.cli.plan.power import Design
from pytest_unlearn.statistics import null_precision, share_left


def planned(n_forget: int, n_controls: int) -> Design:
    error, degrees = null_precision(n_forget, n_controls)
    sizes = {"n_forget": n_forget, "units": n_forget, "n_controls": n_controls, "control_units": n_controls}
    rest = {"n_train": 2 * n_forget, "classes": 1, "grouped": False, "scarcest": None}
    return Design(error=error, degrees=degrees, **sizes, **rest)


@pytest.mark.parametrize(("n_forget", "original"), [(40, 0.82), (100, 0.75), (400, 0.67)])
def test_four_honest_models_in_five_are_shown_to_leave_no_more(n_forget: int, original: float) -> None:
    rng, draws = np.random.default_rng(0), 300
    share = planned(n_forget, 2000).certified_share(original, 0.95)
    assert share is not None
    shift = math.sqrt(2) * norm.ppf(original)
    within = 0
    for _ in range(draws):
        known, others = rng.normal(size=n_forget), rng.normal(size=2000)
        ours = share_left(rng.normal(size=n_forget), rng.normal(size=2000), known + shift, others)
        within += ours.at(0.95).high <= share
    assert 0.73 <= within / draws <= 0.92


def test_a_few_examples_of_an_original_that_shows_little_certify_no_share() -> None:
    assert planned(20, 200).certified_share(0.6, 0.95) is None


def test_more_examples_certify_less() -> None:
    shares = [planned(n, 5000).certified_share(0.75, 0.95) or 1.0 for n in (50, 200, 800)]
    assert shares == sorted(shares, reverse=True)
