"""The checks that any unlearner can run on itself: one generator with three faces, library, script and pytest.

What every unlearner promises, whatever its method: `unlearner(model, retain, forget, *, seed) -> model` leaves its
input and its surroundings alone, is reproducible, hands over a model like the one it got, and answers any request.
The checks say nothing about whether it forgets; the audits do.

Names load on first use: the plugin imports this package for its count of checks, and must not pay for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_unlearn.conformance.case import Case as Case
    from pytest_unlearn.conformance.case import ConformanceError as ConformanceError
    from pytest_unlearn.conformance.case import Unsupported as Unsupported
    from pytest_unlearn.conformance.suite import Check as Check
    from pytest_unlearn.conformance.suite import Outcome as Outcome
    from pytest_unlearn.conformance.suite import Report as Report
    from pytest_unlearn.conformance.suite import check_unlearner as check_unlearner
    from pytest_unlearn.conformance.suite import unlearner_checks as unlearner_checks

_HOMES = {
    "case": ("Case", "ConformanceError", "Unsupported"),
    "suite": ("Check", "Outcome", "Report", "check_unlearner", "unlearner_checks"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Case",
    "Check",
    "ConformanceError",
    "Outcome",
    "Report",
    "Unsupported",
    "check_unlearner",
    "unlearner_checks",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
