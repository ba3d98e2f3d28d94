"""Which Gaussian mechanism do guesses about examples that a coin included refute?"""

from __future__ import annotations

from scipy import special

_LARGEST = 100.0


def refutes_mu(correct: int, guesses: int, mu: float, alpha: float, examples: int) -> bool:
    """Do `correct` of `guesses` about `examples` refute mu-GDP at level `alpha`?

    If they were right so often with probability `alpha`, then a trade-off function bounds how much mass the outcomes
    with one win less must have, and so on downwards; masses of more than there are refute. `mu` is at least 0. Source:
    Mahloujifar 2024, "Auditing f-differential privacy in one run".
    """
    won, lost = alpha * correct / examples, alpha * (guesses - correct) / examples
    for wins in range(correct - 1, -1, -1):
        grown = float(special.ndtr(special.ndtri(min(won, 1.0)) - mu))
        if grown <= lost:
            break  # from here on nothing changes
        won += wins / (guesses - wins) * (grown - lost)
        lost = grown
    return min(won, 1.0) + lost > guesses / examples


def largest_refuted_mu(correct: int, guesses: int, alpha: float, examples: int, low: float = 0.0) -> float:
    """The largest mu that is refuted, or `low` where that is not above it."""
    if not refutes_mu(correct, guesses, low, alpha, examples):
        return low
    high = _LARGEST
    for _ in range(50):
        middle = (low + high) / 2.0
        if refutes_mu(correct, guesses, middle, alpha, examples):
            low = middle
        else:
            high = middle
    return low
