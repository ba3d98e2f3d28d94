"""Remember every run of a candidate: what stops re-running until green.

A history holds a line of JSON a run: digests of the model, the files and the data, the verdicts, the seeds, never an
example. A run writes one before its first test too, and at the first PASS, FAIL, ... so that one that is killed is
remembered; its last line takes their place. A FAIL is certain at its confidence, so that a later PASS of the same model
by other seeds does not take it away. All functions here are pure; `history_file.py` reads and appends.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from pytest_unlearn.core.claim_table import SEVERITY
from pytest_unlearn.core.release_files import is_digest
from pytest_unlearn.core.text import shown
from pytest_unlearn.core.wording import decisive
from pytest_unlearn.report import candidate
from pytest_unlearn.report.json import DIGITS, mapping

VERSION = 1
SHOWN = 16  # of a digest's digits, where it only has to tell suites and questions apart
LONGEST_INTEGER = 18
ACCEPT = "unlearn_accept_failed"
BEGAN = "files at its beginning"  # of a run without an end; known from its first line alone

Entry = Mapping[str, Any]
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Past:
    """What the history says of this run's candidate, a sentence each.

    `reasons` block a release: a FAIL of the same model stands. `warnings` are about the same model and block nothing:
    a FAIL that was accepted, or runs that settled nothing. `notes` are about other models, and about the history.
    """

    run: str = ""
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as the report holds it."""
        return {name: list(part) if isinstance(part, tuple) else part for name, part in asdict(self).items()}


def record(
    ledger: Mapping[str, Any],
    about: Mapping[str, Any],
    run: str,
    decision: str,
    *,
    ended: bool = True,
    tests: Sequence[str] = (),
    failed: Sequence[str] = (),
) -> dict[str, Any]:
    """Make the line of a run.

    Args:
        ledger: what ran.
        about: the facts of the run: tool, time, released files.
        run: a short random name of the run.
        decision: what it came to, in words.
        ended: whether it is over; a run that is killed leaves a line that says it is not.
        tests: names of all tests that were to run, of which a digest is kept.
        failed: what else the run was to do and could not (`log`, `report`), so that it failed whatever was decided.
    """
    entries = ledger["entries"]
    rows = [_row(entry) for entry in entries]
    models, answers = identity(entries)
    return {
        "version": VERSION,
        "run": run,
        "time": about["created"],
        "tool": about["tool"]["version"],
        "commit": str(mapping(about.get("identity")).get("commit") or "")[:64],
        "decision": decision,
        "ended": ended,
        **({"failed": list(failed)} if failed else {}),
        "tests": _digest(sorted(tests)) if tests else "",
        "partial": bool(ledger["partial"]),
        "suite": suite(entries),
        "models": sorted(models),
        "answers": sorted(answers),
        "files": [{"name": row["name"], "sha256": row["sha256"]} for row in about.get("release_files", ())],
        "claims": rows,
    }


