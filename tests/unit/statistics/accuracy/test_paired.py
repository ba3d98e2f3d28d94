"""Two classifiers on the same examples: published constants, and a gate that does not pass a real drop by luck."""

import numpy as np
import pytest

from pytest_unlearn.statistics import paired_difference, tango

Z2 = 1.6448536269514722**2


def test_tango_reproduces_its_constants():
    assert tango(150, 86, 1600, 0.95) == pytest.approx((0.0213616, 0.0589980), abs=5e-8)


@pytest.mark.parametrize("n", [50, 1000])
def test_tango_without_any_disagreement_is_the_score_bound(n):
    z2 = 1.959963984540054**2
    assert tango(0, 0, n, 0.95) == pytest.approx((-z2 / (n + z2), z2 / (n + z2)), abs=1e-12)
    assert n != 50 or tango(0, 0, 50, 0.95)[1] == pytest.approx(0.0713, abs=5e-5)


def test_tango_excludes_zero_exactly_when_mcnemars_z_is_significant():
    for b, c in ((20, 8), (20, 9), (15, 15), (9, 1), (8, 2)):
        assert (tango(b, c, 200, 0.95)[0] > 0) == ((b - c) ** 2 / (b + c) > 3.841458820694124)


def test_tango_stays_within_its_range_and_mirrors():
    assert tango(10, 0, 10, 0.95)[1] == pytest.approx(1.0)
    low, high = tango(7, 3, 40, 0.95)
    assert tango(3, 7, 40, 0.95) == pytest.approx((-high, -low))


@pytest.mark.parametrize(("b", "c", "n"), [(-1, 0, 5), (3, 3, 5), (0, 0, 0)])
def test_impossible_counts_are_refused(b, c, n):
    with pytest.raises(ValueError, match="impossible"):
        tango(b, c, n, 0.95)


def test_one_classifier_gets_one_sided_tango_bounds():
    a, b = np.array([1] * 30 + [0] * 10 + [1] * 60), np.array([0] * 30 + [1] * 10 + [1] * 60)
    estimate = paired_difference(a, b).at(0.95)
    assert estimate.value == pytest.approx(0.2)
    assert (estimate.low, estimate.high) == pytest.approx(tango(30, 10, 100, 0.90))
    assert (estimate.n_forget, estimate.n_controls) == (100, 0)
    assert paired_difference(a, b[None, :]).at(0.95) == estimate


def test_several_classifiers_are_averaged():
    a = np.array([1, 1, 0, 0] * 50)
    b = np.array([[1, 0, 0, 0] * 50, [1, 1, 1, 0] * 50])
    estimate = paired_difference(a, b).at(0.95)
    assert estimate.value == pytest.approx(0.5 - (0.25 + 0.75) / 2)
    spread = np.var([0.25, 0.75], ddof=1) / 2
    assert estimate.high - estimate.value > 1.6448 * np.sqrt(spread)


def test_equal_classifiers_never_have_zero_width():
    a = np.ones(50, bool)
    for others in (a, np.stack([a, a, a])):
        estimate = paired_difference(a, others).at(0.95)
        assert (estimate.low, estimate.high) == pytest.approx((-Z2 / (50 + Z2), Z2 / (50 + Z2)))


def test_a_single_example_bounds_nothing():
    estimate = paired_difference([1], [[1], [0]]).at(0.95)
    assert (estimate.low, estimate.high) == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("a", "b", "says"),
    [([0.2], [1], "correct_a must hold 0"), ([1, 0], [1], "1 examples a row"), ([1, 0], [[1, 3]], "correct_b must")],
)
def test_other_inputs_are_refused(a, b, says):
    with pytest.raises(ValueError, match=says):
        paired_difference(a, b)


def test_a_drop_at_the_limit_passes_no_more_often_than_alpha():
    # n = 200, discordance 3 %, true drop 2 %: the Wald interval passes this in 10 % of all audits.
    n, drop, simulations = 200, 0.02, 20_000
    shares = [(0.03 + drop) / 2, (0.03 - drop) / 2, 0.97]
    drawn = np.random.default_rng(0).multinomial(n, shares, size=simulations)
    cells, counts = np.unique(drawn[:, :2], axis=0, return_counts=True)
    passes = [tango(int(b), int(c), n, 0.95, two_sided=False)[1] <= drop for b, c in cells]
    gap, disagree = (cells[:, 0] - cells[:, 1]) / n, cells.sum(axis=1) / n
    wald = gap + 1.6448536 * np.sqrt((disagree - gap**2) / n) <= drop
    assert counts @ np.array(passes) / simulations == pytest.approx(0.032, abs=0.01)
    assert counts @ wald / simulations > 0.08


@pytest.mark.parametrize(("n", "flip", "lose"), [(200, 0.0, 0.02), (400, 0.0, 0.01), (200, 0.1, 0.05)])
def test_the_mean_of_several_classifiers_does_not_undercover(n, flip, lose):
    rng = np.random.default_rng(0)
    base, k, simulations = 0.95, 4, 1500
    truth = -lose * (base * (1 - flip) + (1 - base) * flip)
    held = np.zeros(2)
    for _ in range(simulations):
        easy = rng.random(n) < base
        others = easy ^ (rng.random((k, n)) < flip)
        model = (easy ^ (rng.random(n) < flip)) & (rng.random(n) >= lose)
        estimate = paired_difference(model, others).at(0.95)
        held += estimate.low <= truth, estimate.high >= truth
    assert np.all(held / simulations >= 0.94)
