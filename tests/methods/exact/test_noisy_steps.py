"""What noisy iterations hide: against closed forms, a numerical optimum and the exact Gaussian mechanism."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy.optimize import minimize

from unlearners.exact.noisy_steps import absorbed, epsilon_of, largest_rho


def test_one_step_is_output_perturbation():
    assert absorbed(3.0, 0.5, 0.25, 1) == pytest.approx((0.5 * 3 + 0.25) ** 2)


@pytest.mark.parametrize("steps", [1, 5, 40])
@pytest.mark.parametrize("c", [0.5, 0.9, 1.0])
def test_without_shifts_it_is_the_divergence_of_the_gaussians_that_come_out(c, steps):
    """x <- c x + N(0, 1) from points at distance 2 ends in normal laws, whose divergence of order a is a d^2 / 2v."""
    variance = sum(c ** (2 * i) for i in range(steps))
    assert absorbed(2.0, c, 0.0, steps) == pytest.approx((2 * c**steps) ** 2 / variance)


@pytest.mark.parametrize(("start", "c", "shift", "steps"), [(2, 0.9, 0.1, 8), (0, 0.8, 0.3, 6), (0.1, 0.7, 0.5, 5)])
def test_no_other_shifts_are_cheaper_by_much(start, c, shift, steps):
    """Shifts a_t with z_t = c z_(t-1) + shift - a_t >= 0 and z_T = 0: the best by a general solver."""

    def left(a):
        z = [start]
        for one in a:
            z.append(c * z[-1] + shift - one)
        return np.array(z[1:])

    constraints = [{"type": "ineq", "fun": lambda a: left(a)[:-1]}, {"type": "eq", "fun": lambda a: left(a)[-1]}]
    best = minimize(lambda a: (a**2).sum(), np.full(steps, shift), constraints=constraints, method="SLSQP")
    assert best.success
    ours = absorbed(start, c, shift, steps)
    assert best.fun * (1 - 1e-6) <= ours <= 1.3 * best.fun


@pytest.mark.parametrize("delta", [1e-3, 1e-5, 1e-8])
@pytest.mark.parametrize("rho", [1e-3, 0.05, 1.0])
def test_epsilon_is_enough_for_the_gaussian_mechanism_and_not_much_more(rho, delta):
    """N(0, 1) against N(mu, 1) has Renyi divergence a mu^2 / 2, and an exact delta (Balle and Wang 2018)."""
    mu, cdf = math.sqrt(2 * rho), NormalDist().cdf

    def exact(epsilon):
        return cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * cdf(-mu / 2 - epsilon / mu)

    epsilon = epsilon_of(rho, delta)
    assert exact(epsilon) <= delta
    assert exact(0.75 * epsilon) > delta


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 8.0])
def test_the_largest_rho_is_the_inverse(epsilon):
    rho = largest_rho(epsilon, 1e-5)
    assert epsilon_of(rho, 1e-5) <= epsilon < epsilon_of(1.001 * rho, 1e-5)
