"""Planning reproduces the whole published sample-size table, cell by cell, and the simulated power."""

import math

import numpy as np
import pytest

from pytest_unlearn.statistics import (
    auc,
    auc_measure,
    binormal_auc_variance,
    can_certify,
    certifiable_limit,
    least_limit,
    minimum_forget,
    null_precision,
    null_standard_error,
    power_to_certify,
    required_forget,
)

POWERS = (0.5, 0.8, 0.9, 0.95)
CERTIFY = {  # true AUC: forget examples for each power, with 1 and with 5 controls a forget example
    0.50: ((181, 413, 572, 722), (109, 248, 343, 434)),
    0.51: ((283, 645, 893, 1128), (170, 387, 536, 677)),
    0.52: ((501, 1144, 1584, 2001), (301, 686, 950, 1201)),
    0.53: ((1123, 2565, 3553, 4490), (674, 1539, 2132, 2694)),
    0.54: ((4474, 10222, 14158, 17892), (2684, 6133, 8495, 10735)),
}
TOST = {
    0.50: ((360, 572, 722, 867), (216, 343, 434, 520)),
    0.51: ((385, 674, 903, 1131), (231, 404, 542, 679)),
    0.52: ((519, 1144, 1584, 2001), (312, 686, 950, 1201)),
    0.53: ((1123, 2565, 3553, 4490), (674, 1539, 2132, 2694)),
}


@pytest.mark.parametrize(
    ("true", "two_sided", "column"),
    [(a, two_sided, k) for two_sided, table in ((False, CERTIFY), (True, TOST)) for a in table for k in (0, 1)],
)
def test_the_sample_size_table_is_reproduced(true, two_sided, column):
    needed = [
        required_forget(0.55, auc=true, controls_per_forget=(1, 5)[column], power=power, two_sided=two_sided)
        for power in POWERS
    ]
    assert needed == pytest.approx((TOST if two_sided else CERTIFY)[true][column], abs=1)


@pytest.mark.parametrize(
    ("limit", "one_sided", "tost"),
    [(0.51, 10305, 14274), (0.52, 2577, 3569), (0.53, 1146, 1587), (0.575, 184, 255), (0.6, 104, 144), (0.65, 47, 64)],
)
def test_other_limits_are_reproduced(limit, one_sided, tost):
    assert required_forget(limit) == pytest.approx(one_sided, abs=1)
    assert required_forget(limit, two_sided=True) == pytest.approx(tost, abs=1)


@pytest.mark.parametrize(("ratio", "needed"), [(1, 181), (2, 136), (5, 109), (20, 95), (math.inf, 91)])
def test_the_smallest_forget_set_that_can_pass(ratio, needed):
    assert minimum_forget(0.55, ratio) == needed
    assert math.isinf(ratio) or can_certify(0.55, 0.95, needed, ratio * needed)
    assert math.isinf(ratio) or not can_certify(0.55, 0.95, needed - 1, ratio * (needed - 1))


@pytest.mark.parametrize(
    ("n", "limit", "digits"),
    [
        (25, 0.636, 3),
        (50, 0.595, 3),
        (100, 0.567, 3),
        (200, 0.5475, 4),
        (500, 0.530, 3),
        (1000, 0.521, 3),
        (5000, 0.5095, 4),
    ],
)
def test_the_smallest_limit_that_can_be_certified(n, limit, digits):
    assert round(certifiable_limit(n, n), digits) == limit


def test_nothing_can_be_certified_with_one_example_and_little_with_a_few():
    assert certifiable_limit(1, 1000) == 1.0
    assert certifiable_limit(3, 1000) > 0.85
    assert certifiable_limit(100, math.inf) < certifiable_limit(100, 100)


@pytest.mark.parametrize(("m", "n"), [(8, 400), (12, 12), (19, 19), (40, 15), (200, 300)])
def test_the_smallest_limit_is_what_an_audit_of_one_half_passes(m, n):
    smallest = certifiable_limit(m, n)
    assert can_certify(smallest + 1e-9, 0.95, m, n)
    assert not can_certify(smallest - 1e-9, 0.95, m, n)
    assert m > 20 or minimum_forget(smallest + 1e-9, n / m) == m
    # Exchangeable scores with an AUC near 1/2 and the variance that they have on average.
    rng = np.random.default_rng(0)
    highs = [
        e.high
        for e in (auc_measure(rng.random(m), rng.random(n)).at(0.95) for _ in range(400))
        if abs(e.value - 0.5) < 0.03
    ]
    assert np.median(highs) == pytest.approx(smallest, abs=0.02)


