"""Budget: the requests, trainings or seconds that a search may spend."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from datetime import timedelta


@dataclass(frozen=True)
class Budget:
    """The bounds of a search's cost; None is no bound.

    Args:
        requests: how many requests to try. Making a found one smaller takes up to 40 more.
        trainings: after how many models, made by the method or retrained, no further request is begun. Those that
            come from the cache count as well, so that a search ends at the same request when it is run again.
        seconds: after how long no further request is begun. A slower machine searches less.

    Raises:
        ValueError: a bound that is not a number from 1 (seconds: above 0), or none at all.
    """

    requests: int | None = None
    trainings: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        bounds = {field.name: getattr(self, field.name) for field in fields(self)}
        if all(bound is None for bound in bounds.values()):
            raise ValueError("a search needs an end: give its budget requests, trainings or seconds.")
        for name, bound in bounds.items():
            if bound is None:
                continue
            if name == "seconds":
                if isinstance(bound, bool) or not isinstance(bound, int | float) or not 0 < bound < math.inf:
                    raise ValueError(f"a budget's seconds must be more than 0 and finite, not {bound!r}.")
            elif isinstance(bound, bool) or not hasattr(bound, "__index__") or bound < 1:
                raise ValueError(f"a budget's {name} must be at least 1, not {bound!r}.")

    def spent(self, *, requests: int = 0, trainings: int = 0, seconds: float = 0.0) -> bool:
        """Tell whether one of the bounds is reached."""
        pairs = ((self.requests, requests), (self.trainings, trainings), (self.seconds, seconds))
        return any(bound is not None and used >= bound for bound, used in pairs)


def as_budget(budget: int | timedelta | Budget) -> Budget:
    """Take a number of requests, or a time, as a budget.

    Raises:
        ValueError: a bound below 1, or something that is no budget.
    """
    if isinstance(budget, Budget):
        return budget
    if isinstance(budget, timedelta):
        return Budget(seconds=budget.total_seconds())
    if isinstance(budget, bool) or not hasattr(budget, "__index__"):
        raise ValueError(f"a budget is a number of requests, a timedelta or a Budget(...), not {budget!r}.")
    return Budget(requests=int(budget))
