"""audit_release: a policy's claims in one call, nothing asked twice, and no PASS of what was not asked."""

from __future__ import annotations

import contextlib
import hashlib
import json
import warnings
from collections import Counter
from typing import ClassVar

import numpy as np
import pytest
import torch
from sklearn.naive_bayes import GaussianNB
from torch import nn

from pytest_unlearn import EstimatorRecipe, Policy, Split, UnlearningTask, Verdict, assert_release, audit_release
from pytest_unlearn.claims.policies import POLICIES, Step
from pytest_unlearn.claims.release import AUDITS
from pytest_unlearn.core.recorder import Recorder, recording
from pytest_unlearn.testing.failures import AuditFailure, InconclusiveWarning, ReleaseFailure, raise_unless_all_proven
from tests.worlds.hidden import class_split, class_task, folder, fresh, random_task
from tests.worlds.networks import Bare, Boxed
from tests.worlds.simulated import World, split

HONEST = 5  # the seed of a model that never knew


def policy(*claims, **keywords):
    return Policy(name="mine", says="mine", steps=tuple(step(claim) for claim in claims), **keywords)


def step(claim, **keywords):
    known = {one.claim: one for one in POLICIES["thorough"].steps}
    return Step(claim=claim, says=claim, needs=known[claim].needs, keywords=keywords)


@pytest.fixture(scope="module")
def world():
    return World(split())


@pytest.fixture(scope="module")
def table(world):
    return world.task()


def test_quick_proves_an_honest_model_and_refuses_one_that_remembers(world, table):
    settings = {"max_mia_auc": 0.55, "max_drop": 0.1}
    found = assert_release(world.model(seed=HONEST), table, "quick", **settings)
    assert list(found) == ["forgotten", "utility"]
    assert {one.verdict for one in found.values()} == {Verdict.PASS}
    with pytest.raises(ReleaseFailure) as caught:
        assert_release(world.model(1.5, seed=HONEST), table, "quick", **settings)
    assert isinstance(caught.value, AuditFailure)
    assert caught.value.evidence is caught.value.evidences["forgotten"]
    assert caught.value.evidence.claim.sources["max_mia_auc"] == "call keyword"


def test_every_evidence_is_recorded_whatever_the_verdict(world, table):
    for boost in (0.0, 1.5):
        with recording(Recorder("a test")) as recorder:
            found = audit_release(world.model(boost, seed=HONEST), table, "quick")
            assert recorder.entries == []  # an audit records nothing
            with contextlib.suppress(ReleaseFailure):
                raise_unless_all_proven(found)
            assert [entry["claim"]["name"] for entry in recorder.drain()] == ["forgotten", "utility"]


def test_the_failure_carries_all_and_speaks_of_the_gravest(world, table):
    found = audit_release(world.model(1.5, seed=HONEST), table, "quick", max_drop=0.0001)
    assert [one.verdict for one in found.values()] == [Verdict.FAIL, Verdict.INCONCLUSIVE]
    with pytest.raises(ReleaseFailure) as caught:
        raise_unless_all_proven(dict(reversed(found.items())))
    assert caught.value.evidence is found["forgotten"]
    assert caught.value.evidences == found
    assert "not proven besides: INCONCLUSIVE utility" in str(caught.value)
    assert str(caught.value).startswith("FAIL (recognisable)")


def test_inconclusive_claims_pass_with_a_warning_only_where_the_settings_say_so(world, table):
    found = audit_release(world.model(seed=HONEST), table, "quick", max_drop=0.0001)
    assert found["utility"].verdict is Verdict.INCONCLUSIVE
    with pytest.raises(ReleaseFailure):
        raise_unless_all_proven(found)
    with recording(Recorder("a test", {"marker": {"inconclusive": "warn"}})) as recorder:
        with pytest.warns(InconclusiveWarning):
            assert raise_unless_all_proven(found) == found
        assert len(recorder.entries) == 2
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InconclusiveWarning)
            bad = audit_release(world.model(1.5, seed=HONEST), table, "quick", max_drop=0.0001)
            with pytest.raises(ReleaseFailure) as caught:
                raise_unless_all_proven(bad)
        assert caught.value.evidence.verdict is Verdict.FAIL


class Counting(nn.Module):
    """Counts how often it was asked about each batch."""

    batches: ClassVar = Counter()

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        """What the model answers."""
        Counting.batches[x.detach().numpy().tobytes()] += 1
        return self.model(x)


def times_asked(view):
    return [Counting.batches[np.ascontiguousarray(batch).tobytes()] for batch in view.batches(256)]


@pytest.mark.slow
def test_outputs_on_each_set_are_computed_once_for_all_claims():
    task = class_task()
    Counting.batches.clear()
    claims = ("forgotten", "utility", "class_forgotten")
    found = audit_release(Counting(fresh(task)), task, policy(*claims))
    assert tuple(found) == claims
    for view in (task.forget, task.controls, task.test):
        assert set(times_asked(view)) == {1}, view
    Counting.batches.clear()
    audit_release(Counting(fresh(task)), task, policy(*claims))
    assert set(times_asked(task.forget)) == {1}  # and nothing of the model is kept for the next call


