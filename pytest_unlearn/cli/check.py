"""Apply a policy to a stored report; whatever is missing is not a pass."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_unlearn.cli import stored_report
from pytest_unlearn.cli.console import BLOCKED, FINE, plural, say
from pytest_unlearn.core import settings
from pytest_unlearn.core.claim_table import TABLE, Limit
from pytest_unlearn.report import gate
from pytest_unlearn.report.terminal import headline


@dataclass(frozen=True)
class ReportPolicy:
    """Hold what a report has to prove, and how loosely it may have been judged.

    `limits` maps a claim's name to the value of the setting that limits it; a claim that is not named may have any.
    `max_share_left` is the largest share of what the original showed that a claim may have been allowed to leave.
    """

    required: tuple[str, ...]
    limits: Mapping[str, float]
    confidence: float | None = None
    max_share_left: float | None = None


def add(commands: Any) -> None:
    """Add `check` to the command line."""
    command = commands.add_parser(
        "check",
        help="apply a policy to a stored report",
        description="Decide once more, from a stored report.json, whether a release may go ahead. Blocks unless each "
        "required claim is PASS in a test that passed, in a complete run.",
        epilog="Exit status: 0 release; 1 blocked; 2 the report cannot be read or contradicts itself.",
        allow_abbrev=False,
    )
    command.add_argument("report", type=Path, help="a report.json, as --unlearn-report writes it")
    command.add_argument(
        "--require",
        nargs="+",
        action="extend",
        metavar="CLAIM",
        help="claims that must be proven (default: those that the report's own gate required, else "
        f"{', '.join(gate.DEFAULT_REQUIRED)})",
    )
    for limit, claims in _choices().items():
        beyond = "above" if limit.side == "highest" else "below"
        command.add_argument(
            "--" + limit.setting.replace("_", "-"),
            type=settings.argument(settings.limit_spec(limit, None, "")),
            metavar="X",
            help=f"block if any claim {' or '.join(map(repr, claims))} was judged at a {limit.setting} {beyond} X",
        )
    command.add_argument(
        "--confidence",
        type=settings.argument(settings.TABLE["confidence"]),
        metavar="X",
        help="block if any claim was judged at a confidence below X",
    )
    command.add_argument(
        "--max-share-left",
        type=settings.argument(settings.TABLE["max_share_left"]),
        metavar="X",
        help="block if any claim was allowed to leave more than X of what the original showed",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load, decide, and say why."""
    document = stored_report.load(options.report)
    wanted, origin = options.require, "--require"
    if wanted is None:
        wanted, origin = stored_report.required(document), "the report's gate"
    if wanted is None:
        wanted, origin = gate.DEFAULT_REQUIRED, "default"
    given = {claim: getattr(options, limit.setting) for limit, claims in _choices().items() for claim in claims}
    limits = {claim: value for claim, value in given.items() if value is not None}
    policy = ReportPolicy(tuple(dict.fromkeys(wanted)), limits, options.confidence, options.max_share_left)
    ledger = stored_report.ledger(document)
    decision = decide(ledger, policy)
    say(f"{options.report}: {headline(ledger)}")
    say(f"required: {', '.join(policy.required) or 'nothing'} ({origin})")
    for claim, value in policy.limits.items():
        say(f"policy: {claim} at a {TABLE[claim].limit.setting} of {_at_most(TABLE[claim].limit)} {value:g}")
    if policy.confidence is not None:
        say(f"policy: confidence at least {policy.confidence:g}")
    if policy.max_share_left is not None:
        say(f"policy: at most {policy.max_share_left:.0%} left of what the original showed")
    released = "release: every required claim was proven"
    say(released if decision.release else f"blocked, {plural(len(decision.reasons), 'reason')}:")
    for reason in (*decision.reasons, *decision.notes):
        say(f"  - {reason}")
    return FINE if decision.release else BLOCKED


def decide(ledger: Mapping[str, Any], policy: ReportPolicy) -> gate.GateDecision:
    """Add the policy's reasons to block to the gate's decision on a ledger."""
    decision = gate.decide(ledger, policy.required)
    reasons = (*decision.reasons, *too_loose(ledger["entries"], policy))
    return gate.GateDecision(release=not reasons, reasons=reasons, notes=decision.notes)


def too_loose(entries: Sequence[Mapping[str, Any]], policy: ReportPolicy) -> Iterator[str]:
    """Yield the claims judged more loosely than the policy accepts, required or not."""
    for entry in entries:
        evidence = entry["evidence"]
        claim = evidence["claim"]
        where = f"{claim['name']} in {entry['nodeid']} was judged at"
        accepted, confidence = policy.limits.get(claim["name"]), evidence["estimate"]["confidence"]
        if accepted is not None:
            limit = TABLE[claim["name"]].limit
            value = limit.value(claim)
            if value is None or limit.looser(value, accepted):
                shown = "no limit" if value is None else f"a {limit.setting} of {value:g}"
                yield f"{where} {shown}, the policy accepts {_at_most(limit)} {accepted:g}"
        if policy.confidence is not None and confidence < policy.confidence:
            yield f"{where} a confidence of {confidence:g}, the policy accepts no less than {policy.confidence:g}"
        share = (evidence.get("provenance", {}).get("settings") or {}).get("max_share_left")
        if policy.max_share_left is not None and share is not None and share > policy.max_share_left:
            yield f"{where} a share left of at most {share:.0%}, the policy accepts {policy.max_share_left:.0%}"


def _choices() -> dict[Limit, list[str]]:
    """Group claims by the setting that limits them, if it leaves a choice."""
    limits = dict.fromkeys(spec.limit for spec in TABLE.values() if not spec.limit.fixed)
    return {limit: [name for name, spec in TABLE.items() if spec.limit == limit] for limit in limits}


def _at_most(limit: Limit) -> str:
    """Say on which side of a value the stricter ones lie."""
    return "at most" if limit.side == "highest" else "at least"
