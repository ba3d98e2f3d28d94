"""Further queries are asked of no more controls than sharpen bounds, evenly within classes."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.naive_bayes import GaussianNB

from pytest_unlearn import EstimatorRecipe, Split, UnlearningTask, Verdict, audit_no_residual
from pytest_unlearn.claims.common.inputs import MOST_CONTROLS, resolve_task_inputs
from pytest_unlearn.claims.residual.audit import QUERIES


def task_of(forget, controls, shares=(0.5, 0.3, 0.2), **split):
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 1_500 + controls, p=shares)
    x = (rng.standard_normal((len(labels), 4)) + 2 * np.eye(4)[labels]).astype(np.float32)
    made = Split((x[:1_500], labels[:1_500]), np.arange(forget), (x[1_500:], labels[1_500:]), **split)
    return UnlearningTask(made, EstimatorRecipe(GaussianNB()), references=2)


def inputs_of(task):
    model = task.recipe(task.retain, seed=9)
    return resolve_task_inputs(model, task.forget, None, True, "assert_no_residual")


@pytest.mark.parametrize(("forget", "controls", "kept"), [(100, 6_000, MOST_CONTROLS), (1_200, 6_000, 2_400)])
def test_controls_beyond_twice_the_request_are_not_asked(forget, controls, kept):
    task = task_of(forget, controls)
    inputs = inputs_of(task).with_fewer_controls()
    ours, theirs = inputs.forget.labels, inputs.controls.labels
    assert len(theirs) == pytest.approx(kept, abs=3)  # each class is rounded
    assert inputs.everything.sizes == (forget, controls)
    assert np.array_equal(inputs.pairing.control_strata, theirs)
    assert (np.bincount(theirs) >= 2 * np.bincount(ours)).all()
    usual = np.bincount(inputs.everything.controls.labels) / controls
    assert np.allclose(np.bincount(theirs) / len(theirs), usual, atol=0.03)
    for label in range(3):
        every = np.flatnonzero(inputs.everything.controls.labels == label)
        at = np.searchsorted(every, inputs.among[theirs == label])
        assert (at[0], at[-1]) == (0, len(every) - 1)
        assert np.diff(at).max() <= np.ceil(len(every) / len(at)) + 1  # evenly, from the first to the last


def test_a_rare_class_that_much_is_forgotten_of_keeps_twice_as_many_controls():
    task = task_of(300, 6_000, match="class")
    forget = np.flatnonzero(task.split.train.labels[:1_500] == 2)[:250]
    task = UnlearningTask(
        Split(task.split.train.source, forget, task.split.test.source), EstimatorRecipe(GaussianNB()), references=2
    )
    inputs = inputs_of(task).with_fewer_controls()
    assert set(inputs.controls.labels.tolist()) == {2}
    assert len(inputs.controls) >= 500


def test_few_controls_and_those_of_persons_stay():
    few = inputs_of(task_of(100, 1_000))
    assert few.with_fewer_controls() is few
    persons = inputs_of(task_of(99, 6_000, groups=np.arange(1_500) // 3, control_groups=np.arange(6_000) // 3 + 10_000))
    assert persons.with_fewer_controls() is persons


def test_the_claim_says_so_and_asks_less():
    task = task_of(100, 6_000)
    model = task.recipe(task.retain, seed=9)
    moved = []

    def noise(rows, rng):
        moved.append(len(rows))
        return rows + 0.1 * rng.standard_normal(rows.shape)

    found = audit_no_residual(model, task.forget, max_mia_auc=0.7, neighbours={"noise": noise})
    compared = found.estimate.n_controls
    assert compared == pytest.approx(MOST_CONTROLS, abs=3)
    assert f"compared with {compared:,} of 6,000 controls" in found.reasons
    assert sum(moved) == QUERIES * (100 + compared)
    assert (
        found.to_json() == audit_no_residual(model, task.forget, max_mia_auc=0.7, neighbours={"noise": noise}).to_json()
    )


def test_a_model_that_trained_on_controls_which_are_not_asked_is_seen_all_the_same():
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((4_500, 4)).astype(np.float32), rng.integers(0, 3, 4_500)
    split = Split((x[:500], labels[:500]), np.arange(100), (x[500:], labels[500:]))
    forest = RandomForestClassifier(30, random_state=0)
    task = UnlearningTask(split, EstimatorRecipe(forest), references=2)
    asked = inputs_of(task).with_fewer_controls()
    unasked = np.delete(asked.everything.controls.indices, asked.among) + 500
    honest, leaking = (clone(forest).fit(x[rows], labels[rows]) for rows in (np.arange(100, 500), unasked))
    found = [audit_no_residual(model, task.forget, max_mia_auc=0.7) for model in (honest, leaking)]
    assert found[0].verdict is Verdict.PASS
    assert found[1].verdict is not Verdict.PASS
    assert any("of the controls, retrained models on" in reason for reason in found[1].reasons)
