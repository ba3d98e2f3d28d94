"""`check`: apply a policy to a stored report; whatever is missing is not a pass."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_unlearn.cli import stored_report as stored
from pytest_unlearn.cli.console import BLOCKED, FINE, plural, say
from pytest_unlearn.core import settings
from pytest_unlearn.report import gate
from pytest_unlearn.report.gate import LIMITS
from pytest_unlearn.report.terminal import headline


@dataclass(frozen=True)
class Policy:
    """What a report has to prove, and the loosest limits and lowest confidence that it may have been judged at.

    `limits` maps a claim's name to its limit; a claim that is not named may have any.
    """

    required: tuple[str, ...]
    limits: Mapping[str, float]
    confidence: float | None = None


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
    for name in dict.fromkeys(LIMITS.values()):
        claims = " or ".join(repr(claim) for claim, limit in LIMITS.items() if limit == name)
        command.add_argument(
            _option(name),
            type=settings.argument(settings.TABLE[name]),
            metavar="X",
            help=f"block if any claim {claims} was judged at a {name} above X",
        )
    command.add_argument(
        "--confidence",
        type=settings.argument(settings.TABLE["confidence"]),
        metavar="X",
        help="block if any claim was judged at a confidence below X",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load, decide, and say why."""
    document = stored.load(options.report)
    wanted, origin = options.require, "--require"
    if wanted is None:
        wanted, origin = stored.required(document), "the report's gate"
    if wanted is None:
        wanted, origin = gate.DEFAULT_REQUIRED, "default"
    given = {claim: getattr(options, name) for claim, name in LIMITS.items()}
    limits = {claim: limit for claim, limit in given.items() if limit is not None}
    policy = Policy(tuple(dict.fromkeys(wanted)), limits, options.confidence)
    ledger = stored.ledger(document)
    decision = decide(ledger, policy)
    say(f"{options.report}: {headline(ledger)}")
    say(f"required: {', '.join(policy.required) or 'nothing'} ({origin})")
    for claim, limit in policy.limits.items():
        say(f"policy: {claim} at a {LIMITS[claim]} of at most {limit:g}")
    if policy.confidence is not None:
        say(f"policy: confidence at least {policy.confidence:g}")
    say(decision.explain() if decision.release else f"blocked, {plural(len(decision.reasons), 'reason')}:")
    for reason in decision.reasons:
        say(f"  - {reason}")
    return FINE if decision.release else BLOCKED


def decide(ledger: Mapping[str, Any], policy: Policy) -> gate.Decision:
    """The gate's decision on a ledger, with the policy's reasons to block added."""
    decision = gate.decide(ledger, policy.required)
    reasons = (*decision.reasons, *too_loose(ledger["entries"], policy))
    return gate.Decision(release=not reasons, reasons=reasons)


def too_loose(entries: Sequence[Mapping[str, Any]], policy: Policy) -> Iterator[str]:
    """The claims that were judged more loosely than the policy accepts, required or not."""
    for entry in entries:
        evidence = entry["evidence"]
        claim = evidence["claim"]
        limit, name = policy.limits.get(claim["name"]), LIMITS.get(claim["name"])
        where = f"{claim['name']} in {entry['nodeid']} was judged at"
        highest, confidence = claim.get("highest"), evidence["estimate"]["confidence"]
        if limit is not None and (highest is None or highest > limit):
            shown = "no limit" if highest is None else f"a {name} of {highest:g}"
            yield f"{where} {shown}, the policy accepts at most {limit:g}"
        if policy.confidence is not None and confidence < policy.confidence:
            yield f"{where} a confidence of {confidence:g}, the policy accepts no less than {policy.confidence:g}"


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
