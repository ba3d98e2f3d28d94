"""audit_canaries_forgotten: models that trained on canaries are found out, and no others."""

import json

import numpy as np
import pytest
from scipy import stats

from pytest_unlearn import AuditFailure, Verdict, assert_canaries_forgotten, audit_canaries_forgotten, plant_canaries
from pytest_unlearn.data.dataset import Examples
from pytest_unlearn.report.gate import unproven
from tests.worlds.planted import CHANCE, KINDS, RECIPE, Rows, X, Y, draw, fitted, linear, networks, retained, z_of


@pytest.mark.slow
def test_the_judged_case_a_network_that_saw_the_noise_and_one_that_did_not():
    canaries, original, retrained = networks()
    before = audit_canaries_forgotten(original, canaries, original=original)
    after = audit_canaries_forgotten(retrained, canaries, original=original)
    assert z_of(before) > 3
    assert abs(z_of(after)) < 2.5
    assert (before.verdict, after.verdict) == (Verdict.FAIL, Verdict.PASS)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_networks_of_many_seeds_are_judged_right(kind):
    passed = 0
    for seed in range(8):
        canaries = plant_canaries(draw(seed, 1600 if kind == "confusion" else 1300)[0], kind, seed=seed)
        before = RECIPE(Rows(*canaries.train), seed=seed)
        after, reference = (RECIPE(Rows(*retained(canaries)), seed=seed + k) for k in (100, 200))
        verdicts = [
            audit_canaries_forgotten(model, canaries, original=before, references=[reference]).verdict.value
            for model in (before, after)
        ]
        assert verdicts[0] == "FAIL"
        assert verdicts[1] != "FAIL"
        passed += verdicts[1] == "PASS"
    assert passed >= 6


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_that_trained_on_canaries_fails_and_one_that_did_not_passes(kind):
    canaries, original, references = fitted(kind)
    with pytest.raises(AuditFailure, match="recognisable"):
        assert_canaries_forgotten(original, canaries, original=original, references=references[1:])
    evidence = assert_canaries_forgotten(references[0], canaries, original=original, references=references[1:])
    assert evidence.verdict is Verdict.PASS
    assert evidence.controls.original.holds
    assert evidence.estimate.value == pytest.approx(CHANCE[kind], abs=0.2)
    assert list(unproven(evidence.to_json())) == []


@pytest.mark.parametrize("kind", KINDS)
def test_evidence_is_plain_and_names_no_content_nor_seed(kind):
    canaries, original, references = fitted(kind)
    evidence = audit_canaries_forgotten(references[0], canaries, original=original, references=references)
    text = json.dumps(evidence.to_json(), allow_nan=False)
    assert "seed" not in text
    assert evidence.figures[0].kind == "table"
    models = {row[0] for row in evidence.figures[0].rows}
    assert models == {"this model", "original", "retrained 0", "retrained 1"}
    assert evidence.provenance["settings"]["canaries"]["count"] == len(canaries)
    again = audit_canaries_forgotten(references[0], canaries, original=original, references=references)
    assert json.dumps(again.to_json()) == text


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_original_nothing_passes_unless_the_caller_accepts_it(kind):
    canaries, _, references = fitted(kind)
    strict = audit_canaries_forgotten(references[0], canaries, references=references[1:])
    assert strict.verdict is Verdict.INCONCLUSIVE
    assert "no positive control" in strict.reasons[0]
    lax = audit_canaries_forgotten(references[0], canaries, references=references[1:], require_controls=False)
    assert lax.verdict is Verdict.PASS
    assert any("require_controls=False" in reason for reason in lax.reasons)


@pytest.mark.parametrize("kind", KINDS)
def test_an_original_that_never_learned_the_canaries_proves_nothing(kind):
    canaries, _, references = fitted(kind)
    evidence = audit_canaries_forgotten(references[0], canaries, original=references[1])
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert any("not testable here" in reason for reason in evidence.reasons)


@pytest.mark.parametrize("kind", KINDS)
def test_references_that_saw_the_canaries_make_the_audit_invalid(kind):
    canaries, original, references = fitted(kind)
    evidence = audit_canaries_forgotten(
        references[0], canaries, original=original, references=[references[1], original]
    )
    assert evidence.verdict is Verdict.INVALID
    assert "negative control" in evidence.reasons[0]


def test_references_that_saw_the_canaries_are_found_out_however_much_is_tolerated():
    canaries, original, references = fitted("gaussian")
    evidence = audit_canaries_forgotten(
        references[0], canaries, max_effect=0.99, original=original, references=[references[1], original]
    )
    assert evidence.verdict is Verdict.INVALID
    assert "although it should never have seen them" in evidence.reasons[0]


def null_model():
    """A model of digits that no canary of the simulations below has anything to do with."""
    return linear().fit(X[:500], Y[:500])


def verdicts_without_canaries(kind, seeds):
    """Verdicts and probabilities by chance on a model that never saw any of the canaries of these seeds."""
    model, train = null_model(), Examples((X[500:], Y[500:]), "train")
    verdicts, chances = [], []
    for seed in range(seeds):
        canaries = plant_canaries(train, kind, seed=seed)
        evidence = audit_canaries_forgotten(model, canaries, require_controls=False)
        verdicts.append(evidence.verdict.value)
        chances.append(evidence.figures[0].rows[0][-1])
    return verdicts, np.array(chances)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_never_saw_canaries_does_not_fail_and_mostly_passes(kind):
    verdicts, _ = verdicts_without_canaries(kind, seeds=12)
    assert verdicts.count("FAIL") + verdicts.count("INVALID") == 0
    assert verdicts.count("PASS") >= 8


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_error_rates_over_many_draws(kind):
    verdicts, chances = verdicts_without_canaries(kind, seeds=200)
    assert verdicts.count("FAIL") + verdicts.count("INVALID") == 0
    assert verdicts.count("PASS") >= 160
    for level in (0.05, 0.2):  # at most the level, but for three standard errors
        assert np.mean(chances <= level) <= level + 3 * np.sqrt(level * (1 - level) / 200)


def test_z_of_a_model_that_never_saw_the_noise_is_standard_normal():
    model, train = null_model(), Examples((X[500:], Y[500:]), "train")
    canaries = [plant_canaries(train, "gaussian", count=60, seed=seed) for seed in range(50)]
    z = [z_of(audit_canaries_forgotten(model, one, require_controls=False)) for one in canaries]
    assert stats.kstest(z, "norm").pvalue > 0.01
