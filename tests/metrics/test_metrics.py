"""The literature's metrics: closed forms, published numbers, and the defects of public code as regressions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special
from scipy.spatial.distance import jensenshannon

from pytest_unlearn import metrics as compat

RNG = np.random.default_rng(0)


def softmax(*shape, scale=2.0):
    return special.softmax(RNG.normal(scale=scale, size=shape), axis=-1)


class TestDivergences:
    def test_js_is_scipys_summed_over_classes(self):
        one, two = softmax(30, 100), softmax(30, 100)
        assert compat.js_divergence(one, two).value == pytest.approx((jensenshannon(one, two, axis=1) ** 2).mean())
        assert compat.js_divergence(one, one).value == 0.0

    def test_opposite_certainty_is_log_two_whatever_the_number_of_classes(self):
        # averaged over 100 classes, and of KL(m, p), public code gives .0349, and infinity for exact zeros
        one = np.eye(100)
        assert compat.js_divergence(one, np.roll(one, 1, axis=1)).value == pytest.approx(math.log(2), rel=1e-14)
        assert compat.zrf(one, np.roll(one, 1, axis=1)).value == pytest.approx(1 - math.log(2), rel=1e-14)

    def test_zrf_of_an_incompetent_model_is_one(self):
        random = softmax(20, 10)
        assert compat.zrf(random, random).value == 1.0
        assert compat.zrf(random, random).target is None

    def test_activation_distance(self):
        assert compat.activation_distance(np.eye(3), np.roll(np.eye(3), 1, axis=1)).value == pytest.approx(math.sqrt(2))

    def test_klom_sees_a_shift_and_little_between_oracles(self):
        oracles, others, shifted = (RNG.normal(centre, 1, size=(100, 40)) for centre in (0, 0, 3))
        null, seen = (compat.klom(models, oracles).values for models in (others, shifted))
        assert null.shape == (40,)
        assert 0 < np.median(null) < 1.5 < np.median(seen)

    def test_klom_by_hand(self):
        # bins of 0.1 over [0, 2]: unlearned all in the last, oracles half in the first and half in the last
        found = compat.klom(np.array([[2.0], [2.0]]), np.array([[0.0], [2.0]])).values
        assert found == pytest.approx([math.log(2)])
        assert compat.klom(np.full((2, 1), 1e9), np.full((3, 1), 1e9)).values == pytest.approx([0.0])
        far = compat.klom(np.array([[1.0], [1.0]]), np.array([[0.0], [0.0]]))
        assert far.values == pytest.approx([math.log(1 / 1e-5)])
        assert far.quantile(0.95) == far.values[0]


class TestAccuracies:
    @pytest.mark.parametrize(
        ("test", "distance", "published"),
        [(0.595, 0.214, 0.584), (0.488, 0.0445, 0.700), (0.606, 0.213, 0.590), (0.405, 0.0485, 0.654)],
    )
    def test_nomus_is_the_published_one(self, test, distance, published):
        for side in (0.5 + distance, 0.5 - distance):
            assert compat.nomus(test, side).value == pytest.approx(published, abs=1e-3)

    def test_tow_is_one_for_a_retrained_model_and_a_product_otherwise(self):
        retrained = {"forget": 0.8, "retain": 1.0, "test": 0.9, "mia": 0.5}
        unlearned = {"forget": 0.9, "retain": 0.9, "test": 0.7, "mia": 0.7}
        assert compat.tow(retrained, retrained).value == 1.0
        assert compat.tow(unlearned, retrained).value == pytest.approx(0.9 * 0.9 * 0.8)
        assert compat.tow_mia(unlearned, retrained).value == pytest.approx(0.8 * 0.9 * 0.8)

    def test_ain(self):
        assert compat.ain(12, 10).value == pytest.approx(1.2)


class TestMembership:
    def test_the_starting_kits_attack_is_at_chance_on_equal_laws_and_above_on_others(self):
        test, forgotten = RNG.exponential(1.0, size=(2, 1000))
        remembered = RNG.exponential(0.2, size=700)
        assert compat.starting_kit_mia(forgotten, test).value == pytest.approx(0.5, abs=0.03)
        assert compat.starting_kit_mia(remembered, test).value > 0.7

    def test_mia_efficacy_of_a_retrained_model_is_not_a_half_and_its_gap_is_nought(self):
        retain, test = RNG.normal(4, 1, 400), RNG.normal(2, 1, 400)
        retrained = compat.svc_mia_efficacy(retain, test, RNG.normal(2, 1, 400))
        assert retrained.value > 0.7
        assert retrained.target is None
        again = compat.svc_mia_efficacy(retain, test, RNG.normal(2, 1, 400), retrained=retrained.value)
        assert (again.value, again.target) == (pytest.approx(0.0, abs=0.09), 0.0)  # three standard errors
        assert compat.svc_mia_efficacy(retain, test, retain, retrained=retrained.value).value < -0.4

    def test_priv_leak_is_positive_for_what_is_still_recognised(self):
        holdout, forgotten, remembered, over = (RNG.normal(centre, 1, 3000) for centre in (0, 0, 1, -1))
        baseline = (forgotten, holdout)
        assert compat.priv_leak(remembered, holdout, *baseline).value > 40
        assert compat.priv_leak(over, holdout, *baseline).value < -40
        assert compat.priv_leak(*baseline, *baseline).value == 0.0


class TestForgetQuality:
    def test_a_large_p_value_is_no_proof_at_40_examples_and_the_bound_says_so(self):
        large, proven = 0, 0
        for _ in range(200):
            found = compat.forget_quality(RNG.normal(0.3, 1, 40), RNG.normal(size=40))
            large += found.p_value > 0.05
            proven += found.equivalent(0.1)
        assert large / 200 > 0.6  # a shift of 0.3 standard deviations passes
        assert proven == 0

    def test_the_bound_covers_the_truth(self):
        apart = 2 * special.ndtr(0.25) - 1  # of two normals half a deviation apart
        uppers = [compat.forget_quality(RNG.normal(0.5, 1, 300), RNG.normal(size=300)).upper for _ in range(300)]
        assert np.mean(np.array(uppers) >= apart) >= 0.95

    def test_equal_laws_are_proven_alike_with_enough_examples(self):
        assert compat.forget_quality(RNG.normal(size=50_000), RNG.normal(size=50_000)).equivalent(0.05)

    def test_the_p_value_is_uniform_under_equal_laws(self):
        values = [compat.forget_quality(RNG.normal(size=100), RNG.normal(size=100)).p_value for _ in range(400)]
        assert np.mean(np.array(values) < 0.1) < 0.16


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: compat.js_divergence([[0.9, 0.3]], [[0.5, 0.5]]), "apply softmax"),
        (lambda: compat.js_divergence([0.5, 0.5], [0.5, 0.5]), "shape"),
        (lambda: compat.zrf([[0.5, 0.5]], [[0.2, 0.3, 0.5]]), "the same examples and classes"),
        (lambda: compat.klom([[1.0]], [[1.0], [2.0]]), "two models or more"),
        (lambda: compat.klom([[np.nan], [1.0]], [[1.0], [2.0]]), "finite"),
        (lambda: compat.tow({"forget": 0.5}, {}), "'forget' is missing"),
        (lambda: compat.nomus(59.5, 0.5), "divide percentages by 100"),
        (lambda: compat.ain(0, 3), "both are above 0"),
        (lambda: compat.ain(math.inf, math.inf), "and finite"),
        (lambda: compat.svc_mia_efficacy([1.0], [0.0], [1.0], retrained=12.9), "divide percentages by 100"),
        (lambda: compat.svc_mia_efficacy([1.0], [0.0], [1.0], retrained=math.nan), "a share between 0 and 1"),
        (lambda: compat.starting_kit_mia([1.0] * 5, [1.0] * 50), "too few"),
        (lambda: compat.priv_leak([1.0], [0.0], [0.0], [1.0]), "nothing to divide by"),
        (lambda: compat.forget_quality([], [1.0]), "empty|at least one"),
        (lambda: compat.forget_quality([1.0], [1.0]).equivalent(0), "strictly between"),
    ],
)
def test_what_makes_no_sense_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
