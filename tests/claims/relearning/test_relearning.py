"""audit_not_relearnable: areas under curves against the band of retrained models, on both sides."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.naive_bayes import GaussianNB

from pytest_unlearn import EstimatorRecipe, UnlearningTask, Verdict, audit_not_relearnable
from pytest_unlearn.claims.common.verdict import Finding
from pytest_unlearn.claims.relearning.conclusion import retrained_controls
from pytest_unlearn.claims.relearning.curves import FAILURES, judge_areas, log_loss_area
from pytest_unlearn.core.evidence import Claim
from pytest_unlearn.models.adapters import model_digest
from pytest_unlearn.statistics import band
from tests.claims.recomputed import recomputed
from tests.worlds.hidden import class_split, class_task, folder, fresh, random_task
from unlearners import decoys

audit_not_relearnable = recomputed(audit_not_relearnable)


def unlearned(method, task):
    return method(task.original, task.retain, task.forget, seed=0)


def test_the_area_is_the_geometric_mean_over_seeds_of_the_mean_loss():
    curve = np.zeros((5, 2, 3, 2))  # examples, seeds, looks, (loss, right)
    curve[:, 0, :, 0], curve[:, 1, :, 0] = [4.0, 2.0, 0.0], [9.0, 9.0, 0.0]
    curve[..., 1] = 1.0
    assert log_loss_area(curve) == pytest.approx((math.log(2.0) + math.log(6.0)) / 2)
    assert math.isfinite(log_loss_area(np.zeros((5, 2, 3, 2))))


@pytest.mark.slow
def test_the_original_relearns_fast_and_its_evidence_is_plain_and_the_same_again():
    task = random_task()
    model = unlearned(decoys.NoOp(), task)
    before, state = model_digest(model), torch.random.get_rng_state()
    evidence = audit_not_relearnable(model, task.forget)
    first = evidence.to_json()
    assert (first["verdict"], first["label"]) == ("FAIL", "relearns fast")
    assert "no-op: every weight of the audited model is the original's" in first["reasons"]
    assert first["estimate"]["high"] < first["claim"]["lowest"]
    assert json.loads(json.dumps(first)) == first
    assert first == audit_not_relearnable(model, task.forget.loader()).to_json()
    assert model_digest(model) == before
    assert torch.equal(torch.random.get_rng_state(), state)
    curves, table = first["exhibits"]
    assert set(curves["series"]) == {"this model", "original", "highest retrained", "lowest retrained"}
    rows = {row[0]: row for row in table["rows"]}
    assert rows["this model"][1:] == rows["original"][1:]
    assert rows["this model"][2] == 0  # steps until as right as the original: none
    assert len(rows) == 6


def test_an_honest_retrain_relearns_like_the_references():
    task = random_task()
    evidence = audit_not_relearnable(fresh(task), task.forget)
    assert evidence.verdict is Verdict.PASS, evidence.reasons
    assert evidence.controls.original.holds
    assert len(evidence.controls.retrained) == 4


@pytest.mark.slow
def test_the_anamnesis_index_is_one_for_what_learns_as_fast_as_retrained_models():
    task = class_task()
    evidence = audit_not_relearnable(fresh(task), task.forget, steps=11, seeds=2, learning_rate=0.01)
    rows = {row[0]: row for row in evidence.to_json()["exhibits"][1]["rows"]}
    usual = np.mean([rows[f"retrained {k}"][2] for k in range(4)])
    for name, _, steps, ain in rows.values():
        assert ain == pytest.approx(steps / usual, abs=1e-3), name
    assert rows["this model"][3] == pytest.approx(1, abs=0.4)
    assert rows["original"][3] == 0


@pytest.mark.slow
def test_a_masked_class_relearns_conspicuously_slowly():
    task = class_task()
    evidence = audit_not_relearnable(unlearned(decoys.LastLayerMask(), task), task.forget, seeds=1)
    assert (evidence.verdict, evidence.label) == (Verdict.FAIL, "relearns slowly")


def test_a_limit_that_the_band_does_not_certify_withholds_a_pass():
    task = random_task()
    evidence = audit_not_relearnable(fresh(task), task.forget, max_ratio=1.001, seeds=1)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert any("reaches beyond the limit" in reason for reason in evidence.reasons)


def test_a_reference_is_left_out_of_its_own_band_and_named():
    task = random_task()
    evidence = audit_not_relearnable(task.retrained[0], task.forget, seeds=1)
    assert "the audited model is retrained 0, a reference: it was judged by the others" in evidence.reasons
    assert evidence.provenance["settings"]["references"] == 3
    assert evidence.estimate.value != 0
    alone = random_task(references=1)
    with pytest.raises(ValueError, match="the only reference"):
        audit_not_relearnable(alone.retrained[0], alone.forget)


@pytest.mark.parametrize("count", [1, 2])
def test_few_references_withhold_a_pass(count):
    task = random_task(references=count)
    evidence = audit_not_relearnable(fresh(task), task.forget, max_ratio=10.0, seeds=1)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert any("no negative control" in reason for reason in evidence.reasons)
    if count == 1:
        assert audit_not_relearnable(task.original, task.forget, seeds=1).verdict is Verdict.INCONCLUSIVE


def test_a_reference_unlike_the_others_makes_the_audit_uninterpretable():
    task = random_task()
    given = UnlearningTask(
        task.split,
        original=task.original,
        references=[*task.retrained[:3], fresh(task), unlearned(decoys.NoOp(), task)],
    )
    evidence = audit_not_relearnable(fresh(task, 78), given.forget, seeds=1)
    assert evidence.verdict is Verdict.INVALID
    assert "retrained 4 relearns at another speed" in evidence.reasons[0]


def test_without_an_original_there_is_no_positive_control():
    task = random_task()
    given = UnlearningTask(task.split, references=task.retrained)
    assert audit_not_relearnable(fresh(task), given.forget, seeds=1).verdict is Verdict.INCONCLUSIVE
    accepted = audit_not_relearnable(fresh(task), given.forget, seeds=1, require_controls=False)
    assert accepted.verdict is Verdict.PASS, accepted.reasons


def test_what_cannot_relearn_says_so():
    task = random_task()
    bare = list(zip(*task.forget.arrays(), strict=True))
    none = UnlearningTask(task.split, original=task.original, references=0)
    frozen = unlearned(decoys.NoOp(), task).requires_grad_(False)
    for model, forget, settings, says in (
        (task.original, bare, {}, "build an UnlearningTask and pass task.forget"),
        (task.original, none.forget, {}, "this task has none"),
        (lambda x: x, task.forget, {}, r"needs an nn\.Module, not a function"),
        (frozen, task.forget, {}, "no trainable weights"),
        (task.original, task.forget, {"steps": 0}, "steps must be a whole number from 1"),
        (task.original, task.forget, {"seeds": 1.5}, "seeds must be a whole number from 1"),
        (task.original, task.forget, {"learning_rate": 0.0}, "learning_rate must be a finite number above 0"),
        (task.original, task.forget, {"learning_rate": math.nan}, "learning_rate must be a finite number above 0"),
        (task.original, task.forget, {"max_ratio": 1.0}, "max_relearning"),
        (task.original, task.forget, {"max_ratio": 10.1}, "max_relearning must be a number above 1 and at most 10"),
    ):
        with pytest.raises(ValueError, match=says):
            audit_not_relearnable(model, forget, **settings)


def test_estimators_do_not_relearn():
    task = UnlearningTask(class_split(), EstimatorRecipe(GaussianNB()), references=3, cache_dir=folder())
    with pytest.raises(ValueError, match="not a GaussianNB"):
        audit_not_relearnable(task.original, task.forget)


def test_its_docstring_says_why_it_must_not_gate_a_release_alone():
    text = " ".join(audit_not_relearnable.__doc__.split())
    assert "Relearning alone must not gate a release. It can be gamed" in text


@pytest.mark.slow
def test_honest_retrains_are_hardly_ever_accused():
    task = random_task()
    models = [fresh(task, seed) for seed in range(300, 350)]
    accused = []
    for k in range(0, 50, 5):
        given = UnlearningTask(task.split, original=task.original, references=models[k : k + 4])
        verdict = audit_not_relearnable(models[k + 4], given.forget, seeds=1).verdict
        accused.append(verdict in (Verdict.FAIL, Verdict.INVALID))
    assert sum(accused) <= 1


@pytest.mark.parametrize(("chance", "beyond"), [(0.0124, True), (0.0126, False)])
def test_an_area_is_beyond_the_limit_where_chance_gives_a_quarter_of_alpha(chance, beyond):
    """Two areas on two sides are four tries, and Holm asks the first of them for .05 / 4."""
    references, limit = np.array([-1.0, 0.0, 0.5, 1.0, 2.0]), 0.3
    error = references.std(ddof=1) * np.sqrt(1 + 1 / 5)
    number = references.mean() + limit + error * stats.t.isf(chance, 4)
    measures = {"one": band(number, references), "other": band(references.mean(), references)}
    areas = [
        Finding(name=name, measure=measure, estimate=measure.at(0.95), failures=FAILURES)
        for name, measure in measures.items()
    ]
    judgement = judge_areas(areas, Claim(name="", quantity="", lowest=-limit, highest=limit), 0.95)
    assert (judgement.verdict, judgement.finding.name) == (Verdict.FAIL if beyond else Verdict.INCONCLUSIVE, "one")
    assert judgement.label == ("relearns slowly" if beyond else "")


@pytest.mark.parametrize(("chance", "holds"), [(0.006, True), (0.002, False)])
def test_one_of_five_references_must_be_five_times_as_unlikely_to_be_called_unlike_the_others(chance, holds):
    areas, limit = np.array([-0.1, 0.0, 0.05, 0.1]), 0.3
    far = areas.mean() + limit + areas.std(ddof=1) * np.sqrt(1 + 1 / 4) * stats.t.isf(chance, 3)
    curves = {}
    for number, area in enumerate((*areas, far)):
        curves[f"retrained {number}"] = np.full((6, 1, 2, 2), [math.exp(area), 0.5])
    controls = retrained_controls(curves, 6, Claim(name="", quantity="", lowest=-limit, highest=limit), 0.95)
    assert [control.holds for control in controls] == [True] * 4 + [holds]
