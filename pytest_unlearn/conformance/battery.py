"""The battery of checks for one unlearner, each a value that is run by calling it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_unlearn.conformance.bench import Bench
from pytest_unlearn.conformance.case import Case, as_case
from pytest_unlearn.conformance.checks import FOR_ANY_MODEL, FOR_OUR_NETWORKS, Rule


@dataclass(frozen=True)
class Check:
    """One promise of one unlearner: call it, and it returns, raises `ConformanceError`, or raises `Unsupported`.

    Attributes:
        unlearner: the name of the unlearner.
        name: the name of the check, the same for every unlearner.
    """

    unlearner: str
    name: str
    rule: Rule = field(repr=False, compare=False)
    bench: Bench = field(repr=False, compare=False)

    def __call__(self) -> None:
        """Run the check."""
        __tracebackhide__ = True
        self.rule(self.bench)

    @property
    def __name__(self) -> str:
        return self.name

    def __str__(self) -> str:
        return f"{self.unlearner}-{self.name}"


def unlearner_checks(unlearner: Any, *, recipe: Callable[..., Any] | None = None) -> Iterator[Check]:
    """Every check of an unlearner. Each can be run on its own; what several need is computed once.

    Args:
        unlearner: `unlearner(model, retain, forget, *, seed) -> model`, or a `Case`.
        recipe: `recipe(dataset, *, seed) -> model`, which trains the kind of model that the method applies to. By
            default the unlearner's own `train` method if it has one, else the suite's small torch networks are used.

    Yields:
        Checks, in a fixed order.
    """
    return checks_of(as_case(unlearner, recipe))


def checks_of(case: Case) -> Iterator[Check]:
    """Every check of a case."""
    bench = Bench(case)
    rules = FOR_ANY_MODEL if case.training is not None else FOR_ANY_MODEL | FOR_OUR_NETWORKS
    return (Check(case.label, name, rule, bench) for name, rule in rules.items())


def require_known(expected_failures: Mapping[str, str]) -> None:
    """Refuse an expected failure that no check has the name of.

    Raises:
        ValueError: it names the checks that there are.
    """
    known = FOR_ANY_MODEL | FOR_OUR_NETWORKS
    unknown = sorted(expected_failures.keys() - known.keys())
    if unknown:
        raise ValueError(f"no check is named {', '.join(unknown)}; there are {', '.join(known)}.")
