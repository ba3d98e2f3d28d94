"""The residual after the references: blind to monotone disguises, open to what the model remembers."""

import math

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


@pytest.mark.slow
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
    assert abs(np.corrcoef(theirs, normal_scores(rc, rc))[0, 1]) < 1e-4
    assert abs(theirs.mean()) < 1e-4


@pytest.mark.parametrize("step", [0.0, 1.0, 3.0])
@pytest.mark.parametrize(("n", "within"), [(1, 0.0), (2, 1e-12), (3, 0.3), (12, 0.06), (50, 0.015), (300, 0.003)])
def test_a_control_is_judged_by_all_others(n, within, step):
    rng = np.random.default_rng(4)
    hard = rng.normal(0, 2, n)
    model, references = hard + rng.normal(size=n), hard + 0.6 * rng.normal(size=n)
    if step:
        model, references = np.round(model / step), np.round(references / step)
    found = residual(model[:1], model, references[:1], references)[1]
    for j, value in enumerate(found):
        y, x = np.delete(model, j), np.delete(references, j)
        expected = 0.0
        if y.size:
            at_y, at_x = normal_scores(model[[j]], y)[0], normal_scores(references[[j]], x)[0]
            y, x = normal_scores(y, y), normal_scores(x, x)
            slope = np.cov(x, y)[0, 1] / x.var(ddof=1) if y.size > 1 and np.ptp(x) > 1e-9 else 0.0
            expected = at_y - y.mean() - slope * (at_x - x.mean())
        assert value == pytest.approx(expected, abs=within + 1e-12)  # the sum of products is of first order in a rank


def test_an_example_ties_with_controls_of_the_same_scores():
    # A model that is sure of most examples: the same score, and the same of its references, must not tell them apart.
    rng = np.random.default_rng(0)
    f, c, rf, rc = (np.minimum(side, 1.0) for side in world(rng, m=300, n=400, leak=0.0))
    ours, theirs = residual(f, c, rf, rc)
    sure = (f == 1.0) & (rf == 1.0), (c == 1.0) & (rc == 1.0)
    assert min(side.mean() for side in sure) > 0.2
    assert len({*ours[sure[0]], *theirs[sure[1]]}) == 1
    with_twins = residual(np.r_[f, c[:5]], c, np.r_[rf, rc[:5]], rc)[0]
    np.testing.assert_array_equal(with_twins[-5:], theirs[:5])


@pytest.mark.parametrize(("n", "step"), [(20, 0.0), (50, 0.0), (50, 1.0), (50, 4.0), (200, 0.0), (200, 4.0)])
def test_neither_residual_nor_deviation_favours_a_side_with_few_controls(n, step):
    rng = np.random.default_rng(0)
    signed, distant = [], []
    for _ in range(500):
        f, c, rf, rc = world(rng, m=200, n=n, leak=0.0)
        if step:
            f, c, rf, rc = (np.round(side / step) for side in (f, c, rf, rc))
        ours, theirs = residual(f, c, rf, rc)
        signed.append(auc(ours, theirs))
        distant.append(auc(abs(ours), abs(theirs)))
    # A handful of different scores orders the handful of pairs by the luck of a control or two.
    bias = 0.003 if step < 4 else 0.4 / n
    for values in (signed, distant):
        assert np.mean(values) == pytest.approx(0.5, abs=bias + 2.5 * np.std(values) / math.sqrt(500))


def test_nothing_is_favoured_where_both_sets_are_ranked_together():
    rng = np.random.default_rng(0)
    values = []
    for _ in range(500):
        ours, theirs = residual(*world(rng, m=15, n=40, leak=0.0), pooled=True)
        values.append(auc(abs(ours), abs(theirs)))
    assert np.mean(values) == pytest.approx(0.5, abs=2.5 * np.std(values) / math.sqrt(500))


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
    f, c = np.array([1.5, 5.5]), np.arange(9.0)
    ours, theirs = residual(f, c, np.zeros(2), np.zeros(9))
    np.testing.assert_allclose(ours, normal_scores(f, c), atol=1e-12)
    # Each control among the other eight, whose scores add up to nothing.
    np.testing.assert_allclose(theirs, special.ndtri((np.arange(9) + 0.5) / 9), atol=1e-12)


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


@pytest.mark.slow
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
