"""Account for privacy amplified by iteration: noisy steps that forget where they began."""

import math
from collections.abc import Callable


def absorbed(start: float, contraction: float, shift: float, steps: int) -> float:
    """Bound how far apart noisy iterations are, in squared steps of noise.

    Two runs start within `start` of each other. Each step brings two points at a distance z to within contraction * z +
    shift, and adds noise N(0, sigma^2 I). By shifting one run a little towards the other in each step, at the price of
    the square of the shift (Feldman, Mironov, Talwar and Thakurta 2018, "Privacy amplification by iteration", theorem
    22), the Renyi divergence of order a between the last iterates is at most a / (2 sigma^2) times the sum of squares.
    Here the last k steps are shifted, in proportion to contraction^(steps left), which Cauchy-Schwarz makes cheapest;
    the k of least price is taken, among those that do not shift further than the runs are apart.

    start, shift: distances, at least 0. contraction: in (0, 1]. steps: at least 1.

    Returns: the sum of squared shifts.
    """
    best = math.inf
    apart = [start]
    for _ in range(steps):
        apart.append(contraction * apart[-1] + shift)
    reach, squares = 0.0, 0.0
    for k in range(1, steps + 1):
        # What is left at the end of the distance before the last k steps, and of their own shifts.
        reach += contraction ** (k - 1) * shift
        squares += contraction ** (2 * (k - 1))
        total = contraction**k * apart[steps - k] + reach
        if _feasible(apart[steps - k], contraction, shift, k, total / squares):
            best = min(best, total**2 / squares)
    return best


def _feasible(apart: float, contraction: float, shift: float, k: int, scale: float) -> bool:
    """Tell whether no shift is larger than the distance that it closes."""
    for i in range(k - 1, -1, -1):
        apart = contraction * apart + shift - scale * contraction**i
        if apart < -1e-9 * (1 + scale):
            return False
    return True


def epsilon_of(rho: float, delta: float) -> float:
    """Convert a Renyi divergence of at most rho * a at every order a to epsilon.

    Source: Canonne, Kamath and Steinke 2020, "The discrete Gaussian for differential privacy", proposition 12, at the
    best order.
    """
    if rho <= 0:
        return 0.0

    def at(excess: float) -> float:
        a = 1 + excess
        return rho * a + math.log1p(-1 / a) - (math.log(delta) + math.log(a)) / (a - 1)

    return max(0.0, min(at(10 ** (k / 50)) for k in range(-150, 301)))


def largest_rho(epsilon: float, delta: float) -> float:
    """Return the rho up to which (epsilon, delta) holds, from below."""
    return _bisect(lambda rho: epsilon_of(rho, delta) <= epsilon, 1e-12, 1e6)


def _bisect(holds: Callable[[float], bool], low: float, high: float) -> float:
    if not holds(low):
        raise ValueError("no noise is enough for an epsilon and delta as small as these")
    for _ in range(100):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
