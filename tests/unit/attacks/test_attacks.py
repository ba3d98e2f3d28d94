"""Attacks in worlds whose answer is known, and against outputs made to hide."""

import numpy as np
import pytest
from scipy.stats import norm

from pytest_unlearn.attacks.attack import auc_of_scores
from pytest_unlearn.attacks.registry import LABEL_ONLY, Pairing, deciding_set, tripwires
from pytest_unlearn.attacks.signals import logit_scaled_confidence
from pytest_unlearn.attacks.thresholds import reference_difference
from pytest_unlearn.core.evidence import Answers, Outputs

DECIDING = {attack.name: attack for attack in deciding_set(references=True, classes=3)}
ALL = {**DECIDING, **{attack.name: attack for attack in tripwires(references=True, classes=3)}}
PLAIN = Pairing()


def binary(values):
    """Outputs of a two-class model whose logit-scaled confidence is `values`."""
    values = np.asarray(values, dtype=float)
    return Outputs(logits=np.stack([values, np.zeros_like(values)], axis=1), labels=np.zeros(len(values), dtype=int))


def gaussian_world(d, spread, references, n=20_000, seed=0):
    """Confidence of example i is N(a_i, 1) for a model that never saw it, N(a_i + d, 1) for one that did."""
    rng = np.random.default_rng(seed)
    centre = {side: rng.normal(0, spread, n) for side in ("forget", "controls")}
    shift = {"forget": d, "controls": 0.0}
    target = Answers(**{side: binary(rng.normal(centre[side] + shift[side], 1)) for side in centre})
    known = [Answers(**{side: binary(rng.normal(centre[side], 1)) for side in centre}) for _ in range(references)]
    return target, known


def measured(attack, target, references, pairing=PLAIN):
    return attack.measure(attack.score(target, references, pairing), pairing)


@pytest.mark.parametrize("k", [1, 2, 4, 16])
def test_the_reference_difference_has_the_closed_form_auc_of_offline_lira(k):
    target, references = gaussian_world(2.0, 3.0, k)
    scores = reference_difference(logit_scaled_confidence, target, references, PLAIN)
    expected = norm.cdf(2 / np.sqrt(2 * (1 + 1 / k)))
    assert auc_of_scores(scores, PLAIN).value == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize(("k", "judging"), [(1, 1), (2, 1), (4, 3), (16, 15)])
def test_beside_each_reference_s_difference_the_model_is_judged_by_as_many_others(k, judging):
    target, references = gaussian_world(2.0, 3.0, k)
    expected = norm.cdf(2 / np.sqrt(2 * (1 + 1 / judging)))
    assert measured(ALL["confidence difference"], target, references).value == pytest.approx(expected, abs=0.008)


def test_a_request_of_examples_on_which_models_vary_more_accuses_no_honest_model():
    hard = {"forget": 3.0, "controls": 1.0}  # every model varies as much on them

    def model(rng, shift=0.0):
        sides = {side: rng.normal(1.0 + shift * (side == "forget"), spread, 4000) for side, spread in hard.items()}
        return Answers(**{side: binary(np.exp(values / 3)) for side, values in sides.items()})

    rng = np.random.default_rng(0)
    references = [model(rng) for _ in range(4)]
    plain = auc_of_scores(reference_difference(logit_scaled_confidence, model(rng), references, PLAIN), PLAIN)
    assert abs(plain.value - 0.5) > 0.03
    honest = [measured(ALL["confidence difference"], model(rng), references).at(0.95) for _ in range(20)]
    assert sum(one.low > 0.5 or one.high < 0.5 for one in honest) <= 5
    assert abs(np.mean([one.value for one in honest]) - 0.5) < 0.01


def test_a_population_attack_has_the_closed_form_auc_that_difficulty_leaves_it():
    target, _ = gaussian_world(2.0, 3.0, 1)
    alone = {attack.name: attack for attack in deciding_set(references=False, classes=2)}
    expected = norm.cdf(2 / np.sqrt(2 * (1 + 3.0**2)))
    assert measured(alone["confidence"], target, []).value == pytest.approx(expected, abs=0.006)


def test_the_residual_recovers_nearly_all_of_the_difference_s_power():
    target, references = gaussian_world(2.0, 3.0, 4)
    difference = measured(ALL["confidence difference"], target, references).value
    residual = measured(DECIDING["confidence residual"], target, references).value
    assert residual > difference - 0.02


