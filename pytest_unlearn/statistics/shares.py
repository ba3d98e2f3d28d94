"""Exact statements on counts: of coin flips that were guessed, and of triggers that still work."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import stats

from pytest_unlearn.evidence import Estimate
from pytest_unlearn.statistics.proportions import check_counts, clopper_pearson
from pytest_unlearn.statistics.validation import check_open_unit


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareMeasure:
    """A share of `n` independent trials, with exact one-sided bounds. Source: Clopper & Pearson 1934.

    A tie may count as half a success: it varies less than a trial does, so that the bounds are wider than need be.
    `undecided` is the number of such trials.
    """

    successes: float
    n: int
    undecided: int = 0

    def __post_init__(self) -> None:
        """Refuse counts that are no proportion."""
        check_counts(self.successes, self.n)

    @property
    def value(self) -> float:
        """The observed share."""
        return self.successes / self.n

    def at(self, confidence: float) -> Estimate:
        """The share with its bounds."""
        low, high = clopper_pearson(self.successes, self.n, confidence, two_sided=False)
        return Estimate(
            value=self.value, low=low, high=high, confidence=confidence, method="Clopper-Pearson", n_forget=self.n
        )

    def chance(self, rate: float) -> float:
        """How likely are as many successes, or more, if each decided trial succeeds with probability `rate`? Exact."""
        wins = round(self.successes - 0.5 * self.undecided)
        return float(stats.binom.sf(wins - 1, self.n - self.undecided, check_open_unit("rate", rate)))


def backdoor_test_errors(queries: int, threshold: int, *, chance: float, success: float) -> tuple[float, float]:
    """How often does a backdoor test of one trigger err: deleted data called kept, and kept data called deleted?

    The test says "kept" when `threshold` or more of `queries` triggered inputs are answered with the target. Use it to
    plan how many inputs to ask about.

    Args:
        queries: independent triggered inputs, from 1.
        threshold: hits from which the test says "kept", from 0 to `queries`.
        chance: share of hits on a model that never saw the trigger, in (0, 1); about 1 / classes.
        success: share of hits on a model that remembers it, in (0, 1).

    Returns:
        (alpha, beta): P[Bin(queries, chance) >= threshold] and P[Bin(queries, success) < threshold], both best near 0.

    Raises:
        ValueError: a threshold outside 0 to queries, or rates outside (0, 1).

    Source: Sommer et al. 2022, "Athena: Probabilistic verification of machine unlearning".
    """
    if queries < 1 or not 0 <= threshold <= queries:
        raise ValueError(f"threshold must lie between 0 and queries={queries} (1 or more), not {threshold!r}")
    alpha = float(stats.binom.sf(threshold - 1, queries, check_open_unit("chance", chance)))
    return alpha, float(stats.binom.cdf(threshold - 1, queries, check_open_unit("success", success)))
