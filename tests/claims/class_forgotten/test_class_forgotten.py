"""audit_class_forgotten: a removed class, beside models that never knew it, on real digits and real networks."""

import json
from functools import cache

import numpy as np
import pytest
from sklearn.datasets import load_digits
from torch import nn

from pytest_unlearn import Split, TorchRecipe, UnlearningTask, Verdict, assert_class_forgotten, audit_class_forgotten
from pytest_unlearn.data.view import as_view
from pytest_unlearn.report.gate import unproven
from tests.claims.recomputed import recomputed
from tests.worlds.removed_class import COUNT, LABELS, LIMITS, answering, fake_task
from unlearners import LastLayerMask, LinearFiltration

audit_class_forgotten = recomputed(audit_class_forgotten)


def build():
    """64-64-10."""
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


RECIPE = TorchRecipe(build, epochs=20, batch_size=64, learning_rate=1e-2)


def digits(seed, label):
    """600 training digits, of which a whole class must go, and 1,197 test digits."""
    data = load_digits()
    order = np.random.default_rng(seed).permutation(len(data.target))
    pixels, labels = (data.data[order] / 16).astype(np.float32), data.target[order]
    request = np.flatnonzero(labels[:600] == label)
    return Split((pixels[:600], labels[:600]), forget=request, test=(pixels[600:], labels[600:]))


@cache
def world(seed, label):
    """A task with four retrained models, trained once."""
    split = digits(seed, label)
    kept = np.flatnonzero(split.train.labels != label)
    part = (split.train.inputs(kept), split.train.labels[kept])
    references = [RECIPE(as_view(part, "retain"), seed=100 + k) for k in range(4)]
    original = RECIPE(as_view((split.train.inputs(np.arange(600)), split.train.labels), "train"), seed=1)
    return UnlearningTask(split, original=original, references=references)


def fresh(task, seed=7):
    return RECIPE(task.retain, seed=seed)


def test_a_retrained_model_passes_and_its_evidence_bears_it_out():
    task = world(0, 3)
    evidence = assert_class_forgotten(fresh(task), task.forget.loader(), **LIMITS)
    assert evidence.controls.original.holds
    assert evidence.controls.original.estimate.low > 0.5
    assert all(control.holds for control in evidence.controls.retrained)
    assert not list(unproven(evidence.to_json()))
    json.dumps(evidence.to_json(), allow_nan=False)
    assert [table.title for table in evidence.figures] == [
        "The removed class, part by part",
        "Where unseen examples of the class are sent",
    ]
    assert evidence == audit_class_forgotten(fresh(task), task.forget, **LIMITS)


def test_the_original_still_knows_the_class():
    task = world(0, 3)
    evidence = audit_class_forgotten(task.original, task.forget, **LIMITS)
    assert (evidence.verdict, evidence.label) == (Verdict.FAIL, "still known")
    assert evidence.estimate.low > 0.5


def test_a_masked_last_layer_is_no_longer_known_but_never_a_surer_pass_than_a_retrained_model():
    task = world(0, 3)
    masked = LastLayerMask()(task.original, task.retain, task.forget, seed=0)
    attacks = audit_class_forgotten(masked, task.forget, **LIMITS).attacks
    assert attacks["accuracy on the class"].value == 0
    honest = audit_class_forgotten(fresh(task), task.forget, **LIMITS).attacks
    assert attacks["where they are sent"].value > honest["where they are sent"].value


def test_a_filtration_that_answers_at_random_is_conspicuous():
    task = world(0, 3)
    random = LinearFiltration(mode="randomise")(task.original, task.retain, task.forget, seed=0)
    evidence = audit_class_forgotten(random, task.forget, **LIMITS)
    assert evidence.verdict is Verdict.FAIL
    assert evidence.attacks["accuracy on the class"].value == 0


def test_what_one_more_retrained_model_may_reach_is_no_failure():
    """References know .0 to .3 of the class: .6 is far from their mean, and not so far for one more of them."""
    task = fake_task(references=[answering([1, 2, 3], share=1 - 0.1 * k, lost=0.02, seed=k) for k in range(4)])
    evidence = audit_class_forgotten(answering([1, 2, 3], share=0.4, lost=0.02, seed=9), task.forget, **LIMITS)
    assert evidence.attacks["accuracy on the class"].low > LIMITS["max_gap"]
    assert evidence.verdict is Verdict.INCONCLUSIVE


def test_examples_of_other_classes_are_no_part_of_the_claim_where_controls_are_not_matched():
    matched = fake_task()
    split = Split(
        (matched.split.train.inputs(np.arange(200)), matched.split.train.labels),
        forget=matched.split.forget_indices,
        test=(matched.test.inputs(np.arange(4 * COUNT)), LABELS),
        match=None,
    )
    unmatched = UnlearningTask(split, original=matched.original, references=matched.retrained)
    model = answering([1, 2, 3], lost=0.02, seed=9)
    one, other = (audit_class_forgotten(model, task.forget, **LIMITS) for task in (matched, unmatched))
    assert one.attacks == other.attacks


