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
        if judges_model(entry) and not any(subject(entry["evidence"])):
            yield f"{_place(entry)} is a claim about a model that it does not name: {_unnamed(entry['evidence'])}"
    named: dict[str, list[Entry]] = defaultdict(list)
    answers: dict[str, dict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
    hidden = []
    for entry in about_candidate(entries):
        digest, answered = subject(entry["evidence"])
        if digest:
            named[digest].append(entry)
        elif answered:
            hidden.append(entry)
        for question, answer in answered.items():
            answers[question][answer].append(entry)
    if len(named) > 1:
        yield f"claims are about {len(named)} models, and a release is of one: {_listed(named)}"
    for models in answers.values():
        if len(models) > 1:
            yield f"the same examples have {len(models)} answers, and a release is of one model: {_listed(models)}"
    if named and hidden:
        yield (
            f"nothing shows that claims are about one model: {_listed(named)} beside a model without a state that "
            f"could be read ({_places(hidden)})"
        )


def remarks(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield what a reader should know of the candidate and that blocks nothing."""
    apart: list[set[str]] = []  # claims that have no question in common, directly or through others
    for entry in about_candidate(entries):
        asked = set(subject(entry["evidence"])[1])
        if asked:
            met = [one for one in apart if one & asked]
            apart = [*(one for one in apart if one not in met), asked.union(*met)]
    if len(apart) > 1:
        yield "the audited model shows no state that could be read: that all claims are about one is not shown"


def subject(evidence: Mapping[str, Any]) -> tuple[str, Mapping[str, str]]:
    """Return the model's digest; without one, its answers by what it was asked.

    Both are empty where a claim names no model: a digest that is missing, zeroed or of nothing.
    """
    provenance = evidence.get("provenance") or {}
    model, settings = provenance.get("model") or {}, provenance.get("settings") or {}
    if is_digest(model.get("digest")):
        return model["digest"], {}
    if model.get("digest") != "" or not model.get("not identified"):
        return "", {}
    answers = model.get("answers") or {str(_asked_about(provenance)): settings.get("outputs")}
    return "", {question: answer for question, answer in answers.items() if is_digest(answer)}


def about_candidate(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Yield claims about the model that is to be released."""
    for entry in entries:
        expected = entry["evidence"]["verdict"] in ("FAIL", "INVALID") and entry["outcome"] in ("passed", "xfailed")
        if judges_model(entry) and not entry.get("drawn") and not expected:
            yield entry


def about_release(entry: Entry) -> bool:
    """Tell whether a release may rest on a claim: not on what a property test draws."""
    return not (judges_model(entry) and entry.get("drawn"))


def judges_model(entry: Entry) -> bool:
    """Tell whether a claim is about one model, not about a method."""
    spec = TABLE.get(entry["evidence"]["claim"]["name"])
    return spec is None or spec.judges_model


def _asked_about(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name the data that a model answered on, where a report has its answers to all of it alone."""
    data = provenance.get("data") or {}
    return sorted((name, str((part or {}).get("digest"))) for name, part in data.items())


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
