"""Check the promises, one function each: `rule(harness)` returns or raises."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType

from pytest_unlearn.conformance.checks import isolation, models, repeatability, requests, result
from pytest_unlearn.conformance.harness import Harness
from pytest_unlearn.conformance.networks import NETWORKS

Rule = Callable[[Harness], None]


def _rules(module: ModuleType) -> dict[str, Rule]:
    """Collect the public functions that a module defines, in its order, by name."""
    own = {name: value for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__}
    return {name.replace("_", "-"): rule for name, rule in own.items() if not name.startswith("_")}


FOR_ANY_MODEL = {
    name: rule
    for module in (models, isolation, repeatability, result, requests)
    for name, rule in _rules(module).items()
    if name != "works-on"
}
FOR_OUR_NETWORKS = {f"works-on-{name}": partial(models.works_on, network=name) for name in NETWORKS}
