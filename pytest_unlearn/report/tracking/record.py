"""What is logged of a run, whatever the service: tags, numbers, files."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_unlearn.report import wording
from pytest_unlearn.report.decision import decision_of
from pytest_unlearn.report.outlets import metrics
from pytest_unlearn.report.outlets.standing import models, named

PREFIX = "unlearn."
LONGEST_NAME = 250
PAGE, REPORT = "index.html", "report.json"
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_\-./ ]")


@dataclass(frozen=True)
class Logged:
    """A run as a tracking service takes it.

    Attributes:
        tags: what a run and a model version are labelled with.
        metrics: numbers by name.
        files: the report's texts by name.
    """

    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    files: Mapping[str, str]


def record(ledger: Mapping[str, Any], about: Mapping[str, Any], files: Mapping[str, str]) -> Logged:
    """Make what is logged of a run.

    Args:
        ledger: what ran.
        about: the facts of the run.
        files: the texts of its report. A page with pictures of forget examples stays here: it was asked for on this
            machine, and not where others keep it.
    """
    pictured = any(row.get("pixels") for e in ledger["entries"] for row in e["evidence"].get("most_exposed", ()))
    kept = {name: text for name, text in files.items() if not (pictured and name == PAGE)}
    return Logged(_tags(ledger, about, files.get(REPORT, "")), _metrics(ledger, about), kept)


def _tags(ledger: Mapping[str, Any], about: Mapping[str, Any], report: str) -> dict[str, str]:
    past, digests = about.get("history") or {}, models(ledger["entries"])
    found = {
        "decision": decision_of(about.get("gate")),
        "says": wording.conclusion(ledger, about.get("gate"))[1],
        "created": about["created"],
        "tool": f"{about['tool']['name']} {about['tool']['version']}",
        "report": hashlib.sha256(report.encode("utf-8", "backslashreplace")).hexdigest() if report else "",
        "model": ", ".join(digests),
        "files": ", ".join(f"{row['name']} {row['sha256']}" for row in about.get("release_files", ())),
        "history": "; ".join([*past.get("reasons", ()), *past.get("warnings", ())]),
    }
    claims = {f"verdict.{key}": wording.word(entry["evidence"]) for key, entry in _renamed(ledger)}
    return {PREFIX + name: value for name, value in {**found, **claims}.items() if value}


def _metrics(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, float]:
    found = {name: float(total) for name, total in metrics.totals(ledger, about).items()}
    for key, entry in _renamed(ledger):
        found |= {f"{key}.{name}": float(value) for name, value in metrics.numbers(entry).items()}
    return {PREFIX + name: value for name, value in found.items()}


def _renamed(ledger: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """List claims by names that every service takes; two that become one are numbered."""
    seen: Counter[str] = Counter()
    rows = []
    for key, entry in named(ledger["entries"]):
        name = NOT_IN_NAMES.sub("_", key)[: LONGEST_NAME - 60].strip()
        seen[name] += 1
        rows.append((name if seen[name] == 1 else f"{name}_{seen[name]}", entry))
    return rows
