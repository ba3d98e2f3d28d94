"""Read a stored report.json back; refuse what is no report or contradicts itself."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn

from pytest_unlearn.cli.console import Unusable, one_line
from pytest_unlearn.report import consistency
from pytest_unlearn.report.gate import unproven
from pytest_unlearn.report.json import SCHEMA_VERSION
from pytest_unlearn.report.ledger import count

Document = Mapping[str, Any]

LONGEST_INTEGER = 18


def load(path: Path) -> Document:
    """Read a report.

    Args:
        path: of a report.json.

    Returns:
        The document, valid under the shipped schema and consistent with itself.

    Raises:
        Unusable: it cannot be read, is no such report, or contradicts itself.
    """
    document = read(path)
    found = next(contradictions(document), None)
    if found:
        raise Unusable(f"{path} contradicts itself, so that nothing in it can be trusted: {found}")
    return document


def read(path: Path) -> Document:
    """Read a report that may contradict itself.

    Raises:
        Unusable: it cannot be read, or is no such report.
    """
    document = parse(path)
    if not isinstance(document, dict):
        raise Unusable(f"{path} is not a report: it holds no JSON object")
    version = document.get("schema_version")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise Unusable(
            f"{path} is not a report that this version can read: its schema_version is {_short(version)}, not "
            f"{SCHEMA_VERSION}"
        )
    problem = _invalid(document)
    if problem:
        raise Unusable(f"{path} is not a valid report: {problem}")
    return document


def ledger(document: Document) -> dict[str, Any]:
    """Rebuild the ledger that a report was made from, with counts made afresh."""
    return {
        "entries": document["claims"],
        "counts": counts(document),
        "without_evidence": document["without_evidence"],
        "failed_tests": document.get("failed_tests", []),
        "crashed_workers": document["crashed_workers"],
        "lost": document["lost"],
        "partial": document["partial_reasons"],
        "release_file_problems": document.get("release_file_problems", []),
        "baseline": document.get("baseline", {}),
        "history": document.get("history", {}),
    }


def counts(document: Document) -> dict[str, int]:
    """Count what the report lists."""
    claims = document["claims"]
    return {"planned": len(claims) + len(document["without_evidence"]), **count(claims)}


def required(document: Document) -> list[str] | None:
    """List the claims that the report's own gate required; None if it has none."""
    names = (document["gate"] or {}).get("required")
    return None if names is None else [str(name) for name in names]


def contradictions(document: Document) -> Iterator[str]:
    """Yield where a valid report contradicts itself, a sentence each."""
    yield from _miscounted(document, count(document["claims"]))
    if document["partial"] != bool(document["partial_reasons"]):
        yield f"partial is {str(document['partial']).lower()} with {len(document['partial_reasons'])} reason(s) for it"
    yield from _gate(document["gate"])
    outcomes: dict[str, str] = {}
    for entry in document["claims"]:
        if outcomes.setdefault(entry["nodeid"], entry["outcome"]) != entry["outcome"]:
            yield f"{entry['nodeid']} ended as {outcomes[entry['nodeid']]} and as {entry['outcome']}"
        if entry["evidence"]["verdict"] == "PASS":
            about = f"{entry['evidence']['claim']['name']} is PASS in {entry['nodeid']}, but "
            yield from (about + problem for problem in unproven(entry["evidence"]))
            yield from (about + problem for problem in consistency.contradictions(entry["evidence"]))
    silent = Counter(row["nodeid"] for row in document["without_evidence"])
    for nodeid, times in silent.items():
        if times > 1:
            yield f"{nodeid} is listed {times} times as a test without evidence"
        if nodeid in outcomes:
            yield f"{nodeid} is listed both with and without evidence"
    yield from _miscounted(document, counts(document))


def _miscounted(document: Document, found: Mapping[str, int]) -> Iterator[str]:
    for word, number in found.items():
        if document["counts"].get(word, 0) != number:
            yield f"it counts {document['counts'].get(word, 0)} {word} and lists {number}"


def _gate(gate: Mapping[str, Any] | None) -> Iterator[str]:
    if gate is None:
        return
    if gate["release"] == bool(gate["reasons"]):
        yield f"its gate {'released' if gate['release'] else 'blocked'} with {len(gate['reasons'])} reason(s) to block"
    names = gate.get("required", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        yield "the claims that its gate required are not a list of names"


def parse(path: Path) -> Any:
    """Read JSON strictly: no name twice in an object, no number that is none."""
    try:
        text = path.read_text(encoding="utf-8")
        numbers: dict[str, Any] = {"parse_float": _finite, "parse_int": _countable, "parse_constant": _no_number}
        return json.loads(text, object_pairs_hook=_without_repeats, **numbers)
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror or one_line(error)}") from None
    except RecursionError:
        raise Unusable(f"{path} is not a report: it is nested too deeply") from None
    except ValueError as error:  # not UTF-8, not JSON, or a value that no report holds
        raise Unusable(f"{path} is not a report: {one_line(error)}") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = Counter(name for name, _ in pairs)
    repeated = [name for name, times in names.items() if times > 1]
    if repeated:
        raise ValueError(f"the name {_short(repeated[0])} is given twice in one object")
    return dict(pairs)


def _finite(text: str) -> float:
    if not math.isfinite(float(text)):
        _no_number(text)
    return float(text)


def _countable(text: str) -> int:
    if len(text) > LONGEST_INTEGER:
        _no_number(text)
    return int(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{_short(text)} is not a number that a report can hold")


def _invalid(document: Document) -> str:
    """Say what the schema objects to, in one line; nothing if it does not."""
    import jsonschema

    schema = json.loads(resources.files("pytest_unlearn.report").joinpath("schema/report-v1.json").read_text("utf-8"))
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(document))
    if error is None:
        return ""
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path).lstrip(".")
    message = " ".join(error.message.split())
    # A message begins with the offending value, which may be a whole report.
    told = message if len(message) <= 160 else f"it does not fit the schema's {error.validator!r}"
    return f"{where or 'the document'}: {told}"


def _short(value: Any) -> str:
    return repr(value)[:60]
