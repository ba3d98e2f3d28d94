"""Audits with shadow models: trained alike on forget set and controls, once, and refused where none can be trained."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import ExtraTreesClassifier

from pytest_unlearn import EstimatorRecipe, Split, UnlearningTask, audit_forgotten, audit_leakage_reduced
from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.claims.common.shadows import CONTROLS_EACH, SCALE, choose_controls
from pytest_unlearn.core.evidence import Verdict
from pytest_unlearn.models.adapters import SavedOutputs
from pytest_unlearn.training import runner
from tests.claims.recomputed import recomputed

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
FORGET, TRAIN = 40, 300
audit_leakage_reduced, audit_forgotten = recomputed(audit_leakage_reduced), recomputed(audit_forgotten)


def labels(seed=0):
    """A fifth of the labels is wrong, which trees learn by heart."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(Y)) < 0.2
    return np.where(wrong, rng.integers(0, 10, size=len(Y)), Y)


RECIPE = EstimatorRecipe(ExtraTreesClassifier(10))


@pytest.fixture
def trained(monkeypatch):
    """What each training of this test was given, the inputs as bytes."""
    seen, run = [], runner._run

    def noted(job):
        seen.append(inputs_of(job.dataset))
        return run(job)

    monkeypatch.setattr(runner, "_run", noted)
    return seen


def inputs_of(view):
    return [row.tobytes() for row in np.asarray(view.arrays()[0], dtype=np.float32)]


def task_of(folder, *, controls=200, forget=FORGET, classes=10, **settings):
    y = labels() % classes
    split = Split(
        (X[:TRAIN], y[:TRAIN]),
        forget=np.arange(forget),
        test=(X[TRAIN : TRAIN + controls], y[TRAIN : TRAIN + controls]),
        **settings.pop("split", {}),
    )
    return UnlearningTask(split, RECIPE, cache_dir=folder, **{"references": 2, **settings})


@pytest.mark.slow
def test_forty_examples_show_that_half_is_gone_and_the_original_fails(tmp_path):
    task = task_of(tmp_path, shadow_models=8)
    honest = RECIPE(task.retain, seed=5)
    found = audit_leakage_reduced(honest, task.forget, attacks="online")
    assert found.verdict is Verdict.PASS
    assert set(found.deciding) == {"confidence, online", "margin, online"}
    assert found.estimate.n_controls == 99  # of 200, as a hundred are left as a scale
    assert any(reason.startswith("online: 8 shadow models") for reason in found.reasons)
    assert found.provenance["settings"]["online"] == {"shadow models": 8, "controls compared": 99}
    assert audit_leakage_reduced(task.original, task.forget, attacks="online").verdict is Verdict.FAIL


@pytest.mark.slow
@pytest.mark.parametrize("controls", [60, 150])
def test_it_decides_whether_the_model_has_forgotten(tmp_path, controls):
    task = task_of(tmp_path, shadow_models=4, controls=controls)
    honest = RECIPE(task.retain, seed=5)
    asked = {"max_mia_auc": 0.75, "attacks": ("online", "learned, all signals")}
    found = audit_forgotten(honest, task.forget, **asked, slices={"some": np.arange(20)})
    assert found.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)
    deciding = {"confidence, online", "margin, online", "confidence deviation", "margin deviation"}
    assert set(found.deciding) == deciding
    assert {"confidence residual", "learned, all signals"} < set(found.attacks) - set(found.deciding)
    assert audit_forgotten(task.original, task.forget, **asked).verdict is Verdict.FAIL


@pytest.mark.slow
def test_a_second_task_trains_nothing(tmp_path, trained):
    first, second = (task_of(tmp_path, shadow_models=4) for _ in range(2))
    model = ExtraTreesClassifier(10, random_state=5).fit(*first.retain.arrays())
    found = [audit_leakage_reduced(model, one.forget, attacks="online").to_json() for one in (first, second)]
    assert len(trained) == 1 + 2 + 4
    assert found[0]["attacks"] == found[1]["attacks"]


@pytest.mark.slow
def test_each_forget_example_and_control_is_in_half_of_the_models_and_retain_in_all(tmp_path, trained):
    task = task_of(tmp_path, shadow_models=6, split={"match": None})
    audit_leakage_reduced(task.original, task.forget, attacks="online")
    shadows = trained[3:]  # after the original and the references
    assert len(shadows) == 6
    forget, controls, retain = (inputs_of(view) for view in (task.forget, task.controls, task.retain))
    assert {sum(row in seen for seen in shadows) for row in forget} == {3}
    times = [sum(row in seen for seen in shadows) for row in controls]
    assert sorted(set(times)) == [0, 3]
    assert times.count(3) == 100
    assert all(set(retain) < set(seen) for seen in shadows)


