"""What an attack needs besides outputs: which examples may be compared, and how an attack is declared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_unlearn.evidence import Answers, FloatArray, IntArray, Scores
from pytest_unlearn.statistics import Measure, tie_share

Signal = Callable[..., FloatArray]  # Outputs -> one number an example, higher = more member-like


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Classes to compare within (None compares all with all) and the unit of deletion that intervals cluster by.

    Groups are numbered together: a number that occurs on both sides is one unit. None: examples are independent.
    """

    forget_strata: IntArray | None = None
    control_strata: IntArray | None = None
    forget_groups: IntArray | None = None
    control_groups: IntArray | None = None

    @property
    def labels(self) -> dict[str, IntArray | None]:
        """Strata and groups, as the arguments of every measure of forget against controls."""
        return {
            "forget_strata": self.forget_strata,
            "control_strata": self.control_strata,
            "forget_groups": self.forget_groups,
            "control_groups": self.control_groups,
        }

    def tie_share(self, forget: FloatArray, controls: FloatArray) -> float:
        """The fraction of comparable forget-control pairs that tie."""
        return tie_share(forget, controls, forget_strata=self.forget_strata, control_strata=self.control_strata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """A way of recognising the forget set, declared together with the statistic that says how well it did.

    `score(target, references, pairing)` returns Scores; `measure(scores, pairing)` puts them on the AUC scale, where
    0.5 is the target under perfect unlearning. `signed` is False where the score is a distance from the controls'
    centre: PASS then asks for its upper bound alone.
    """

    name: str
    score: Callable[[Answers, Sequence[Answers], Pairing], Scores]
    measure: Callable[[Scores, Pairing], Measure]
    signed: bool = True
