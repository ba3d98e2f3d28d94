"""Release policies: which claims a release must prove. Plain data, listed by `pytest --unlearn-policies`.

Standard library only: the plugin prints this table without importing anything heavy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

Needs = Literal["", "weights", "whole classes", "unlearner", "canaries"]
NEEDS: Mapping[Needs, str] = MappingProxyType(
    {
        "": "always",
        "weights": "where the references are networks",
        "whole classes": "where a whole class is forgotten",
        "unlearner": "needs unlearner=",
        "canaries": "where canaries= were planted",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One claim of a policy: its name (of `audit_<claim>`), what it needs, and keywords besides the caller's limits."""

    claim: str
    says: str
    needs: Needs = ""
    keywords: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A named list of claims, all of which must be proven."""

    name: str
    says: str
    steps: tuple[Step, ...]


_OUTPUTS = (
    Step(claim="forgotten", says="the forget set is not recognisable in the outputs"),
    Step(claim="utility", says="accuracy is near the retrained models'", keywords={"baseline": "retrained"}),
)
_INSIDE = (
    Step(claim="class_forgotten", says="a removed class is treated as by retrained models", needs="whole classes"),
    Step(claim="features_forgotten", says="nor in the features of any layer", needs="weights"),
    Step(claim="no_residual", says="nor beside its examples or in weakened copies"),
    Step(claim="not_relearnable", says="it is relearned like something new", needs="weights"),
    Step(claim="canaries_forgotten", says="planted canaries are forgotten", needs="canaries"),
)
_METHOD = (
    Step(claim="algorithm", says="the method forgets, whatever its seeds", needs="unlearner"),
    Step(claim="indistinguishable", says="its models' law is that of retraining", needs="unlearner"),
    Step(claim="efficient", says="it costs a fraction of retraining", needs="unlearner"),
)
_ALL_ATTACKS = Step(
    claim="forgotten", says="the forget set is not recognisable by any attack", keywords={"attacks": "all"}
)
POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        policy.name: policy
        for policy in (
            Policy(name="quick", says="outputs only: what one audit and one accuracy can tell", steps=_OUTPUTS),
            Policy(
                name="standard",
                says="and what outputs may hide: features, neighbours, weakened copies, relearning, removed classes",
                steps=(*_OUTPUTS, *_INSIDE),
            ),
            Policy(
                name="thorough",
                says="and every attack, and the method itself over several seeds (trains dozens of models)",
                steps=(_ALL_ATTACKS, *_OUTPUTS[1:], *_INSIDE, *_METHOD),
            ),
        )
    }
)


def lines() -> Iterator[str]:
    """The table as text."""
    for policy in POLICIES.values():
        yield f"{policy.name}: {policy.says}"
        for step in policy.steps:
            keywords = "".join(f", {name}={value!r}" for name, value in step.keywords.items())
            needs = f" [{NEEDS[step.needs]}]" if step.needs else ""
            yield f"    assert_{step.claim}{keywords}: {step.says}{needs}"
