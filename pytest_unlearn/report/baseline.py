"""Compare what a run asks with what it asked when its baseline was committed.

A gate is weakened in many places: ini options, markers, keywords, a skipped test. The baseline puts all that was asked
into one file, so that asking for less shows where it is reviewed.
"""

from __future__ import annotations

import json
import math
import operator
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pytest_unlearn.core import settings
from pytest_unlearn.core.claim_table import POLICY_NAMES, TABLE
from pytest_unlearn.core.settings import age_seconds
from pytest_unlearn.core.text import printable

FILE = ".unlearn-baseline.json"
VERSION = 1
RENEW = "python -m pytest_unlearn baseline"
EXCUSED = ("skipped", "xfailed", "xpassed", "not run", "not finished")  # not: failed, which weakens no gate
MOST_NAMED = 4

Terms = Mapping[str, Any]


@dataclass(frozen=True)
class Demands:
    """What a gate asks of a release.

    Attributes:
        required: claims that must be proven, by name.
        policy: the bundled policy that must be satisfied.
        max_age: of a report, such as 7d.
        release_files: globs of the files that are released.
        inconclusive: what an INCONCLUSIVE verdict does to its test.
        audits: the terms of each claim of each test that passed, by node id.
    """

    required: tuple[str, ...] = ()
    policy: str | None = None
    max_age: str | None = None
    release_files: tuple[str, ...] = ()
    inconclusive: str = settings.INCONCLUSIVE
    audits: Mapping[str, Sequence[Terms]] = field(default_factory=dict)


class Unreadable(ValueError):  # noqa: N818 - named for the file
    """Raised for a baseline that cannot be read; the message is one sentence."""


def audits(entries: Sequence[Mapping[str, Any]]) -> dict[str, list[Terms]]:
    """List what each test claimed at which terms, if it passed.

    Args:
        entries: of a frozen ledger.
    """
    found: dict[str, list[Terms]] = defaultdict(list)
    for entry in entries:
        if entry["outcome"] == "passed":
            found[entry["nodeid"]].append(_terms(entry["evidence"]))
    return {nodeid: sorted(rows, key=_order) for nodeid, rows in sorted(found.items())}


def _order(terms: Terms) -> str:
    return json.dumps(terms, sort_keys=True)


def _terms(evidence: Mapping[str, Any]) -> Terms:
    """Read off evidence (as JSON) how strictly its claim was judged."""
    claim = evidence["claim"]
    chosen = (evidence.get("provenance") or {}).get("settings") or {}
    terms: dict[str, Any] = {"claim": claim["name"], "confidence": evidence["estimate"]["confidence"]}
    if claim["name"] in TABLE and not (limit := TABLE[claim["name"]].limit).fixed:
        terms[limit.setting] = limit.value(claim)
    terms |= {name: chosen.get(name) for name in ("max_share_left", "require_controls")}
    return {name: value for name, value in terms.items() if isinstance(value, str) or _finite(value)}


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def render(asked: Demands) -> str:
    """Write a baseline: sorted, a value a line, the same for the same gate."""
    document = {"version": VERSION, **asdict(asked)}
    document |= {name: sorted(document[name]) for name in ("required", "release_files")}
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def read(path: Path) -> Demands | None:
    """Read a baseline; None where there is none.

    Raises:
        Unreadable: something is there that is no baseline.
    """
    try:
        if not path.is_file():
            if path.exists() or path.is_symlink():
                raise ValueError("it is no file")
            return None
        return _checked(json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_without_repeats))
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Unreadable(
            f"the baseline {path.name} cannot be read, so that nobody can tell whether this gate is weaker: "
            f"{printable(why)[:200]}. Restore it, or renew it ({RENEW})"
        ) from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name is given twice in one object")
    return dict(pairs)


