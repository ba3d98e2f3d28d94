"""One release candidate: all claims about a model are about the same one.

A model is named by the digest of all that decides its answers or, where it shows no state, by that of its answers.
Claims about a method judge no single model, and a property test judges another one for each request that it draws. A
control is no claim about the candidate: what a test expects to fail in another model proves nothing of this one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.core.release_files import is_digest

Entry = Mapping[str, Any]
SHOWN = 12  # of a digest's digits
MOST_NAMED = 3


def objections(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield why entries do not speak of one model, a sentence each.

    Args:
        entries: of a ledger, some of which may be about methods.
    """
    for entry in entries:
        if _judges_model(entry) and not any(subject(entry["evidence"])):
            yield f"{_place(entry)} is a claim about a model that it does not name: {_unnamed(entry['evidence'])}"
    named: dict[str, list[Entry]] = defaultdict(list)
    answering: dict[Any, dict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
    for entry in _about_candidate(entries):
        digest, answers = subject(entry["evidence"])
        if digest:
            named[digest].append(entry)
        elif answers:
            answering[_asked_about(entry["evidence"])][answers].append(entry)
    if len(named) > 1:
        yield f"claims are about {len(named)} models, and a release is of one: {_listed(named)}"
    for models in answering.values():
        if len(models) > 1:
            yield f"one question has {len(models)} answers, and a release is of one model: {_listed(models)}"
    if named and answering:
        hidden = [entry for models in answering.values() for found in models.values() for entry in found]
        yield (
            f"nothing shows that claims are about one model: {_listed(named)} beside a model without a state that "
            f"could be read ({_places(hidden)})"
        )


def remarks(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield what a reader should know of the candidate and that blocks nothing."""
    questions = {
        _asked_about(entry["evidence"])
        for entry in _about_candidate(entries)
        if (found := subject(entry["evidence"]))[1] and not found[0]
    }
    if len(questions) > 1:
        yield "the audited model shows no state that could be read: that all claims are about one is not shown"


def subject(evidence: Mapping[str, Any]) -> tuple[str, str]:
    """Return the model's digest, and that of its answers where it has no other.

    Both are empty where a claim names no model: a digest that is missing, zeroed or of nothing.
    """
    provenance = evidence.get("provenance") or {}
    model, settings = provenance.get("model") or {}, provenance.get("settings") or {}
    if is_digest(model.get("digest")):
        return model["digest"], ""
    hidden = model.get("digest") == "" and bool(model.get("not identified"))
    return "", settings["outputs"] if hidden and is_digest(settings.get("outputs")) else ""


def _about_candidate(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Yield claims about the model that is to be released."""
    for entry in entries:
        expected = entry["evidence"]["verdict"] in ("FAIL", "INVALID") and entry["outcome"] in ("passed", "xfailed")
        if _judges_model(entry) and not entry.get("drawn") and not expected:
            yield entry


def _judges_model(entry: Entry) -> bool:
    spec = TABLE.get(entry["evidence"]["claim"]["name"])
    return spec is None or spec.judges_model


def _asked_about(evidence: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Name the data that a model answered on."""
    data = (evidence.get("provenance") or {}).get("data") or {}
    return tuple(sorted((name, str((part or {}).get("digest"))) for name, part in data.items()))


def _unnamed(evidence: Mapping[str, Any]) -> str:
    digest = ((evidence.get("provenance") or {}).get("model") or {}).get("digest")
    return "its digest is missing" if not digest else f"{str(digest)[:SHOWN]!r} is no digest of it"


def _listed(models: Mapping[str, Sequence[Entry]]) -> str:
    return "; ".join(f"{digest[:SHOWN]} ({_places(found)})" for digest, found in sorted(models.items()))


def _places(entries: Sequence[Entry]) -> str:
    places = list(dict.fromkeys(_place(entry) for entry in entries))
    more = f" and {len(places) - MOST_NAMED} more" if len(places) > MOST_NAMED else ""
    return ", ".join(places[:MOST_NAMED]) + more


def _place(entry: Entry) -> str:
    return f"{entry['evidence']['claim']['name']} in {entry['nodeid']}"
