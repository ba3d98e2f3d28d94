"""Probes as attacks: answers of a known law, so that the AUC they must find, and how often they may err, is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from pytest_unlearn.attacks.learned import cross_fitted
from pytest_unlearn.attacks.registry import Pairing
from pytest_unlearn.claims.common.findings import judge_attacks, run_attacks
from pytest_unlearn.claims.features.probe_attacks import class_probe, label_probe, membership_probe
from pytest_unlearn.core.evidence import Answers, Outputs, Verdict
from pytest_unlearn.models.query import Query

QUERY = Query(name="probe", ask=lambda model, view, answer: np.zeros((len(view), 1)))
LABEL, DEVIATION = label_probe(QUERY, 0, "into 2")
CLASS, MEMBERSHIP = class_probe(QUERY, 0, "into 2"), membership_probe(QUERY, "into 2")


def outputs(asked, labels=None):
    labels = np.zeros(len(asked), dtype=np.int64) if labels is None else labels
    return Outputs(logits=np.zeros((len(asked), 3)), labels=labels, asked={"probe": asked})


def models(rng, count, n=(80, 160), difficulty=1.0, shift=0.0, level=0.0, wobble=0.0):
    """The first remembers by `shift` on forget and knows the class by `level` on both sides; all differ by `wobble`."""
    base = [rng.normal(0, difficulty, size=(size, 1)) for size in n]
    found = []
    for number in range(count):
        push = rng.normal(0, wobble) + (level if number == 0 else 0.0)
        sides = [part + rng.normal(size=part.shape) + push for part in base]
        if number == 0:
            sides[0] = sides[0] + shift
        found.append(Answers(forget=outputs(sides[0]), controls=outputs(sides[1])))
    return found[0], found[1:]


def measured(attack, target, references, pairing=None):
    pairing = pairing or Pairing()
    return attack.measure(attack.score(target, references, pairing), pairing)


def test_a_label_probe_s_residual_is_the_shift_beyond_what_references_explain():
    shift, found = 1.0, []
    for seed in range(3):
        target, references = models(np.random.default_rng(seed), 5, n=(3000, 3000), difficulty=2.0, shift=shift)
        found.append(measured(LABEL, target, references).value)
    # given the references' mean, what is left of a model's own has variance 1 + difficulty^2/(1 + 4 difficulty^2)
    spread = math.sqrt(1 + 2.0**2 / (1 + 4 * 2.0**2))
    assert np.mean(found) == pytest.approx(norm.cdf(shift / spread / math.sqrt(2)), abs=0.02)


def test_a_label_deviation_finds_what_a_signed_score_averages_away():
    target, references = models(np.random.default_rng(0), 5, n=(1000, 1000))
    half = np.repeat([3.0, -3.0], 500)[:, None]
    torn = Answers(forget=outputs(target.forget.asked["probe"] + half), controls=target.controls)
    assert measured(LABEL, torn, references).value == pytest.approx(0.5, abs=0.06)
    assert measured(DEVIATION, torn, references).at(0.95).low > 0.7


def test_a_class_probe_is_the_band_of_the_references_means():
    target, references = models(np.random.default_rng(0), 5, level=1.5)
    means = [np.r_[one.forget.asked["probe"], one.controls.asked["probe"]].mean() for one in (target, *references)]
    spread = np.std(means[1:], ddof=1) * math.sqrt(1 + 1 / 4)
    estimate = measured(CLASS, target, references).at(0.95)
    distance = means[0] - np.mean(means[1:])
    assert estimate.value == pytest.approx(norm.cdf(distance / math.sqrt(2)))
    assert estimate.low == pytest.approx(norm.cdf((distance - 2.353363 * spread) / math.sqrt(2)), abs=1e-6)
    assert (estimate.n_forget, estimate.n_controls) == (80, 160)


def test_a_class_probe_of_one_reference_is_never_certain():
    target, references = models(np.random.default_rng(0), 2, level=50.0)
    findings = run_attacks([CLASS], [], target, references, Pairing(), 0.95)
    assert judge_attacks(findings, 0.55, 0.95).verdict is Verdict.INCONCLUSIVE


def test_features_that_do_not_vary_are_invalid_and_never_a_pass():
    flat = Answers(forget=outputs(np.zeros((40, 1))), controls=outputs(np.zeros((40, 1))))
    _, references = models(np.random.default_rng(0), 5, n=(40, 40))
    for attack in (CLASS, LABEL):
        for others in (references, [flat, flat, flat]):
            findings = run_attacks([attack], [], flat, others, Pairing(), 0.95)
            judgement = judge_attacks(findings, 0.55, 0.95)
            assert judgement.verdict is Verdict.INVALID, attack.name
            assert np.isfinite(findings[0].estimate.value)


def probed(forget, controls):
    """What the query of a membership probe scores, of such components."""
    found = cross_fitted(np.concatenate([forget, controls]), len(forget), Pairing())
    return Answers(forget=outputs(found[0]), controls=outputs(found[1]))


def test_a_membership_probe_of_features_that_do_not_vary_stays_finite():
    flat = probed(np.ones((40, 5)), np.ones((60, 5)))
    estimate = measured(MEMBERSHIP, flat, [flat, flat, flat]).at(0.95)
    assert (estimate.value, np.isfinite([estimate.low, estimate.high]).all()) == (pytest.approx(0.5), True)


def features(rng, shift, n=(100, 100), size=10):
    forget, controls = (rng.normal(size=(k, size)) for k in n)
    forget[:, 0] += shift
    return probed(forget, controls)


def test_a_membership_probe_finds_what_the_model_s_features_tell_and_references_do_not():
    rng = np.random.default_rng(0)
    references = [features(rng, 0.0) for _ in range(4)]
    assert measured(MEMBERSHIP, features(rng, 2.0), references).at(0.95).low > 0.7
    known = [features(rng, 2.0) for _ in range(4)]  # what every retrained model's features tell is no trace
    estimate = measured(MEMBERSHIP, features(rng, 2.0), known).at(0.95)
    assert estimate.low < 0.5 < estimate.high


def test_a_membership_probe_is_the_same_again():
    found = []
    for _ in range(2):
        rng = np.random.default_rng(1)
        target, *references = [features(rng, shift) for shift in (0.5, 0.0, 0.0)]
        found.append(measured(MEMBERSHIP, target, references).at(0.95))
    assert found[0] == found[1]


@pytest.mark.parametrize("attack", [LABEL, DEVIATION, CLASS], ids=lambda attack: attack.name)
def test_an_honest_model_is_beyond_a_bound_as_seldom_as_stated(attack):
    draws = 400
    outside = np.zeros(2)
    for seed in range(draws):
        estimate = measured(attack, *models(np.random.default_rng(seed), 5, wobble=0.3)).at(0.95)
        outside += [estimate.low > 0.5, estimate.high < 0.5]
    error = math.sqrt(0.05 * 0.95 / draws)
    assert (outside / draws <= 0.05 + 3 * error).all(), outside


@pytest.mark.long
@pytest.mark.slow
def test_an_honest_model_s_membership_probe_is_beyond_a_bound_as_seldom_as_stated():
    draws = 150
    outside = np.zeros(2)
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        estimate = measured(MEMBERSHIP, features(rng, 0.0), [features(rng, 0.0) for _ in range(4)]).at(0.95)
        outside += [estimate.low > 0.5, estimate.high < 0.5]
    assert (outside / draws <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / draws)).all(), outside


def test_a_probe_of_some_classes_is_about_these_alone():
    rng = np.random.default_rng(0)
    target, references = models(rng, 5, shift=2.0)
    among = np.arange(80) < 40, np.arange(160) < 60
    strata = Pairing(forget_strata=np.arange(80) % 2, control_strata=np.arange(160) % 2)
    part = [
        Answers(
            forget=outputs(one.forget.asked["probe"][among[0]]), controls=outputs(one.controls.asked["probe"][among[1]])
        )
        for one in (target, *references)
    ]
    within = Pairing(forget_strata=strata.forget_strata[:40], control_strata=strata.control_strata[:60])
    pairs = zip(
        (*label_probe(QUERY, 0, "into 2", among), class_probe(QUERY, 0, "into 2", among)),
        (LABEL, DEVIATION, CLASS),
        strict=True,
    )
    for some, whole in pairs:
        assert measured(some, target, references, strata).at(0.95) == measured(whole, part[0], part[1:], within).at(
            0.95
        )