def test_a_class_of_four_controls_certifies_little():
    strata, theirs = np.repeat([0, 1], [160, 240]), np.repeat([0, 1], [4, 396])
    labels = {"forget_strata": strata, "control_strata": theirs}
    error, degrees = null_precision(400, 400, **labels)
    # Each side of each stratum: w^2/12 (1/units + 1/(2 m n)), with 3 degrees for the four controls.
    shares = [0.4, 0.4, 0.6, 0.6]
    parts = np.array(
        [
            w**2 / 12 * (1 / k + 0.5 / mn)
            for w, k, mn in zip(shares, (160, 4, 240, 396), (640, 640, 95040, 95040), strict=True)
        ]
    )
    assert error == pytest.approx(math.sqrt(parts.sum()), rel=1e-12)
    assert degrees == pytest.approx(3 / (parts[1] / parts.sum()) ** 2, rel=1e-12)
    assert degrees < 4
    assert least_limit(error, degrees, 0.95) > certifiable_limit(400, 400) + 0.08
    assert can_certify(0.65, 0.95, 400, 400, **labels)
    assert not can_certify(0.60, 0.95, 400, 400, **labels)


def test_a_single_unit_certifies_no_limit():
    error, degrees = null_precision(30, 30, forget_groups=np.zeros(30))
    assert (math.isfinite(error), degrees) == (True, 0.0)
    assert least_limit(error, degrees, 0.95) == 1.0
    assert not can_certify(0.99, 0.95, 30, 30, forget_groups=np.zeros(30))
    assert not can_certify(0.99, 0.95, 30, 1)


def test_no_number_of_examples_certifies_a_limit_that_does_not_hold():
    assert required_forget(0.55, auc=0.55) is None
    assert required_forget(0.55, auc=0.44, two_sided=True) is None
    assert required_forget(0.55, auc=0.44) is not None


def test_the_variance_is_the_exact_null_at_one_half_and_the_simulated_one_elsewhere():
    assert math.sqrt(binormal_auc_variance(0.5, 30, 50)) == pytest.approx(null_standard_error(30, 50), abs=1e-15)
    assert binormal_auc_variance(0.8, 40, math.inf) == pytest.approx(binormal_auc_variance(0.8, 40, 10**9), rel=1e-6)
    assert binormal_auc_variance(0.2, 20, 30) == pytest.approx(binormal_auc_variance(0.8, 20, 30))
    rng = np.random.default_rng(0)
    shift = math.sqrt(2) * 0.8416212335729143
    simulated = np.var([auc(rng.normal(shift, 1, 20), rng.normal(0, 1, 30)) for _ in range(6000)])
    assert simulated == pytest.approx(binormal_auc_variance(0.8, 20, 30), rel=0.08)


def test_power_matches_the_simulated_operating_characteristics():
    assert power_to_certify(0.55, 0.5, 200, 200) == pytest.approx(0.536, abs=0.02)
    assert power_to_certify(0.55, 0.5, 500, 500) == pytest.approx(0.879, abs=0.02)
    assert power_to_certify(0.55, 0.55, 200, 200) == pytest.approx(0.05, abs=1e-12)
    assert power_to_certify(0.55, 0.5, 100, 100, two_sided=True) == 0.0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: required_forget(0.5), "limit"),
        (lambda: required_forget(0.55, power=1.0), "power"),
        (lambda: required_forget(0.55, controls_per_forget=0), "controls_per_forget"),
        (lambda: required_forget(0.55, confidence=0.3), "confidence"),
        (lambda: minimum_forget(1.0), "limit"),
        (lambda: certifiable_limit(0, 5), "n_forget"),
        (lambda: binormal_auc_variance(1.0, 5, 5), "auc"),
    ],
)
def test_arguments_out_of_range_are_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