@pytest.mark.slow
def test_sharing_changes_no_evidence():
    task = random_task()
    model = fresh(task)
    found = audit_release(model, task, policy("features_forgotten"), max_mia_auc=0.6)
    for claim, evidence in found.items():
        assert evidence.to_json() == AUDITS[claim](model, task.forget, max_mia_auc=0.6).to_json()


@pytest.mark.slow
def test_standard_asks_what_outputs_hide_and_the_evidence_is_plain():
    task = random_task()
    found = audit_release(task.original, task, steps=5, seeds=1)
    assert list(found) == ["forgotten", "utility", "features_forgotten", "no_residual", "not_relearnable"]
    assert {found[name].verdict for name in found if name != "utility"} == {Verdict.FAIL}
    for evidence in found.values():
        assert json.loads(json.dumps(evidence.to_json())) == evidence.to_json()
        if evidence.claim.name != "utility":
            assert "no-op: every weight of the audited model is the original's" in evidence.reasons


@pytest.mark.slow
def test_a_removed_class_is_asked_about_where_one_was_removed():
    steps = {one.claim for one in POLICIES["standard"].steps}
    assert "class_forgotten" in steps
    found = audit_release(fresh(class_task()), class_task(), policy("utility", "class_forgotten"))
    assert "class_forgotten" in found
    assert "class_forgotten" not in audit_release(
        fresh(random_task()), random_task(), policy("utility", "class_forgotten")
    )


HIDING = {"a function": lambda model: lambda x: model(torch.as_tensor(x)).detach(), "a list": Boxed}


@pytest.mark.parametrize("name", HIDING)
def test_a_model_that_hides_its_weights_is_never_proven(name):
    task = random_task()
    hidden = HIDING[name](fresh(task))
    claims = policy("features_forgotten", "no_residual", "not_relearnable")
    found = audit_release(hidden, task, claims, max_mia_auc=0.6, max_ratio=10.0)
    assert [one.verdict for one in found.values()] == [Verdict.INCONCLUSIVE] * 3
    for evidence in found.values():
        assert "could not be asked" in evidence.reasons[0]
        assert evidence.to_json()["estimate"]["value"] is None
        assert json.loads(json.dumps(evidence.to_json())) == evidence.to_json()
    with pytest.raises(ReleaseFailure, match="this model could not be asked"):
        raise_unless_all_proven(found)


class Renamed(nn.Module):
    """The same network under other names."""

    def __init__(self, model):
        super().__init__()
        self.body, self.head = model[0], model[2]

    def forward(self, x):
        """Body, then head."""
        return self.head(torch.relu(self.body(x)))


def test_a_changed_architecture_is_inconclusive_about_its_layers():
    task = random_task()
    (evidence,) = audit_release(Renamed(fresh(task)), task, policy("features_forgotten")).values()
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "one model has a layer '2' and another has not" in evidence.reasons[0]


def test_networks_whose_layers_are_no_modules_are_inconclusive_and_single_layers_are_not_asked():
    x, y = (np.random.default_rng(0).normal(size=(120, 6)).astype(np.float32), np.arange(120) % 3)
    data = Split((x[:60], y[:60]), forget=np.arange(30), test=(x[60:], y[60:]))
    bare = UnlearningTask(data, original=Bare(), references=[Bare(), Bare()])
    (evidence,) = audit_release(Bare(), bare, policy("features_forgotten")).values()
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "several weight matrices" in evidence.reasons[0]
    single = UnlearningTask(data, original=nn.Linear(6, 3), references=[nn.Linear(6, 3), nn.Linear(6, 3)])
    assert list(audit_release(nn.Linear(6, 3), single, policy("utility", "features_forgotten"))) == ["utility"]
    with pytest.raises(ValueError, match="a release that nothing was asked of is not proven"):
        assert_release(nn.Linear(6, 3), single, policy("features_forgotten"))


@pytest.mark.slow
def test_of_estimators_nothing_is_asked_about_weights():
    task = UnlearningTask(class_split(), EstimatorRecipe(GaussianNB()), references=3, cache_dir=folder())
    found = audit_release(task.retrained[0], task, "standard")
    assert list(found) == ["forgotten", "utility", "class_forgotten", "no_residual"]
    with pytest.raises(ValueError, match="features_forgotten where the references are networks"):
        audit_release(task.retrained[0], task, policy("features_forgotten", "not_relearnable"))