@pytest.mark.slow
def test_a_persons_rows_are_in_or_out_together(tmp_path, trained):
    persons = {"groups": np.arange(TRAIN) // 4, "control_groups": 1000 + np.arange(200) // 4}
    task = task_of(tmp_path, shadow_models=4, split={"match": None, **persons})
    audit_leakage_reduced(task.original, task.forget, attacks="online")
    for seen in trained[3:]:
        for view in (task.forget, task.controls):
            inside = np.array([row in seen for row in inputs_of(view)]).reshape(-1, 4)
            assert (inside == inside[:, :1]).all()
            assert inside.any()


@pytest.mark.slow
@pytest.mark.parametrize("classes", [1, 2])
def test_two_classes_count_once_and_a_forget_set_of_one_class_is_compared_within_it(tmp_path, classes):
    y = labels() % 2
    forget = np.flatnonzero(y[:TRAIN] == 1)[:FORGET] if classes == 1 else np.arange(FORGET)
    split = Split((X[:TRAIN], y[:TRAIN]), forget=forget, test=(X[TRAIN : TRAIN + 200], y[TRAIN : TRAIN + 200]))
    task = UnlearningTask(split, RECIPE, references=2, shadow_models=4, cache_dir=tmp_path)
    found = audit_leakage_reduced(RECIPE(task.retain, seed=5), task.forget, attacks="online")
    assert found.deciding == ("confidence, online",)
    assert found.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("settings", "arguments", "says"),
    [
        ({"forget": 1}, {}, "fewer than 4 units of deletion"),
        ({"split": {"groups": np.zeros(TRAIN, dtype=int) + (np.arange(TRAIN) >= FORGET)}}, {}, "fewer than 4 units"),
        ({"shadow_models": 2}, {}, "shadow_models=2 are too few"),
        ({"references": 0}, {}, "it needs references as well"),
        ({}, {"references": [lambda x: np.zeros((len(x), 10))] * 2}, "leave out those that were passed"),
        ({}, {"baseline": lambda x: np.zeros((len(x), 10))}, "leave out those that were passed"),
    ],
)
@pytest.mark.parametrize("audit", [audit_forgotten, audit_leakage_reduced])
def test_it_is_refused_before_anything_is_trained(tmp_path, trained, audit, settings, arguments, says):
    task = task_of(tmp_path, **settings)
    with pytest.raises(ValueError, match=says):
        audit(lambda x: np.zeros((len(x), 10)), task.forget, attacks="online", **arguments)
    assert trained == []


def test_models_without_a_recipe_are_refused(tmp_path, trained):
    task = task_of(tmp_path)
    model = ExtraTreesClassifier(5, random_state=0).fit(*task.retain.arrays())
    given = UnlearningTask(task.split, original=model, references=[model, model])
    saved = SavedOutputs(forget=np.zeros((FORGET, 10)), controls=np.zeros((len(task.controls), 10)))
    for audited, forget, says in (
        (model, given.forget, "give an UnlearningTask a recipe"),
        (saved, task.forget, "saved"),
    ):
        with pytest.raises(ValueError, match=says):
            audit_leakage_reduced(audited, forget, attacks="online")
    with pytest.raises(ValueError, match='attacks="standard" or "online"'):
        audit_leakage_reduced(model, task.forget, attacks="RMIA")
    assert trained == []


@pytest.mark.parametrize("number", [3, -1, 2.5, True, "many"])
def test_shadow_models_come_in_pairs(tmp_path, number):
    with pytest.raises((ValueError, TypeError), match="shadow_models"):
        task_of(tmp_path, shadow_models=number)


@pytest.mark.parametrize(
    ("n_forget", "n_controls", "n_train", "expected"),
    [
        (40, 10_000, 500, 120),
        (40, 160, 500, 60),  # the rest is the scale
        (40, 120, 500, 120),  # too few for a scale
        (40, 30, 500, 30),
        (400, 10_000, 500, 500),  # or models would be trained on far more than the original
    ],
)
def test_as_many_controls_are_trained_on_as_the_training_set_bears(n_forget, n_controls, n_train, expected):
    chosen = choose_controls(Pairing(), n_forget, n_controls, n_train, seed=0)
    assert len(chosen) == len(set(chosen.tolist())) == expected
    assert len(chosen) <= CONTROLS_EACH * n_forget
    assert n_controls - len(chosen) >= SCALE or n_controls < n_forget + SCALE
    assert (chosen == choose_controls(Pairing(), n_forget, n_controls, n_train, seed=0)).all()


def test_controls_are_chosen_in_the_forget_sets_mix_of_classes_and_persons_as_a_whole():
    forget, controls = np.repeat([0, 1], [30, 10]), np.tile([0, 1], 200)
    chosen = choose_controls(Pairing(forget_strata=forget, control_strata=controls), 40, 400, 600, seed=0)
    assert np.bincount(controls[chosen]).tolist() == [90, 30]
    owners = np.arange(400) // 8
    chosen = choose_controls(Pairing(control_groups=owners), 40, 400, 600, seed=0)
    assert len(chosen) == 120
    assert len(np.unique(owners[chosen])) == 15