def _checked(document: Any) -> Demands:
    """Make a baseline of parsed JSON, if it is one."""
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise ValueError(f"it is not a baseline of version {VERSION}")
    names = {*asdict(Demands())}
    if wrong := sorted(names.symmetric_difference({*document} - {"version"})):
        raise ValueError(f"{wrong[0]} is missing or none of its fields")
    for name in ("required", "release_files"):
        if not isinstance(document[name], list) or not all(isinstance(one, str) for one in document[name]):
            raise ValueError(f"{name} is not a list of names")
    for name in ("policy", "max_age", "inconclusive"):
        if document[name] is not None:
            settings.TABLE[name].parse(document[name])
    if not isinstance(document["audits"], dict) or document["inconclusive"] is None:
        raise ValueError("audits or inconclusive is missing")
    for nodeid, rows in document["audits"].items():
        for row in rows if isinstance(rows, list) and rows else [None]:
            if not isinstance(row, dict) or not isinstance(row.get("claim"), str) or not _numbers(row):
                raise ValueError(f"the terms of {nodeid} are no list of claims")
    values = {name: tuple(document[name]) for name in ("required", "release_files")}
    return Demands(**{**{name: document[name] for name in names}, **values})


def _numbers(row: Mapping[str, Any]) -> bool:
    return all(_finite(value) for name, value in row.items() if name != "claim")


def weaker(committed: Demands, present: Demands, ledger: Mapping[str, Any]) -> Iterator[str]:
    """Yield where a run asks less than the committed baseline, a sentence each.

    Args:
        committed: the baseline.
        present: what the run asked; its `audits` are those of `ledger`.
        ledger: what ran.
    """
    yield from _demands(committed, present)
    outcomes = {entry["nodeid"]: entry["outcome"] for entry in ledger["entries"]}
    silent = {row["nodeid"]: row["outcome"] for row in ledger["without_evidence"]}
    failed = set(ledger.get("failed_tests", ()))
    for nodeid, before in committed.audits.items():
        outcome = outcomes.get(nodeid, silent.get(nodeid))
        if outcome is None and nodeid not in failed:
            yield f"the audit {nodeid} did not run, or asserts nothing any more"
        elif outcome in EXCUSED and not (nodeid in outcomes and _inconclusive(nodeid, present, ledger)):
            yield f"the audit {nodeid} is {outcome}"
        elif outcome == "passed":
            yield from _audit(nodeid, before, present.audits.get(nodeid, ()))


def stronger(committed: Demands, present: Demands) -> Iterator[str]:
    """Yield where a run asks more than the committed baseline, a clause each."""
    for text in _demands(present, committed):
        yield text.replace("no longer", "now").replace("(there is", "(there was")
    for nodeid, now in present.audits.items():
        if nodeid not in committed.audits:
            yield f"{nodeid} is an audit"
        else:
            for claim, name, new, old in _looser(now, committed.audits[nodeid]):
                yield f"{nodeid} judges {claim} at {_set(name, new)}, not {_set(name, old)}"


def note(texts: Sequence[str]) -> str:
    """Put into one sentence that the baseline can be renewed."""
    return f"stronger than the baseline, which can be renewed ({RENEW}): {_some(texts)}"


def looser_than_ini(entries: Sequence[Mapping[str, Any]], ini: Mapping[str, float]) -> str:
    """Say which tests allow more than the ini file says; nothing if none does.

    Args:
        entries: of a ledger.
        ini: the limits that are set there, by setting.
    """
    found = []
    for entry in entries:
        terms = _terms(entry["evidence"])
        found += [
            f"{entry['nodeid']} judges {terms['claim']} at {_set(name, terms[name])}, not {_set(name, value)}"
            for name, value in ini.items()
            if name in terms and _direction(terms["claim"], name)(terms[name], value)
        ]
    return (
        f"looser than the ini file, by keyword or marker, which `check` does not accept: {_some(found)}"
        if found
        else ""
    )


