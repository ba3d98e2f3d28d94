"""Read what a repository asks of a release: one place, its ini file.

The gate asks it when a run ends, `check` of a stored report, and `baseline` writes it down.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pytest_unlearn.claims.policies import POLICIES, TEXT_POLICIES, Policy, Step
from pytest_unlearn.core import settings
from pytest_unlearn.core.claim_kinds import kind_of, required_by_default
from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.report import baseline, candidate, gate, on_method
from pytest_unlearn.report.baseline import Demands

LIMITS = frozenset({"confidence", "max_share_left", *(spec.limit.setting for spec in TABLE.values())})


@dataclass(frozen=True)
class Requirements:
    """Hold the ini file's settings of a release; None where it does not say."""

    required: tuple[str, ...] | None = None
    policy: str | None = None
    max_age: str | None = None
    release_files: tuple[str, ...] = ()
    inconclusive: str = settings.INCONCLUSIVE
    limits: Mapping[str, float] = field(default_factory=dict)

    def named(self, ledger: Mapping[str, Any]) -> tuple[str, ...]:
        """List the claims that are required by name, or else by default."""
        return required_by_default(claimed(ledger)) if self.required is None else self.required

    def claims(self, ledger: Mapping[str, Any]) -> tuple[str, ...]:
        """List the claims that must be proven, the policy's first."""
        by_policy = policy_claims(policy_of(self.policy, ledger), ledger) if self.policy else ()
        return tuple(dict.fromkeys([*by_policy, *self.named(ledger)]))

    def asked(self, ledger: Mapping[str, Any]) -> Demands:
        """Say what a run asked, as a baseline holds it."""
        return Demands(
            required=self.named(ledger),
            policy=self.policy,
            max_age=self.max_age,
            release_files=self.release_files,
            inconclusive=self.inconclusive,
            audits=baseline.audits(ledger["entries"]),
        )

    def decide(self, ledger: Mapping[str, Any]) -> gate.GateDecision:
        """Decide on a release by everything that the repository asks."""
        decision = gate.decide(ledger, self.claims(ledger))
        policy = policy_of(self.policy, ledger) if self.policy else None
        reasons = (*decision.reasons, *(satisfies(policy, ledger) if policy else ()))
        looser = baseline.looser_than_ini(ledger["entries"], self.limits)
        if self.policy and any(on_method.INI in reason for reason in decision.reasons):
            name = f"policy {self.policy!r} asks it whatever unlearn_require says"
            reasons += (f"{name}: leave unlearn_policy out of the ini file where another claim stands in",)
        notes = (*decision.notes, *([looser] if looser else ()))
        return replace(decision, release=not reasons, reasons=reasons, notes=notes)


def read(config: pytest.Config, layers: Mapping[str, Mapping[str, Any]]) -> Requirements:
    """Read them from pytest's configuration, and from the layers of settings."""
    required = config.getini("unlearn_require")
    policy, max_age, inconclusive = (
        settings.resolve(name, None, layers).value for name in ("policy", "max_age", "inconclusive")
    )
    files = tuple(config.getini("unlearn_release_files"))
    limits = {name: value for name, value in layers.get("ini", {}).items() if name in LIMITS}
    named = None if required is None else tuple(claims_in(required))
    return Requirements(named, policy, max_age, files, str(inconclusive), limits)


def claims_in(lines: Iterable[str]) -> Iterator[str]:
    """Yield the claims that lines of an ini file name.

    One a line, or several as advice writes them for TOML.
    """
    for line in lines:
        yield from (name for name in re.split(r"[\s,\[\]\"']+", line) if name)


def compared(config: pytest.Config, requirements: Requirements, ledger: Mapping[str, Any]) -> dict[str, list[str]]:
    """Say where a run asks less or more than its baseline; nothing without one."""
    try:
        committed = baseline.read(config.rootpath / baseline.FILE)
    except baseline.Unreadable as problem:
        return {"weaker": [str(problem)], "stronger": []}
    if committed is None:
        return {}
    present = requirements.asked(ledger)
    return {
        "weaker": [f"weaker than the baseline: {text}" for text in baseline.weaker(committed, present, ledger)],
        "stronger": list(baseline.stronger(committed, present)),
    }


def claimed(ledger: Mapping[str, Any]) -> set[str]:
    """Return the names of the claims that a report has evidence for."""
    return {entry["evidence"]["claim"]["name"] for entry in ledger["entries"]}


def policy_of(name: str, ledger: Mapping[str, Any]) -> Policy:
    """Return the policy of a name, for examples or for documents."""
    return (TEXT_POLICIES if kind_of(claimed(ledger)) == "text" else POLICIES)[name]


def policy_claims(policy: Policy, ledger: Mapping[str, Any]) -> tuple[str, ...]:
    """List the claims that a policy requires of the request that a report is about.

    What it asks of whole classes alone is required where the report has such a claim; planted canaries likewise.
    """
    there = claimed(ledger)
    return tuple(step.claim for step in policy.steps if step.required and (_asked(step) or step.claim in there))


def satisfies(policy: Policy, ledger: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a policy asks besides its required claims, and is not shown."""
    for step in policy.steps:
        found = [entry for entry in ledger["entries"] if entry["evidence"]["claim"]["name"] == step.claim]
        if not any(map(candidate.about_release, found)) and _asked(step) and not step.required:
            yield f"policy {policy.name!r} asks {step.claim} too, where it is testable, and there is no evidence for it"
        for entry in found:
            evidence, where = entry["evidence"], f"{step.claim} in {entry['nodeid']}"
            if not step.required and evidence["verdict"] != "PASS" and not gate.excused(evidence):
                yield f"{where} is {evidence['verdict']}, and policy {policy.name!r} asks it too"
            chosen = (evidence.get("provenance") or {}).get("settings") or {}
            yield from (
                f"{where} was judged with {name}={chosen[name]!r}, and policy {policy.name!r} asks {name}={value!r}"
                for name, value in step.keywords.items()
                if name in chosen and isinstance(chosen[name], str) and chosen[name] != value
            )


def _asked(step: Step) -> bool:
    """Tell whether a claim can be asked whatever the request and the model."""
    return step.needs in ("", "unlearner")