def identity(entries: Sequence[Entry]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the digests of the audited models, and of answers where a model has none."""
    models, answers = set(), set()
    for entry in candidate.about_candidate(entries):
        digest, answered = candidate.subject(entry["evidence"])
        models |= {digest} if digest else set()
        answers |= {_digest([question, answer]) for question, answer in answered.items()}
    return frozenset(models), frozenset(answers)


def suite(entries: Sequence[Entry]) -> str:
    """Digest what a run asks: claims, limits, confidence, data; no seeds, no model."""
    asked = {
        json.dumps([row[name] for name in ("claim", "limit", "confidence", "request", "question")])
        for row in map(_row, entries)
    }
    return _digest(sorted(asked))


def parse(text: str) -> tuple[list[Record], int]:
    """Read a history; return its records, and how many lines are none.

    A later line of a run takes the place of those that it wrote before its end, and of its last one where it only adds
    what the run could not do after that.

    Args:
        text: of the file. A run that is killed leaves half a line, and anyone may have written to it.
    """
    records: list[Record] = []
    latest: dict[str, Record] = {}
    broken = 0
    for line in text.split("\n"):
        if line.strip():
            found = _record(line)
            broken += found is None
            if found is not None:
                earlier = latest.get(found["run"])
                if earlier is not None and (not has_ended(earlier) or _only_adds_failures(found, earlier)):
                    records = [one for one in records if one is not earlier]
                    found = found if has_ended(found) else {**found, BEGAN: _files_at_its_beginning(earlier)}
                records.append(found)
                latest[found["run"]] = found
    return records, broken


def _files_at_its_beginning(one: Record) -> Any:
    """Return what was released when a run began: tests may write files anew, so that no verdict is tied to these."""
    return one.get(BEGAN, one["files"])


def _only_adds_failures(new: Record, old: Record) -> bool:
    return {**new, "failed": None} == {**old, "failed": None} and bool(failures(new))


def failures(one: Record) -> tuple[str, ...]:
    """Return what a run was to do besides its tests and could not, so that it failed."""
    named = one.get("failed")
    return tuple(map(str, named)) if isinstance(named, list) else ()


def has_ended(one: Record) -> bool:
    """Tell whether a run wrote its last line; earlier versions wrote no other."""
    return one.get("ended", True) is not False


def past(
    records: Iterable[Record],
    ledger: Mapping[str, Any],
    files: Sequence[Mapping[str, str]] = (),
    accepted: Sequence[str] = (),
    run: str = "",
    tests: Sequence[str] = (),
) -> Past:
    """Say what earlier runs hold against this one.

    Args:
        records: of earlier runs, oldest first.
        ledger: of this run.
        files: that are released, by name and sha256.
        accepted: names of runs whose FAIL was explained, and no longer blocks.
        run: the name of this run.
        tests: that were to run in this one.
    """
    entries = ledger["entries"]
    now = [row for row in map(_row, entries) if row["about"]]
    models, answers = identity(entries)
    released = {row["sha256"] for row in files}
    known = [one for one in records if one["run"] != run or not run]
    same = [(one, row) for one in known for row in _about_model(one, models, answers, released)]
    reasons, warnings = _failed_before(same, now, accepted)
    warnings += _unsettled_before(same, now)
    theirs = [one for one in known if _is_candidate(one, models, answers, released) or _began_with(one, released)]
    asks = frozenset(row["claim"] for row in now)
    warnings += _without_end(_killed(theirs, asks), "of this very model")
    asked = [one for one in known if tests and one.get("tests") == _digest(sorted(tests))]
    asked_alike = [one for one in _killed(asked, asks) if not (one["models"] or one["answers"] or one["files"])]
    notes = [*_without_end(asked_alike, "of the same tests"), *_chosen_among(known, now, models)]
    return Past(run, tuple(reasons), tuple(warnings), tuple(notes))


def _killed(alike: Sequence[Record], asks: frozenset[str]) -> list[Record]:
    """Return the runs without an end that no later whole one answered.

    One whose audits were all skipped, or that asked another claim, answers nothing of what they left open.
    """

    def claims(one: Record) -> set[str]:
        return {row["claim"] for row in one["claims"] if row["about"]}

    whole = [(k, claims(one)) for k, one in enumerate(alike) if has_ended(one) and one.get("partial") is False]
    return [
        one
        for k, one in enumerate(alike)
        if not has_ended(one) and not any(k < at and found and found >= asks | claims(one) for at, found in whole)
    ]


def _without_end(killed: Sequence[Record], what: str) -> Iterator[str]:
    """Yield how many runs began and wrote no end."""
    if killed:
        last, more = killed[-1], len(killed) - 1
        others = f", nor have {more} more" if more > 1 else ", nor has 1 more" if more else ""
        yield (
            f"a run {what} that began on {str(last['time'])[:10]} (run {last['run']}) has no end{others}: it was "
            "killed, or still runs, and what it would have found is not known"
        )


def _is_candidate(one: Record, models: frozenset[str], answers: frozenset[str], files: set[str]) -> bool:
    """Tell whether a run was of the same model, by its digest, its answers or all released files."""
    same_files = bool(files) and files == {row["sha256"] for row in one["files"]}
    return bool(same_files or models & set(one["models"]) or answers & set(one["answers"]))


def _began_with(one: Record, files: set[str]) -> bool:
    """Tell whether a run without an end began with these released files."""
    return bool(files) and files == {row["sha256"] for row in one.get(BEGAN, ())}


def _failed_before(
    same: Sequence[tuple[Record, Entry]], now: Sequence[Entry], accepted: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Sort a candidate's earlier FAILs into those that stand, and those that were accepted or asked otherwise."""
    reasons, warnings = [], []
    failed = [(one, row) for one, row in same if row["verdict"] == "FAIL"]
    for claim, request in dict.fromkeys((row["claim"], row["request"]) for _, row in failed):
        found = [(one, row) for one, row in failed if (row["claim"], row["request"]) == (claim, request)]
        present = [row for row in now if (row["claim"], row["request"]) == (claim, request)]
        if any(row["verdict"] == "FAIL" for row in present):
            continue  # this run says so itself
        standing = [(one, row) for one, row in found if not present or any(_asks_again(row, new) for new in present)]
        refused = [(one, row) for one, row in standing if one["run"] not in accepted]
        if refused:
            verdict = "is " + max((row["verdict"] for row in present), key=SEVERITY.__getitem__) if present else ""
            reasons.append(
                f"{_named(*refused[-1])}{_more(refused)}, under the same suite, and {verdict or 'is not asked'} now: a "
                f"FAIL is not taken away by running again. Release another model or, where that FAIL is explained, "
                f"accept it by name ({ACCEPT} = {', '.join(dict.fromkeys(one['run'] for one, _ in refused))})"
            )
        elif standing:
            warnings.append(f"{_named(*standing[-1])}{_more(standing)}, under the same suite; accepted by {ACCEPT}")
        else:
            differs = _differs(found[-1][1], present[-1])
            warnings.append(f"{_named(*found[-1])}{_more(found)}, with {differs}")
    return reasons, warnings


def _unsettled_before(same: Sequence[tuple[Record, Entry]], now: Sequence[Entry]) -> list[str]:
    """List claims that pass after runs of the same candidate and suite that settled nothing."""
    found = []
    for new in now:
        earlier = [row for _, row in same if row["claim"] == new["claim"] and _asks_again(row, new)]
        counts = Counter(row["verdict"] for row in earlier if row["verdict"] in ("INCONCLUSIVE", "INVALID"))
        if counts and new["verdict"] == "PASS":
            told = " and ".join(f"{verdict} {times}" for verdict, times in sorted(counts.items()))
            plural = "time" if sum(counts.values()) == 1 else "times"
            found.append(
                f"{new['claim']} of this model was {told} {plural} before under the same suite: a confidence of "
                f"{new['confidence']:.0%} holds for one run, not for the best of several"
            )
    return list(dict.fromkeys(found))


def _chosen_among(records: Sequence[Record], now: Sequence[Entry], models: frozenset[str]) -> Iterator[str]:
    """Yield how many other models were judged for the same request, if one failed."""
    requests = {row["request"] for row in now if row["request"]}
    judged, failed = set(), set()
    for one in records:
        rows = [row for row in one["claims"] if row["request"] in requests and row["about"]]
        judged |= set(one["models"]) if rows else set()
        failed |= set(one["models"]) if any(row["verdict"] == "FAIL" for row in rows) else set()
    if failed - models:
        many, bad = len(judged - models), len(failed - models)
        yield (
            f"for this request {many} other {'model was' if many == 1 else 'models were'} judged before, {bad} of "
            f"{'it' if many == 1 else 'them'} FAIL: this one was chosen among them"
        )


def _about_model(one: Record, models: frozenset[str], answers: frozenset[str], files: set[str]) -> Iterator[Entry]:
    """Yield a run's claims about the same model: by its digest, its answers, or all released files.

    What a test expected to fail counts where it was this very model. Claims about a method are about the run's model.
    """
    same_files = bool(files) and files == {row["sha256"] for row in one["files"]}
    same_run = _is_candidate(one, models, answers, files)
    for row in one["claims"]:
        named = row["model"] in models if row["model"] else bool(answers & set(row["answers"]))
        anonymous = not row["model"] and not row["answers"]
        if named or (row["about"] and (same_files or (same_run and anonymous))):
            yield row


def _asks_again(old: Entry, new: Entry) -> bool:
    """Tell whether a claim asks of the same data what an earlier one did, or more."""
    within = all(_within(new["limit"][side], old["limit"][side], side) for side in (0, 1))
    return bool(old["question"] and old["question"] == new["question"] and old["request"] == new["request"] and within)


def _within(new: float | None, old: float | None, side: int) -> bool:
    """Tell whether a limit is as narrow as another on one side (0 low, 1 high)."""
    open_end = -math.inf if side == 0 else math.inf
    ours, theirs = (open_end if end is None else end for end in (new, old))
    return ours >= theirs if side == 0 else ours <= theirs


def _differs(old: Entry, new: Entry) -> str:
    if not old["question"] or not new["question"]:
        return "data that have no digest"
    return "other data" if old["question"] != new["question"] else "other limits"


def _named(one: Record, row: Entry) -> str:
    seed = "" if row["seed"] is None else f", seed {row['seed']}"
    return (
        f"{row['claim']} was FAIL of this very model on {str(one['time'])[:10]} (run {one['run']}{seed}, {row['test']})"
    )


def _more(found: Sequence[Any]) -> str:
    runs = len({one["run"] for one, _ in found}) - 1
    return f" and in {runs} more run{'' if runs == 1 else 's'}" if runs > 0 else ""


def _row(entry: Entry) -> dict[str, Any]:
    """Make a claim's row of a record."""
    evidence = entry["evidence"]
    claim, estimate, facts = evidence["claim"], decisive(evidence), mapping(evidence.get("provenance"))
    seed = mapping(facts.get("task")).get("seed", facts.get("seed"))
    judged = candidate.judges_model(entry) and not entry.get("drawn")  # a property test draws another model a request
    model, answered = candidate.subject(evidence) if judged else ("", {})
    return {
        "claim": claim["name"],
        "test": entry["nodeid"],
        "verdict": evidence["verdict"],
        "outcome": entry["outcome"],
        **{name: _rounded(estimate[name]) for name in ("value", "low", "high")},
        "limit": [claim.get("lowest"), claim.get("highest")],
        "confidence": estimate["confidence"],
        "seed": seed if isinstance(seed, int) else None,
        "request": str(mapping(facts.get("request")).get("digest") or "")[:SHOWN],
        "question": question(facts),
        # What a test expects to fail, or draws, is no verdict on the candidate.
        "about": not entry.get("drawn") and (not judged or any(candidate.about_candidate([entry]))),
        "model": model,
        "answers": sorted(_digest([name, answer]) for name, answer in answered.items()),
    }


def question(provenance: Mapping[str, Any]) -> str:
    """Digest the data that a claim is about; empty where any of it has no digest."""
    data = {name: mapping(part).get("digest") for name, part in mapping(provenance.get("data")).items()}
    return _digest(sorted(data.items())) if data and all(isinstance(one, str) for one in data.values()) else ""


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:SHOWN]


