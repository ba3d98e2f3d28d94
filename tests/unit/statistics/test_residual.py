"""The residual after the references: blind to monotone disguises, open to what the model remembers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special, stats

from pytest_unlearn.statistics import auc, normal_scores, residual, tie_share

scores = hnp.arrays(np.float64, st.integers(1, 15), elements=st.integers(0, 3).map(float))


def world(rng, m=2000, n=3000, leak=1.0):
    hard_f, hard_c = rng.normal(0, 2, m), rng.normal(0, 2, n)
    model = hard_f + leak + rng.normal(size=m), hard_c + rng.normal(size=n)
    return *model, hard_f + 0.5 * rng.normal(size=m), hard_c + 0.5 * rng.normal(size=n)


@given(scores)
def test_a_controls_normal_score_is_that_of_its_midrank(controls):
    expected = special.ndtri(stats.rankdata(controls) / (controls.size + 1))
    np.testing.assert_allclose(normal_scores(controls, controls), expected, atol=1e-12)


def test_values_outside_the_controls_stay_finite():
    low, tied, high = normal_scores([-9.0, 1.0, 9.0], [0.0, 1.0, 2.0])
    assert high == -low == pytest.approx(special.ndtri(3.5 / 4))
    assert tied == pytest.approx(special.ndtri(0.5))


def test_what_the_references_explain_is_removed():
    f, c, rf, rc = world(np.random.default_rng(0))
    ours, theirs = residual(f, c, rf, rc)
    assert auc(ours, theirs) > auc(f, c) + 0.08
    assert abs(np.corrcoef(theirs, normal_scores(rc, rc))[0, 1]) < 1e-10
    assert abs(theirs.mean()) < 1e-12


def test_the_residual_is_exchangeable_after_perfect_unlearning():
    f, c, rf, rc = world(np.random.default_rng(1), leak=0.0)
    ours, theirs = residual(f, c, rf, rc)
    assert auc(ours, theirs) == pytest.approx(0.5, abs=0.025)


@pytest.mark.parametrize("disguise", [lambda v: v / 20, np.tanh, lambda v: np.exp(0.5 * v) - 3])
def test_a_monotone_change_of_the_models_outputs_hides_nothing(disguise):
    f, c, rf, rc = world(np.random.default_rng(2))
    plain, hidden = residual(f, c, rf, rc), residual(disguise(f), disguise(c), rf, rc)
    np.testing.assert_allclose(hidden[0], plain[0], atol=1e-12)
    np.testing.assert_allclose(hidden[1], plain[1], atol=1e-12)


def test_a_plain_difference_would_have_been_fooled():
    f, c, rf, rc = world(np.random.default_rng(2))
    assert auc(f / 20 - rf, c / 20 - rc) < 0.55 < auc(*residual(f / 20, c / 20, rf, rc)) - 0.1


def test_references_without_spread_leave_the_models_own_ranks():
    f, c = np.array([1.0, 5.0]), np.arange(9.0)
    ours, theirs = residual(f, c, np.zeros(2), np.zeros(9))
    np.testing.assert_allclose(ours, normal_scores(f, c), atol=1e-12)
    np.testing.assert_allclose(theirs, normal_scores(c, c), atol=1e-12)


def test_a_model_that_orders_as_its_references_leaves_nothing():
    rng = np.random.default_rng(3)
    f, c = rng.normal(size=50), rng.normal(size=80)
    ours, theirs = residual(f, c, 2 * f + 1, 2 * c + 1)
    assert np.abs(np.concatenate([ours, theirs])).max() < 1e-12


def test_references_of_other_examples_are_refused():
    with pytest.raises(ValueError, match="pass the same examples"):
        residual([1.0, 2.0], [1.0, 2.0], [1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="reference_forget holds 1 values that are not finite"):
        residual([1.0], [1.0, 2.0], [np.nan], [1.0, 2.0])


@given(forget=scores, controls=scores, data=st.data())
def test_the_tie_share_equals_the_pairwise_count(forget, controls, data):
    tied = forget[:, None] == controls[None, :]
    assert tie_share(forget, controls) == pytest.approx(tied.mean())
    strata = data.draw(hnp.arrays(np.int64, forget.size, elements=st.integers(0, 2)))
    theirs = data.draw(hnp.arrays(np.int64, controls.size, elements=st.integers(0, 3)))
    theirs = np.concatenate([theirs, [0, 1, 2]])
    controls = np.concatenate([controls, [7.0, 8.0, 0.0]])
    same = strata[:, None] == theirs[None, :]
    expected = ((forget[:, None] == controls[None, :]) & same).sum() / same.sum()
    assert tie_share(forget, controls, forget_strata=strata, control_strata=theirs) == pytest.approx(expected)


def test_constant_scores_tie_everywhere_and_continuous_ones_nowhere():
    assert tie_share(np.full(5, 0.3), np.full(9, 0.3)) == 1.0
    assert tie_share([0.1, 0.2], [0.3, 0.4]) == 0.0
