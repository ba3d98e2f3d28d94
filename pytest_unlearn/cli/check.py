"""Apply a policy to a stored report; whatever is missing is not a pass."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pytest_unlearn.claims.policies import POLICIES
from pytest_unlearn.cli import binding, repository, stored_report, stored_scores
from pytest_unlearn.cli.console import BLOCKED, FINE, plural, say
from pytest_unlearn.core import settings
from pytest_unlearn.core.claim_kinds import required_by_default
from pytest_unlearn.core.claim_limit import Limit
from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.plugin import requirements
from pytest_unlearn.report import gate, scores
from pytest_unlearn.report.terminal import headline

T = TypeVar("T")


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
        "required claim is PASS in a test that passed, in a complete run, and unless the report is what was sealed in "
        "the scores.json beside it (`verify` also finds what was edited and sealed again). What no option says is "
        "taken from the ini file of the current directory, as pytest finds it (unlearn_require, unlearn_policy, "
        "unlearn_max_age, limits).",
        epilog="Exit status: 0 release; 1 blocked; 2 the report cannot be read or contradicts itself.",
        allow_abbrev=False,
    )
    command.add_argument("report", type=Path, help="a report.json, as --unlearn-report writes it")
    command.add_argument(
        "--require",
        nargs="+",
        action="extend",
        metavar="CLAIM",
        help="claims that must be proven (default: unlearn_require, else what the report's own gate required, else "
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
    command.add_argument(
        "--policy",
        type=_usage(binding.named_policy),
        metavar="NAME",
        help=f"block unless everything that a release policy asks is proven: {', '.join(POLICIES)}",
    )
    command.add_argument(
        "--model",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="block unless the report is about this file, by its SHA-256 (may be given several times)",
    )
    command.add_argument(
        "--max-age",
        type=_usage(binding.max_age),
        metavar="AGE",
        help="block if the report is older than this, such as 7d, 12h or 30m, or from the future",
    )
    command.add_argument(
        "--attestation",
        type=Path,
        metavar="FILE",
        help="block unless this in-toto statement (or the DSSE envelope or Sigstore bundle around it) is of this very "
        "report and of its files; its signature is not checked here",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load, decide, and say why."""
    document = stored_report.load(options.report)
    ledger = stored_report.ledger(document)
    ours = repository.read()
    _take_settings(options, ours)
    wanted, origin = options.require, _origin(options, "require", "--require")
    if wanted is None:
        wanted, origin = stored_report.required(document), "the report's gate"
    if wanted is None:
        wanted, origin = required_by_default(requirements.claimed(ledger)), "default"
    if options.policy is not None:
        options.policy = requirements.policy_of(options.policy.name, ledger)
        named = wanted if options.require is not None else ()
        wanted = [*requirements.policy_claims(options.policy, ledger), *named]
        origin = f"policy {options.policy.name}" + (f", {origin}" if named else "")
    given = {claim: getattr(options, limit.setting) for limit, claims in _choices().items() for claim in claims}
    limits = {claim: value for claim, value in given.items() if value is not None}
    policy = ReportPolicy(tuple(dict.fromkeys(wanted)), limits, options.confidence, options.max_share_left)
    folder = options.report.parent
    besides = (*stored_scores.edited(document, folder), *_unbound(document, ledger, options))
    decision = decide(ledger, policy, besides)
    say(f"{options.report}: {headline(ledger)}")
    say(f"required: {', '.join(policy.required) or 'nothing'} ({origin})")
    if options.policy is not None:
        say(f"policy: {options.policy.name} ({_origin(options, 'policy')})")
    for claim, value in policy.limits.items():
        limit = TABLE[claim].limit
        came = _origin(options, limit.setting)
        say(f"policy: {claim} at a {limit.setting} of {_at_most(limit)} {value:g} ({came})")
    if policy.confidence is not None:
        say(f"policy: confidence at least {policy.confidence:g} ({_origin(options, 'confidence')})")
    if policy.max_share_left is not None:
        came = _origin(options, "max_share_left")
        say(f"policy: at most {policy.max_share_left:.0%} left of what the original showed ({came})")
    if options.max_age is not None:
        say(f"policy: made no longer ago than {options.max_age} ({_origin(options, 'max_age')})")
    released = "release: every required claim was proven"
    say(released if decision.release else f"blocked, {plural(len(decision.reasons), 'reason')}:")
    for reason in (*decision.reasons, *decision.notes):
        say(f"  - {reason}")
    if not stored_scores.names_scores(document, folder):
        say(f"not compared with what was sealed when it was written: there is no {scores.FILE}")
    return FINE if decision.release else BLOCKED


def _take_settings(options: argparse.Namespace, ours: repository.Repository) -> None:
    """Fill in what no option says from the ini file, and note where it came from."""
    demands, options.origins = ours.demands, {}
    options.release_files = demands.release_files
    found = {
        "require": None if demands.required is None else list(demands.required),
        "policy": demands.policy and binding.named_policy(demands.policy),
        "max_age": demands.max_age and binding.max_age(demands.max_age),
        **{limit.setting: ours.ini.get(limit.setting) for limit in _choices()},
        **{name: ours.ini.get(name) for name in ("confidence", "max_share_left")},
    }
    for name, value in found.items():
        if getattr(options, name) is None and value is not None:
            setattr(options, name, value)
            options.origins[name] = f"unlearn_{name} in {ours.file}"


def _origin(options: argparse.Namespace, name: str, option: str = "") -> str:
    """Say where the value of a setting came from."""
    origin: str = options.origins.get(name, option or "--" + name.replace("_", "-"))
    return origin


def decide(ledger: Mapping[str, Any], policy: ReportPolicy, besides: Sequence[str] = ()) -> gate.GateDecision:
    """Add the policy's reasons to block, and others, to the gate's decision."""
    decision = gate.decide(ledger, policy.required)
    reasons = (*decision.reasons, *too_loose(ledger["entries"], policy), *besides)
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


def _unbound(document: Mapping[str, Any], ledger: Mapping[str, Any], options: argparse.Namespace) -> Iterator[str]:
    """Yield why the report is not about what the caller holds."""
    if options.release_files and not document.get("release_files"):
        yield f"unlearn_release_files names {', '.join(options.release_files)}, and the report records no file"
    for file in options.model:
        yield from binding.about_file(document, file)
    yield from binding.young_enough(document, options.max_age, datetime.datetime.now(datetime.timezone.utc))
    if options.attestation is not None:
        yield from binding.attested(document, ledger, options.report.read_bytes(), options.attestation)
    if options.policy is not None:
        yield from requirements.satisfies(options.policy, ledger)


def _usage(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Make the argparse type of a parser whose ValueError is a usage error."""

    def parsed(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parsed


def _choices() -> dict[Limit, list[str]]:
    """Group claims by the setting that limits them, if it leaves a choice."""
    limits = dict.fromkeys(spec.limit for spec in TABLE.values() if not spec.limit.fixed)
    return {limit: [name for name, spec in TABLE.items() if spec.limit == limit] for limit in limits}


def _at_most(limit: Limit) -> str:
    """Say on which side of a value the stricter ones lie."""
    return "at most" if limit.side == "highest" else "at least"
