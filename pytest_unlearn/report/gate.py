"""Decide the release gate from the ledger: whatever is missing is not a pass.

A PASS counts only where the evidence bears it out. Stored reports are held to the same questions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_unlearn.core import settings
from pytest_unlearn.core.claim_kinds import required_of
from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.core.numbers import portion_at_most
from pytest_unlearn.core.table_view import TableView
from pytest_unlearn.core.variables import CACHE_KEY
from pytest_unlearn.report import baseline, candidate, on_method
from pytest_unlearn.report.excuse import excused as excused
from pytest_unlearn.report.ledger import reconcile

DEFAULT_REQUIRED = required_of("examples")
TEXT_REQUIRED = required_of("text")
LIMITS: Mapping[str, str] = TableView(lambda: {name: spec.limit.setting for name, spec in TABLE.items()})
ROUNDING = 1e-9  # a claim's lower end is stored rounded
MOST_NAMED = 4  # requests that a reason names


@dataclass(frozen=True)
class GateDecision:
    """Release or block; a block has a reason for each objection.

    `notes` are what blocks nothing and is never silent: what was not testable, what nobody requires and was not shown,
    what rests on a cache that no key vouches for, where the baseline can be renewed.
    """

    release: bool
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def explain(self) -> str:
        """Put the decision in words."""
        if self.release:
            return "\n".join(["release: every required claim was proven", *(f"  - {note}" for note in self.notes)])
        return "\n".join(["The release gate blocks:", *(f"  - {reason}" for reason in self.reasons)])


def decide(ledger: Mapping[str, Any], required: Sequence[str]) -> GateDecision:
    """Decide to release only if each required claim is PASS, in tests that passed.

    A test that was skipped, expected to fail, or passed only when it was run again proves nothing; nor does a partial
    run, because the tests left out might be the ones that fail.
    """
    reasons = [f"a partial run cannot satisfy the gate: {reason}" for reason in ledger["partial"]]
    reasons += reconcile(ledger)
    if not required:
        reasons.append("unlearn_require names no claim, so that nothing would be proven")
    for claim in required:
        entries = [entry for entry in ledger["entries"] if entry["evidence"]["claim"]["name"] == claim]
        if not entries:
            reasons.append(f"{_not_proven(claim)}no evidence for the required claim {claim!r}{_seen(ledger)}")
        elif not any(map(candidate.about_release, entries)):
            reasons.append(
                f"{claim} is claimed only of what a property test draws ({entries[0]['nodeid']}), which judges the "
                "method: claim it of the model and the request that are released as well"
            )
        for entry in entries:
            if reason := _objection(claim, entry, ledger["entries"]):
                reasons.append(
                    _not_proven(claim, entry["evidence"]["verdict"])
                    + reason
                    + on_method.next_step(entry["evidence"], required)
                )
    reasons += _refuted(ledger["entries"], required)
    reasons += _other_requests(ledger["entries"])
    reasons += candidate.objections(ledger["entries"])
    reasons += on_method.objections(ledger["entries"], required)
    reasons += ledger.get("release_file_problems", ())
    committed, past = ledger.get("baseline") or {}, ledger.get("history") or {}
    reasons += committed.get("weaker", ())
    reasons += past.get("reasons", ())
    notes = [
        f"{_not_proven(entry['evidence']['claim']['name'])}"
        f"{entry['evidence']['claim']['name']} is not testable here ({entry['nodeid']}): "
        f"{entry['evidence']['not_testable']}"
        for entry in ledger["entries"]
        if excused(entry["evidence"])
    ]
    notes += _left_open(ledger["entries"], required)
    notes += on_method.remarks(ledger["entries"], required)
    notes += [*candidate.remarks(ledger["entries"]), *filter(None, [unsealed(ledger["entries"])])]
    notes += [*past.get("warnings", ()), *past.get("notes", ())]
    if committed.get("stronger"):
        notes.append(baseline.note(committed["stronger"]))
    return GateDecision(release=not reasons, reasons=tuple(reasons), notes=tuple(notes))


def _not_proven(claim: str, verdict: str = "") -> str:
    """Begin a reason in words for readers who know no claim by its name."""
    promise = TABLE[claim].promise if claim in TABLE else ""
    return f"{'refuted' if verdict == 'FAIL' else 'not proven'} that {promise}: " if promise else ""


def unsealed(entries: Sequence[Mapping[str, Any]]) -> str:
    """Say how many claims rest on models from a cache that no key vouches for."""
    found = [(entry["evidence"].get("provenance") or {}).get("origins") for entry in entries]
    count = sum("cache, not sealed" in str(origins) for origins in found)
    if not count:
        return ""
    return (
        f"{count} {'claim rests' if count == 1 else 'claims rest'} on models from a cache that is not sealed with a "
        f"key: whoever can write the cache may have put them there ({CACHE_KEY})"
    )


def _refuted(entries: Sequence[Mapping[str, Any]], required: Sequence[str]) -> Iterator[str]:
    """Yield the claims that nobody requires and that a model was accused in, of which a required claim speaks."""
    about = [one["evidence"] for one in entries if one["evidence"]["claim"]["name"] in required]
    for entry in entries:
        found = entry["evidence"]
        claim, verdict = found["claim"]["name"], found["verdict"]
        accused = claim not in required and verdict in ("FAIL", "INVALID")
        if accused and any(_same_model(found, one) for one in about):
            begin = _not_proven(claim, verdict)
            yield f"{begin}{claim}, which is not required, is {verdict} of the same model in {entry['nodeid']}"


def _left_open(entries: Sequence[Mapping[str, Any]], required: Sequence[str]) -> Iterator[str]:
    """Yield the claims that nobody requires and that were neither shown nor refuted."""
    for entry in entries:
        claim, verdict = entry["evidence"]["claim"]["name"], entry["evidence"]["verdict"]
        if claim not in required and verdict == "INCONCLUSIVE" and not excused(entry["evidence"]):
            yield (
                f"{_not_proven(claim)}{claim}, which is not required, is INCONCLUSIVE in {entry['nodeid']}: only FAIL "
                "and INVALID would block; name it in unlearn_require if a release should need it"
            )


def _other_requests(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield that claims are about different requests; those about a method, and property tests, may try any."""
    found: dict[str, str] = {}
    for entry in entries:
        evidence = entry["evidence"]
        request = (evidence.get("provenance") or {}).get("request")
        judged = candidate.judges_model(entry) and not entry.get("drawn")
        if judged and isinstance(request, Mapping) and request.get("digest"):
            digest, where = str(request["digest"]), request.get("defined in") or "no file that is known"
            about = f"{evidence['claim']['name']} in {entry['nodeid']}"
            found.setdefault(digest, f"{request.get('n')} examples, {digest[:12]}, defined in {where} ({about})")
    if len(found) > 1:
        more = f"; and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        yield (
            f"one release answers one request, and these claims are about {len(found)}: "
            f"{'; '.join(list(found.values())[:MOST_NAMED])}{more}. Judge each request in a run of its own, or "
            "any in a property test, which is about the method"
        )