def _rounded(value: Any) -> Any:
    return round(value, DIGITS) if isinstance(value, float) else value


NUMBER = (int, float, type(None))
FIELDS: Mapping[str, Any] = {"run": str, "time": str, "decision": str, "suite": str, "claims": list, "models": list,
                             "answers": list, "files": list}  # fmt: skip
ROW: Mapping[str, Any] = {"claim": str, "test": str, "verdict": str, "outcome": str, "value": NUMBER, "low": NUMBER,
                          "high": NUMBER, "limit": list, "confidence": (int, float), "seed": (int, type(None)),
                          "request": str, "question": str, "about": bool, "model": str, "answers": list}  # fmt: skip


def _record(line: str) -> Record | None:
    """Read a line; None if it is no record of a run."""
    try:
        found = json.loads(line, parse_constant=_refuse, parse_float=_finite, parse_int=_countable)
    except (ValueError, RecursionError):
        return None
    if not _has(found, FIELDS) or found.get("version") != VERSION or len(found["run"]) > 64:
        return None
    rows = found["claims"]
    sound = all(
        _has(row, ROW)
        and row["verdict"] in SEVERITY
        and len(row["limit"]) == 2
        and all(isinstance(end, NUMBER) for end in row["limit"])
        for row in rows
    )
    digests = [*found["models"], *found["answers"], *(digest for row in rows if sound for digest in row["answers"])]
    sound = sound and all(isinstance(digest, str) for digest in digests)
    sound = sound and all(
        _has(row, {"name": str, "sha256": str}) and is_digest(row["sha256"]) for row in found["files"]
    )
    return {name: part for name, part in shown(found).items() if name != BEGAN} if sound else None


def _has(value: Any, fields: Mapping[str, Any]) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name, ...), kind) for name, kind in fields.items())


def _finite(text: str) -> float:
    return float(text) if math.isfinite(float(text)) else _refuse(text)


def _countable(text: str) -> int:
    return int(text) if len(text) <= LONGEST_INTEGER else _refuse(text)


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text[:LONGEST_INTEGER]} is no number that a run would write")