def _some(texts: Sequence[str]) -> str:
    more = f"; and {len(texts) - MOST_NAMED} more" if len(texts) > MOST_NAMED else ""
    return "; ".join(texts[:MOST_NAMED]) + more


def _inconclusive(nodeid: str, present: Demands, ledger: Mapping[str, Any]) -> bool:
    """Tell whether a verdict, and the settings, excused a test, not its author."""
    verdicts = [entry["evidence"]["verdict"] for entry in ledger["entries"] if entry["nodeid"] == nodeid]
    return present.inconclusive == "xfail" and "INCONCLUSIVE" in verdicts


def _demands(before: Demands, now: Demands) -> Iterator[str]:
    """Yield what is asked of every run, and no longer is, in words for both directions."""
    for claim in sorted(effective(before) - effective(now)):
        yield f"the claim {claim!r} is no longer required"
    if _rank(now.policy) < _rank(before.policy):
        yield f"the policy {before.policy!r} is no longer asked ({_other(now.policy)})"
    if before.max_age and (not now.max_age or age_seconds(now.max_age) > age_seconds(before.max_age)):
        yield f"a report of at most {before.max_age} is no longer asked ({_other(now.max_age)})"
    for pattern in sorted(set(before.release_files) - set(now.release_files)):
        yield f"the release files {pattern!r} are no longer named"
    if before.inconclusive == "fail" and now.inconclusive != "fail":
        yield f"an INCONCLUSIVE verdict no longer fails its test ({_other(now.inconclusive)})"


def _other(value: str | None) -> str:
    return "there is none" if value is None else f"there is {value!r}"


def effective(asked: Demands) -> set[str]:
    """Return the claims that are required by name or by the policy, of any request."""
    upto = POLICY_NAMES[: _rank(asked.policy) + 1]
    by_policy = {
        name
        for name, spec in TABLE.items()
        if spec.of == "examples"
        and spec.needs in ("", "unlearner")
        and any(name in upto and step.required for name, step in spec.steps.items())
    }
    return {*asked.required, *by_policy}


def _rank(policy: str | None) -> int:
    return -1 if policy is None else POLICY_NAMES.index(policy)


def _audit(nodeid: str, before: Sequence[Terms], now: Sequence[Terms]) -> Iterator[str]:
    """Yield what a test no longer claims, or claims more loosely."""
    for claim in sorted({row["claim"] for row in before}):
        times, left = (sum(row["claim"] == claim for row in rows) for rows in (before, now))
        if left < times:
            yield f"{nodeid} claims {claim} {f'{left} times, not {times}' if left else 'no longer'}"
    for claim, name, old, new in _looser(before, now):
        yield f"{nodeid} judges {claim} at {_set(name, new)}, not {_set(name, old)}"


def _set(name: str, value: float | None) -> str:
    return f"no {name}" if value is None else f"{name}={bool(value) if name == 'require_controls' else value}"


def _looser(before: Sequence[Terms], now: Sequence[Terms]) -> Iterator[tuple[str, str, float, float | None]]:
    """Yield claim, setting and both values where `now` allows more.

    Where a test makes a claim several times, its strictest is compared with the strictest, and so on.
    """
    for claim, name in sorted({(row["claim"], name) for row in before for name in row if name != "claim"}):
        looser = _direction(claim, name)
        was, values = (
            sorted((row[name] for row in rows if row["claim"] == claim and name in row), reverse=looser(0, 1))
            for rows in (before, now)
        )
        silent = [None] * sum(row["claim"] == claim and name not in row for row in now)
        for old, new in zip(was, [*values, *silent], strict=False):
            if new is None or looser(new, old):
                yield claim, name, old, new


def _direction(claim: str, name: str) -> Callable[[Any, Any], bool]:
    """Return whether one value of a setting allows what another does not."""
    if claim in TABLE and TABLE[claim].limit.setting == name:
        return TABLE[claim].limit.looser
    return operator.gt if name == "max_share_left" else operator.lt  # of confidence and require_controls, less
