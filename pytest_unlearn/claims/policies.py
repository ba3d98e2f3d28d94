"""Release policies: the claims that a release must prove, as plain data.

Listed by `pytest --unlearn-policies`; built-in ones come from the claim table. Standard library only, for the plugin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pytest_unlearn.core.claim_table import TABLE, Needs
from pytest_unlearn.core.table_view import TableView

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
    """One claim of a policy.

    Its name (of `audit_<claim>`), what it needs, keywords besides the caller's limits, and whether it is `required`:
    one that is not may be not testable here, where the original itself does not show what was to be forgotten.
    """

    claim: str
    says: str
    needs: Needs = ""
    keywords: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A named list of claims: required ones, and others where they are testable."""

    name: str
    says: str
    steps: tuple[Step, ...]


NAMES = {
    "quick": {
        "examples": "outputs only: what one audit and one accuracy can tell",
        "text": "probabilities of tokens only: what one audit and one loss can tell",
    },
    "standard": {
        "examples": "and what outputs may hide: features, neighbours, weakened copies, relearning, removed classes",
        "text": "and what they may hide: what is recited, and changed copies",
    },
    "thorough": {
        "examples": "and every attack, and the method itself over several seeds (trains dozens of models)",
        "text": "the same: there is no claim about methods on documents yet",
    },
}
"""The built-in policies; each asks all that the one before asks."""


def _built_in(of: str = "examples") -> dict[str, Policy]:
    """Make the policies from the claim table: each claim's latest step so far."""
    steps: dict[str, Step] = {}
    policies = {}
    for policy, about in NAMES.items():
        for name, spec in TABLE.items():
            if policy in spec.steps and (spec.of == of or spec.needs == "canaries"):  # planted in either
                step = spec.steps[policy]
                steps[name] = Step(
                    claim=name,
                    says=step.says,
                    needs=spec.needs,
                    keywords=MappingProxyType(dict(step.keywords)),
                    required=step.required,
                )
        policies[policy] = Policy(name=policy, says=about[of], steps=tuple(steps.values()))
    return policies


POLICIES: Mapping[str, Policy] = TableView(_built_in)
TEXT_POLICIES: Mapping[str, Policy] = TableView(lambda: _built_in("text"))
"""The same names for tasks of documents: `assert_release` chooses by the task."""


def lines() -> Iterator[str]:
    """Yield the policies as text."""
    for about, policies in (("", POLICIES), (" of documents (TextSplit)", TEXT_POLICIES)):
        for policy in policies.values():
            yield f"{policy.name}{about}: {policy.says}"
            for step in policy.steps:
                keywords = "".join(f", {name}={value!r}" for name, value in step.keywords.items())
                needs = f", {NEEDS[step.needs]}" if step.needs else ""
                yield f"    assert_{step.claim}{keywords}: {step.says} [{demand(step)}{needs}]"


def demand(step: Step) -> str:
    """Say what a release needs of a step."""
    if not step.required:
        return "where testable"
    instead = TABLE[step.claim].replaced_by if step.claim in TABLE else ""
    return f"required; {instead} in its place where whole classes are forgotten" if instead else "required"
