"""A metric of what is no measurement is refused by the name of the argument."""

import numpy as np
import pytest

from pytest_unlearn import metrics
from tests.ids import spelled

NAN, INF = float("nan"), float("inf")
RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=40)
EVEN = np.full((20, 4), 0.25)
MARGINS = RNG.normal(size=(5, 9))
LOGITS = RNG.normal(size=(4, 9, 3))
SHARES = {"forget": 0.5, "retain": 0.5, "test": 0.5, "mia": 0.5}
SCORED = {"labels": np.zeros(9, int), "retain_accuracies": (0.9, 0.9), "test_accuracies": (0.9, 0.9)}


@pytest.mark.parametrize(
    "wrong", ["losses.npy", {}, ["a"], 1j, object(), None, [NAN], np.zeros((2, 2, 2)), []], ids=spelled
)
@pytest.mark.parametrize(
    ("metric", "rest", "says"),
    [
        (metrics.starting_kit_mia, (SCORES,), "forget_losses"),
        (metrics.svc_mia_efficacy, (SCORES, SCORES), "retain"),
        (metrics.priv_leak, (SCORES, SCORES, SCORES), "forget|retrained"),
        (metrics.forget_quality, (SCORES,), "unlearned"),
        (metrics.js_divergence, (EVEN,), "the first model's output"),
        (metrics.zrf, (EVEN,), "the first model's output"),
        (metrics.activation_distance, (EVEN,), "the first model's output"),
        (metrics.klom, (MARGINS,), "unlearned|margins"),
    ],
)
def test_what_holds_no_numbers_is_refused_by_name(metric, rest, says, wrong):
    with pytest.raises(ValueError, match=says):
        metric(wrong, *rest)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: metrics.ain("3", 4), "both are above 0 and finite"),
        (lambda: metrics.ain(3, None), "both are above 0 and finite"),
        (lambda: metrics.ain(INF, 4), "both are above 0 and finite"),
        (lambda: metrics.ain(-1, 4), "both are above 0 and finite"),
        (lambda: metrics.nomus("80%", 0.5), "test_accuracy is '80%': it is a share"),
        (lambda: metrics.nomus(80, 0.5), "divide percentages by 100"),
        (lambda: metrics.nomus(0.8, NAN), "mia_accuracy is nan"),
        (lambda: metrics.nomus(0.8, None), "mia_accuracy is None"),
        (lambda: metrics.nomus(0.8, True), "mia_accuracy is True"),
        (lambda: metrics.tow(None, SHARES), "accuracies are a mapping with forget, retain, test"),
        (lambda: metrics.tow(SHARES, 0.5), "accuracies are a mapping"),
        (lambda: metrics.tow(SHARES, {}), "'forget' is missing"),
        (lambda: metrics.tow_mia({**SHARES, "mia": "0.5"}, SHARES), "unlearned mia is '0.5'"),
        (lambda: metrics.svc_mia_efficacy(SCORES, SCORES, SCORES, retrained="0.5"), "retrained is '0.5'"),
        (lambda: metrics.starting_kit_mia(SCORES, SCORES, seed=-1), "seed must be a whole number from 0"),
        (lambda: metrics.forget_quality(SCORES, SCORES, confidence="0.9"), "confidence must lie strictly between"),
        (lambda: metrics.neurips2023_score("a.npy", LOGITS, **SCORED), "unlearned_logits must hold real numbers"),
        (
            lambda: metrics.neurips2023_score(LOGITS, LOGITS, **{**SCORED, "test_accuracies": None}),
            "test_accuracies is None",
        ),
        (lambda: metrics.neurips2023_score(LOGITS, LOGITS, **SCORED, time_fraction="1"), "time_fraction is '1'"),
        (lambda: metrics.neurips2023_score(LOGITS, LOGITS, **SCORED, time_fraction=NAN), "time_fraction is nan"),
    ],
)
def test_what_is_no_share_or_count_is_refused_by_name(call, says):
    with pytest.raises(ValueError, match=says):
        call()