def _same_model(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two evidences speak of one model: by its digest, without one by its answers to the same examples."""
    ours, theirs = ((evidence.get("provenance") or {}).get("model") or {} for evidence in (one, other))
    if ours.get("digest") or theirs.get("digest"):
        return bool(ours.get("digest") == theirs.get("digest"))
    answers = [model.get("answers") or {} for model in (ours, theirs)]
    common = answers[0].keys() & answers[1].keys()
    return bool(common) and all(answers[0][view] == answers[1][view] for view in common)


def _forgotten(evidence: Mapping[str, Any]) -> Any:
    """Return the digest of the forget set that evidence is about; None without one."""
    return (((evidence.get("provenance") or {}).get("data") or {}).get("forget") or {}).get("digest")


def _objection(claim: str, entry: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> str:
    """Say why an entry does not prove its claim; nothing if it does, or another proves it in its place."""
    verdict, outcome = entry["evidence"]["verdict"], entry["outcome"]
    instead = TABLE[claim].replaced_by if claim in TABLE else ""
    if instead and excused(entry["evidence"]):
        others = [
            one
            for one in entries
            if one["nodeid"] == entry["nodeid"]
            and one["evidence"]["claim"]["name"] == instead
            and _same_model(one["evidence"], entry["evidence"])
            and _forgotten(one["evidence"]) == _forgotten(entry["evidence"]) is not None
        ]
        if others and not any(_objection(instead, one, ()) for one in others):
            return ""
    if verdict != "PASS":
        return f"{claim} is {verdict} in {entry['nodeid']}"
    if outcome != "passed":
        return f"{claim} is PASS in {entry['nodeid']}, but that test ended as {outcome}"
    doubt = next(unproven(entry["evidence"]), "")
    return f"{claim} is PASS in {entry['nodeid']}, but {doubt}" if doubt else ""


def _seen(ledger: Mapping[str, Any]) -> str:
    """List the claims that a ledger has evidence for."""
    names = sorted({entry["evidence"]["claim"]["name"] for entry in ledger["entries"]})
    return f" (this run has evidence for {', '.join(names)})" if names else ""


def unproven(evidence: Mapping[str, Any]) -> Iterator[str]:
    """Yield why evidence cannot be the PASS that it claims to be, a clause each.

    Args:
        evidence: as JSON; large reports leave out parts of it other than claim and estimate.
    """
    claim, estimate = evidence["claim"], evidence["estimate"]
    spec = TABLE.get(claim["name"])
    lowest, highest = claim.get("lowest"), claim.get("highest")
    if lowest is None and highest is None:
        yield "its claim has no limit"
    yield from _beyond("its estimate", estimate, lowest, highest)
    signed = spec is None or not spec.deviations
    if signed and lowest is not None and estimate["low"] is not None and estimate["low"] < lowest - ROUNDING:
        yield f"the lower bound of its estimate, {estimate['low']:g}, is below the limit {lowest:g}"
    if estimate["n_forget"] < 1:
        yield "it rests on no example"
    if not settings.TABLE["confidence"].valid(estimate["confidence"] or 0.0):
        yield f"its confidence is {estimate['confidence']}"
    if spec is not None and (objection := spec.limit.objection(claim)):
        yield objection
    left, most = (
        evidence.get("share_left"),
        (evidence.get("provenance", {}).get("settings") or {}).get("max_share_left"),
    )
    if left:
        yield from _inconsistent("its share left", left, estimate["confidence"])
    elif most is not None and "share_left" in evidence and (evidence.get("controls") or {}).get("original"):
        yield "it does not say how much of what the original showed is left"
    if left and most is not None and (left["high"] is None or left["high"] > most + ROUNDING):
        yield f"{portion_at_most(left['high'])} of what the original showed may be left, and {most:.0%} is allowed"
    attacks = evidence.get("attacks", {})
    for name in evidence.get("deciding", ()):
        if attacks and name not in attacks:
            yield f"the deciding attack {name} is missing"
        elif attacks:
            yield from _beyond(f"the deciding attack {name}", attacks[name], lowest, highest)
    controls = evidence.get("controls", {})
    for control in (controls.get("original"), controls.get("blind"), *controls.get("retrained", ())):
        if isinstance(control, Mapping) and control.get("holds") is not True:
            yield f"its control {control.get('name')} does not hold"


def _inconsistent(what: str, estimate: Mapping[str, Any], confidence: float | None) -> Iterator[str]:
    """Yield where an estimate contradicts itself, or is at another confidence than the claim's."""
    value, low, high = (estimate[name] for name in ("value", "low", "high"))
    if value is None or low is None or high is None or not low - ROUNDING <= value <= high + ROUNDING:
        yield f"{what} is not a number within two bounds"
    if estimate["confidence"] != confidence:
        yield f"{what} is bounded at a confidence of {estimate['confidence']}"


def _beyond(what: str, estimate: Mapping[str, Any], lowest: float | None, highest: float | None) -> Iterator[str]:
    """Yield what puts an estimate beyond the limits, by its upper bound and its value."""
    value, low, high = (estimate[name] for name in ("value", "low", "high"))
    if value is None or low is None or high is None:
        yield f"{what} is not a number with two bounds"
        return
    if not low - ROUNDING <= value <= high + ROUNDING:
        yield f"{what} {value:g} lies outside its interval [{low:g}, {high:g}]"
    if highest is not None and high > highest:
        yield f"the upper bound of {what}, {high:g}, is above the limit {highest:g}"
    if lowest is not None and value < lowest - ROUNDING:
        yield f"{what} {value:g} is below the limit {lowest:g}"