@pytest.mark.parametrize("name", list(ALL))
def test_no_attack_tells_a_forgotten_set_apart(name):
    rng = np.random.default_rng(1)

    def answers():
        return Answers(
            forget=Outputs(logits=difficulty["forget"] + rng.normal(size=(4000, 3)), labels=labels),
            controls=Outputs(logits=difficulty["controls"] + rng.normal(size=(4000, 3)), labels=labels),
        )

    labels = rng.integers(3, size=4000)
    difficulty = {side: rng.normal(0, 2, size=(4000, 3)) for side in ("forget", "controls")}
    target, references = answers(), [answers() for _ in range(4)]
    assert measured(ALL[name], target, references).value == pytest.approx(0.5, abs=0.03)


def test_the_residual_is_the_same_for_every_monotone_change_of_the_models_statistic():
    target, references = gaussian_world(1.0, 2.0, 4, n=500)
    for name in ("confidence residual", "confidence deviation"):
        plain = measured(DECIDING[name], target, references).value
        for change in (lambda v: v / 20, lambda v: np.tanh(v / 5), lambda v: v**3):
            changed = Answers(
                forget=binary(change(target.forget.logits[:, 0])), controls=binary(change(target.controls.logits[:, 0]))
            )
            assert measured(DECIDING[name], changed, references).value == pytest.approx(plain, abs=1e-12)


def test_half_remembered_and_half_over_forgotten_is_found_by_the_deviation():
    target, references = gaussian_world(0.0, 2.0, 4, n=4000)
    push = np.where(np.arange(4000) % 2, 3.0, -3.0)
    mixed = Answers(forget=binary(target.forget.logits[:, 0] + push), controls=target.controls)
    assert measured(DECIDING["confidence residual"], mixed, references).value == pytest.approx(0.5, abs=0.03)
    assert measured(DECIDING["confidence deviation"], mixed, references).value > 0.7


def test_answers_copied_from_the_references_are_found_by_the_deviation():
    target, references = gaussian_world(0.0, 2.0, 4, n=4000)
    mean = np.mean([reference.forget.logits[:, 0] for reference in references], axis=0)
    copied = Answers(forget=binary(mean), controls=target.controls)
    assert measured(DECIDING["confidence deviation"], copied, references).value < 0.35


def test_label_only_is_the_difference_in_differences_of_accuracies():
    rng = np.random.default_rng(0)

    def answers(p_forget, p_controls):
        return Answers(
            **{
                side: binary(np.where(rng.random(5000) < p, 1.0, -1.0))
                for side, p in (("forget", p_forget), ("controls", p_controls))
            }
        )

    target, references = answers(0.95, 0.80), [answers(0.75, 0.80) for _ in range(3)]
    right = {s: (getattr(target, s).logits[:, 0] > 0).mean() for s in ("forget", "controls")}
    theirs = {s: np.mean([(getattr(r, s).logits[:, 0] > 0).mean() for r in references]) for s in right}
    expected = 0.5 + (right["forget"] - right["controls"] - theirs["forget"] + theirs["controls"]) / 2
    assert measured(LABEL_ONLY, target, references).value == pytest.approx(expected)


def test_examples_are_compared_within_their_class_only():
    values = np.r_[np.full(50, 5.0), np.full(50, -5.0)] + np.random.default_rng(0).normal(size=100)
    target = Answers(forget=binary(values[:50]), controls=binary(np.r_[values[:50] + 1e-9, values[50:]]))
    pairing = Pairing(forget_strata=np.zeros(50, int), control_strata=np.r_[np.zeros(50, int), np.ones(50, int)])
    attack = next(a for a in deciding_set(references=False, classes=2) if a.name == "confidence")
    assert measured(attack, target, []).value > 0.74
    assert measured(attack, target, [], pairing).value == pytest.approx(0.49, abs=0.02)


def test_two_classes_count_margin_and_confidence_once():
    assert len(deciding_set(references=True, classes=2)) == 2
    assert len(deciding_set(references=True, classes=3)) == 4


def test_lira_joins_where_an_example_s_own_variance_can_be_estimated():
    names = {count: {attack.name for attack in tripwires(references=count, classes=3)} for count in (4, 31, 32)}
    assert ["LiRA" in names[count] for count in (4, 31, 32)] == [False, False, True]
    assert all("RMIA" in found for found in names.values())


def test_update_leakage_needs_the_original():
    assert "update leakage" in {attack.name for attack in tripwires(references=4, classes=3, original=True)}
    assert "update leakage" not in ALL
