"""Put what a release is decided on on one card.

Whether, which model, whose data, why, and what was not looked at. Every output takes its sentences from here, so that
they agree. Pure: the card follows from the ledger and the facts of the run. It never calls data erased, or a model
anonymous: an audit shows that nothing was found, where it looked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_unlearn.core.claim_kinds import kind_of
from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.report import candidate, plain, wording
from pytest_unlearn.report.ledger import reconcile

RELEASE, DO_NOT, NOT_DECIDED = "RELEASE", "DO NOT RELEASE", "NOT DECIDED"
SHOWN = 12  # of a digest's digits
MOST_FILES = 4
NEVER = (
    "filters in front of the model, caches, logs, backups, earlier checkpoints, the reference models and other copies "
    "of the data or the model"
)
UNCOMPARED = " (not compared with the files)"  # an audit sees a model in memory


@dataclass(frozen=True)
class ClaimLine:
    """One claim on the card: its verdict, plain sentence, numbers and first reason.

    `position` is that of its entry in the ledger.
    """

    position: int
    verdict: str
    name: str
    says: str
    numbers: str
    reason: str
    nodeid: str


@dataclass(frozen=True)
class Card:
    """What a release is decided on.

    `word` is RELEASE, DO NOT RELEASE or NOT DECIDED, `because` one sentence, `reasons` all the gate's, `facts` rows of
    (label, text), `claims` gravest first, `unseen` what was not testable or not covered, `scope` what PASS means.
    """

    word: str
    because: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    claims: tuple[ClaimLine, ...]
    unseen: tuple[str, ...]
    scope: str = wording.THREAT_MODEL

    @property
    def released(self) -> bool:
        """Whether the gate released."""
        return self.word == RELEASE


def card(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> Card:
    """Decide what the card says.

    Args:
        ledger: what ran, from `Ledger.freeze`.
        about: the facts of the run, with its gate, identity and release files.
    """
    gate, entries = about.get("gate"), ledger["entries"]
    reasons = tuple(gate["reasons"]) if gate else ()
    return Card(
        word=decision_of(gate),
        because=_because(ledger, gate),
        reasons=reasons,
        notes=tuple(gate.get("notes", ())) if gate else (),
        facts=tuple(_facts(entries, about)),
        claims=tuple(_line(position, entries[position]) for position in wording.most_severe_first(entries)),
        unseen=tuple(_unseen(ledger)),
    )


def decision_of(gate: Mapping[str, Any] | None) -> str:
    """Name the decision: nothing is decided where no gate ran."""
    return NOT_DECIDED if gate is None else RELEASE if gate["release"] else DO_NOT


def _because(ledger: Mapping[str, Any], gate: Mapping[str, Any] | None) -> str:
    """Say in one sentence why."""
    told = wording.conclusion(ledger, gate)[1]
    if gate is None:
        return f"No release gate ran (--unlearn-gate). {told}."
    if gate["release"]:
        required, proven = ", ".join(gate.get("required", ())), "every required claim was proven"
        told = told.removeprefix("Release: ").replace(proven, f"{proven} ({required})" if required else proven)
        return f"{told[:1].upper()}{told[1:]}."
    reasons: list[str] = [*gate["reasons"]] or [told]
    more = len(reasons) - 1
    others = "There is 1 more reason." if more == 1 else f"There are {more:,} more reasons."
    return f"{reasons[0]}. {others}" if more else f"{reasons[0]}."


def _line(position: int, entry: Mapping[str, Any]) -> ClaimLine:
    evidence = entry["evidence"]
    return ClaimLine(
        position=position,
        verdict=wording.word(evidence),
        name=evidence["claim"]["name"],
        says=plain.told(entry),
        numbers=wording.observed(entry),
        reason=plain.first_reason(evidence),
        nodeid=entry["nodeid"],
    )


def _facts(entries: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield which model, whose data, when, by what and who answers for it, as (label, text)."""
    named = about.get("identity") or {}
    yield "model", _model(entries, about)
    made = [f"project {named['project']}"] if named.get("project") else []
    made.append(f"commit {named['commit'][:SHOWN]}" if named.get("commit") else "commit not named (UNLEARN_COMMIT)")
    yield "made from", ", ".join(made)
    yield "request", _request(entries, named.get("request", ""))
    when = f"{about['created'][:16].replace('T', ' ')} UTC"
    policy = (about.get("gate") or {}).get("policy")
    asked = f", policy {policy}" if policy else ""
    suite = len({entry["nodeid"].partition("::")[0] for entry in entries})
    files = f" by {suite:,} test file{'' if suite == 1 else 's'}" if suite else ""
    yield "audited", f"{when}{files}, {about['tool']['name']} {about['tool']['version']}{asked}"
    if named.get("ci_url"):
        yield "CI run", named["ci_url"]
    yield "approver", named.get("approver") or "nobody is named (UNLEARN_APPROVER)"