def test_settings_go_to_every_claim_that_has_them_and_keywords_of_a_step_to_its_own(world, table):
    mine = Policy(
        name="mine",
        says="mine",
        steps=(step("forgotten", require_controls=False), step("utility", baseline="original")),
    )
    found = audit_release(world.model(seed=HONEST), table, mine, max_mia_auc=0.6, confidence=0.9)
    assert (found["forgotten"].claim.highest, found["utility"].estimate.confidence) == (0.6, 0.9)
    assert found["forgotten"].estimate.confidence == 0.9
    assert found["utility"].controls.retrained == ()
    assert any("accepted by the caller" in reason for reason in found["forgotten"].reasons)
    assert not any("accepted by the caller" in reason for reason in found["utility"].reasons)


def test_what_cannot_be_judged_is_refused_before_anything_is_trained():
    def untrained(dataset, *, seed):
        raise AssertionError("trained")

    task = UnlearningTask(class_split(), untrained, references=2, cache_dir=folder())
    for chosen, settings, says in (
        ("lax", {}, "there is no policy 'lax'; there are quick, standard, thorough"),
        ("quick", {"max_mia": 0.6}, "no claim of policy 'quick' has a setting 'max_mia'"),
        ("quick", {"steps": 3}, "no claim of policy 'quick' has a setting 'steps'"),
        ("thorough", {}, "judges the method too: pass unlearner="),
        (Policy(name="mine", says="", steps=(Step(claim="nice", says=""),)), {}, "no claim 'nice'"),
        (policy("forgotten", "utility", "forgotten"), {}, "names the claim 'forgotten' twice"),
    ):
        with pytest.raises(ValueError, match=says):
            audit_release(lambda x: x, task, chosen, **settings)


def test_a_release_needs_references_a_task_and_a_claim(world):
    with pytest.raises(ValueError, match="a release is judged by retrained models"):
        audit_release(world.model(seed=HONEST), world.task(references=0))
    with pytest.raises(ValueError, match="build an UnlearningTask and pass it"):
        audit_release(world.model(seed=HONEST), world.task().forget)
    with pytest.raises(ValueError, match="names no claim"):
        audit_release(world.model(seed=HONEST), world.task(), policy())


@pytest.mark.long
@pytest.mark.slow
def test_thorough_judges_the_method_too():
    task = random_task()
    found = audit_release(
        fresh(task), task, "thorough", unlearner=lambda model, retain, forget, *, seed: task.recipe(retain, seed=seed)
    )
    assert {"algorithm", "indistinguishable", "efficient", "features_forgotten", "no_residual"} <= set(found)
    assert not {one.verdict for one in found.values()} & {Verdict.INVALID}


@pytest.mark.slow
def test_a_required_claim_that_is_not_testable_here_withholds_the_release():
    world = World(split())
    blind = world.task(boost=0.0)
    asked = Policy(name="mine", says="mine", steps=(Step(claim="forgotten", says="forgotten"),))
    found = audit_release(world.model(), blind, asked)
    assert found["forgotten"].not_testable
    assert found["forgotten"].required
    assert not found["forgotten"].proven
    with pytest.raises(ReleaseFailure, match="not testable here"):
        assert_release(world.model(), blind, asked)


@pytest.mark.slow
def test_a_claim_that_a_policy_does_not_require_may_be_not_testable_here_but_not_fail():
    world = World(split())
    optional = Policy(name="mine", says="mine", steps=(Step(claim="forgotten", says="forgotten", required=False),))
    found = assert_release(world.model(), world.task(boost=0.0), optional)
    assert found["forgotten"].verdict is Verdict.INCONCLUSIVE
    assert found["forgotten"].proven
    with pytest.raises(ReleaseFailure):
        assert_release(world.original(1.5), world.task(), optional)


def test_of_whole_classes_class_forgotten_is_required_in_place_of_forgotten():
    steps = {one.claim: one for one in POLICIES["quick"].steps}
    asked = Policy(name="mine", says="mine", steps=(steps["forgotten"], steps["class_forgotten"]))
    found = audit_release(fresh(class_task()), class_task(), asked)
    assert (found["forgotten"].required, found["class_forgotten"].required) == (False, True)
    alone = audit_release(fresh(random_task()), random_task(), asked)
    assert {name: one.required for name, one in alone.items()} == {"forgotten": True}


def test_built_in_policies_require_forgetting_utility_and_the_method_alone():
    required = {step.claim for step in POLICIES["thorough"].steps if step.required}
    assert required == {"forgotten", "utility", "class_forgotten", "algorithm", "indistinguishable", "efficient"}


def test_the_files_that_are_released_are_part_of_the_evidence(world, table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.bin").write_bytes(b"weights")
    settings = {"max_mia_auc": 0.55, "max_drop": 0.1}
    found = assert_release(world.model(seed=HONEST), table, "quick", files=["model.bin"], **settings)
    rows = [{"name": "model.bin", "sha256": hashlib.sha256(b"weights").hexdigest()}]
    assert [one.provenance["files"] for one in found.values()] == [rows, rows]
    with pytest.raises(ValueError, match="there is no file other.bin"):
        assert_release(world.model(seed=HONEST), table, "quick", files=["other.bin"], **settings)