@pytest.mark.parametrize(
    ("model", "verdict", "part"),
    [
        (answering([1, 2, 3], lost=0.02, seed=9), "PASS", ""),
        (answering([1], lost=0.02, seed=9), "FAIL", "where they are sent"),  # all to one class
        (answering([1, 2, 3], share=0.7, lost=0.02, seed=9), "FAIL", "accuracy on the class"),
        (answering([1, 2, 3], sure=1.0, lost=0.02, seed=9), "FAIL", "confidence in its answer"),
        (answering([1, 2, 3], sure=9.0, lost=0.02, seed=9), "PASS", ""),  # .99 in place of .95
        (answering([1, 2, 3], lost=0.2, seed=9), "FAIL", "utility on the other classes"),
        (answering([1, 2, 3], lost=0.0, seed=9), "PASS", ""),
    ],
)
def test_each_part_is_judged_by_itself(model, verdict, part):
    evidence = audit_class_forgotten(model, fake_task().forget, **LIMITS)
    assert evidence.verdict.value == verdict
    assert not part or evidence.decided_by == part
    assert verdict == "FAIL" or not list(unproven(evidence.to_json()))


def test_never_saying_a_class_that_retrained_models_say_is_conspicuous_too():
    sometimes = fake_task(references=[answering([1, 2, 3], share=0.6, lost=0.02, seed=k) for k in range(4)])
    evidence = audit_class_forgotten(answering([1, 2, 3], lost=0.02, seed=9), sometimes.forget, **LIMITS)
    assert (evidence.verdict, evidence.label) == (Verdict.FAIL, "over-forgotten")
    assert evidence.estimate.value == pytest.approx(-0.4)


def test_a_model_is_not_accused_of_what_retrained_models_differ_in_themselves():
    torn = fake_task(references=[answering([1 + k % 3], lost=0.02, seed=k) for k in range(4)])
    for where in (1, 2, 3):
        evidence = audit_class_forgotten(answering([where], lost=0.02, seed=9), torn.forget, **LIMITS)
        assert evidence.verdict is not Verdict.FAIL
        assert all(control.holds for control in evidence.controls.retrained)


def test_a_retrained_model_that_is_unlike_the_others_makes_it_invalid():
    mixed = [answering([1, 2, 3], lost=0.02, seed=k) for k in range(8)]
    odd = fake_task(references=[*mixed, answering([1], lost=0.02, seed=8)])
    evidence = audit_class_forgotten(answering([1, 2, 3], lost=0.02, seed=9), odd.forget, **LIMITS)
    assert evidence.verdict is Verdict.INVALID
    assert "retrained 8 is unlike" in evidence.reasons[1]


def test_an_original_that_does_not_know_the_class_shows_no_power():
    evidence = audit_class_forgotten(
        answering([1, 2, 3], lost=0.02, seed=9),
        fake_task(original=answering([1, 2, 3], lost=0.02, seed=51)).forget,
        **LIMITS,
    )
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "not testable here" in evidence.reasons[1]


def test_without_an_original_it_is_inconclusive_unless_that_is_accepted():
    alone = fake_task(original=None)
    model = answering([1, 2, 3], lost=0.02, seed=9)
    assert audit_class_forgotten(model, alone.forget, **LIMITS).verdict is Verdict.INCONCLUSIVE
    assert audit_class_forgotten(model, alone.forget, require_controls=False, **LIMITS).verdict is Verdict.PASS


def test_few_examples_are_inconclusive_and_say_how_many_it_takes():
    evidence = audit_class_forgotten(fresh(world(0, 3)), world(0, 3).forget, max_gap=0.005, max_drop=0.03)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "settle it" in evidence.advice[-1]


def test_what_cannot_be_judged_is_refused_in_a_sentence():
    data, model = digits(0, 3), answering([1])
    threes = data.forget_indices
    with pytest.raises(ValueError, match="class 3 is only partly forgotten: 5 of its training examples are retained"):
        audit_class_forgotten(model, UnlearningTask(data.with_forget(threes[5:]), references=[model] * 3).forget)
    with pytest.raises(ValueError, match="3 different references or more"):
        audit_class_forgotten(model, fake_task(references=[answering([1])] * 4).forget)
    with pytest.raises(ValueError, match=r"pass task\.forget"):
        audit_class_forgotten(model, fake_task().test)
    with pytest.raises(ValueError, match="max_shift must be"):
        audit_class_forgotten(model, fake_task().forget, max_shift=0)
    others = data.test.labels != 3
    part = data.test.inputs(np.flatnonzero(others)), data.test.labels[others]
    unseen = Split((data.train.inputs(np.arange(600)), data.train.labels), forget=threes, test=part, match=None)
    with pytest.raises(ValueError, match="no control of class 3"):
        audit_class_forgotten(model, UnlearningTask(unseen, references=[model] * 3).forget)


@pytest.mark.long
@pytest.mark.slow
def test_retrained_models_do_not_fail_and_originals_always_do():
    verdicts = {"fresh": [], "original": []}
    for seed in range(20):
        task = world(seed, seed % 10)
        verdicts["fresh"].append(audit_class_forgotten(fresh(task), task.forget, **LIMITS).verdict)
        verdicts["original"].append(audit_class_forgotten(task.original, task.forget, **LIMITS).verdict)
    assert sum(one in (Verdict.FAIL, Verdict.INVALID) for one in verdicts["fresh"]) <= 2
    assert verdicts["original"] == [Verdict.FAIL] * 20
    assert sum(one is Verdict.PASS for one in verdicts["fresh"]) >= 14