def _model(entries: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> str:
    """Name the files that are released, and the models that were audited."""
    rows = about.get("release_files") or ()
    files = [f"{row['name']} (SHA-256 {row['sha256'][:SHOWN]})" for row in rows[:MOST_FILES]]
    more = [f"{len(rows) - MOST_FILES:,} more files"] if len(rows) > MOST_FILES else []
    released = ", ".join([*files, *more]) or "no file is named (unlearn_release_files)"
    found: dict[str, str] = {}
    for entry in entries:
        if candidate.judges_model(entry) and not entry.get("drawn"):
            model = (entry["evidence"].get("provenance") or {}).get("model") or {}
            digest, answers = candidate.subject(entry["evidence"])
            state = f"state {digest[:SHOWN]}" if digest else "known by its answers alone" if answers else "not named"
            found.setdefault(digest or state, f"{model.get('type') or 'a model'}, {state}")
    if len(found) > 1:
        several = "; ".join(found.values())
        return f"{released}; audited are {len(found)} models, of which a release can be one: {several}"
    uncompared = UNCOMPARED if rows and found else ""
    return f"{released}; audited is {next(iter(found.values()), 'no single model')}{uncompared}"


def _request(entries: Sequence[Mapping[str, Any]], name: str) -> str:
    """Say which request was answered: its id, how many examples of how many, of how many persons."""
    found: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        request = (entry["evidence"].get("provenance") or {}).get("request")
        judged = candidate.judges_model(entry) and not entry.get("drawn")
        if judged and isinstance(request, Mapping) and request.get("digest"):
            found.setdefault(str(request["digest"]), request)
    noun = "documents" if kind_of(one["evidence"]["claim"]["name"] for one in entries) == "text" else "examples"
    told = [_size(request, noun) + f" (digest {digest[:SHOWN]})" for digest, request in found.items()]
    several = f"{len(told)} requests, of which a release answers one: " if len(told) > 1 else ""
    which = f"{name}: " if name else "no id (UNLEARN_REQUEST): "
    return which + (several + "; ".join(told) if told else "the claims name no request")


def _size(request: Mapping[str, Any], noun: str) -> str:
    count, of, units = request.get("n"), request.get("of"), request.get("units")
    whole = f" of {of:,} training" if isinstance(of, int) else ""
    persons = f", of {units:,} {'person or group' if units == 1 else 'persons or groups'}" if units else ""
    return f"{count:,}{whole} {noun}{persons}" if isinstance(count, int) else "of unknown size"


def _unseen(ledger: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was not testable, not asked, not run, or is never covered."""
    entries = ledger["entries"]
    for entry in entries:
        if wording.word(entry["evidence"]) == wording.NOT_TESTABLE:
            yield f"{entry['evidence']['claim']['name']} is not testable here: {plain.first_reason(entry['evidence'])}"
    requests = [(entry["evidence"].get("provenance") or {}).get("request") for entry in entries]
    doubts = [request.get("groups not given") for request in requests if isinstance(request, Mapping)]
    yield from (f"whose rows are whose: {doubt}" for doubt in dict.fromkeys(doubts) if doubt)
    yield from (f"partial run: {reason}" for reason in ledger["partial"])
    yield from reconcile(ledger)
    asked = {entry["evidence"]["claim"]["name"] for entry in entries}
    kind = kind_of(asked)
    apart = [
        spec
        for spec in TABLE.values()
        if spec.of_this_model
        and spec.name not in asked
        and (spec.needs == "canaries" or (spec.of == kind and (kind == "text" or spec.in_policies)))
    ]
    if apart:
        yield f"not asked: {'; '.join(spec.looks_at or spec.states for spec in apart)}"
    yield f"never covered: {NEVER}"
