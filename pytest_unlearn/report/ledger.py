"""Collect what every test claimed, found and ended as, planned ones too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_unlearn.core.text import shown
from pytest_unlearn.report.excuse import excused

WORDS = {"PASS": "passed", "FAIL": "failed", "INCONCLUSIVE": "inconclusive", "INVALID": "invalid"}

OWN = "unlearn::"  # entries that the plugin adds itself: the gate, a report that could not be written

# A test reports several times (setup, call, teardown, tries of a rerun, subtests): the latest in this order stands.
OUTCOMES = ("passed", "xpassed", "skipped", "xfailed", "rerun", "failed", "error")


@dataclass
class Ledger:
    """Collect what tests report; `freeze` gives what gate and renderers read."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    planned: set[str] = field(default_factory=set)
    suspected: set[str] = field(default_factory=set)
    recorded: int = 0
    deselected: int = 0
    crashed_workers: int = 0
    partial: list[str] = field(default_factory=list)

    def plan(self, marked: Iterable[str], suspected: Iterable[str] = ()) -> None:
        """Note the tests about to run that are marked as audits, or look like them."""
        self.planned.update(marked)
        self.suspected.update(suspected)

    def narrow(self, reason: str) -> None:
        """Note once why this run may have left audits out."""
        if reason not in self.partial:
            self.partial.append(reason)

    def add(
        self, nodeid: str, outcome: str | None, evidences: Iterable[Mapping[str, Any]] = (), seconds: float = 0.0
    ) -> None:
        """Merge one report of a test; a phase that decides nothing has the outcome None."""
        self.seconds[nodeid] = self.seconds.get(nodeid, 0.0) + seconds
        if outcome is not None:
            self.outcomes[nodeid] = max(self.outcomes.get(nodeid, outcome), outcome, key=OUTCOMES.index)
        for evidence in evidences:
            rest = {key: value for key, value in evidence.items() if key not in ("count", "drawn")}
            drawn = {"drawn": True} if evidence.get("drawn") else {}
            self.entries.append({"nodeid": nodeid, "count": evidence.get("count", 1), **drawn, "evidence": rest})

    def merge_worker(self, output: Mapping[str, Any]) -> None:
        """Merge a finished xdist worker's notes; every worker deselects the same."""
        self.plan(output["planned"], output.get("suspected", ()))
        self.recorded += output["recorded"]
        self.deselected = max(self.deselected, output["deselected"])
        for reason in output.get("partial", ()):
            self.narrow(reason)

    def freeze(self) -> dict[str, Any]:
        """Return plain data, fit to be shown, in an order that is not that of workers."""
        entries = [
            {
                **entry,
                "outcome": self.outcomes.get(entry["nodeid"], "not finished"),
                "seconds": round(self.seconds[entry["nodeid"]], 3) or None,
            }
            for entry in sorted(self.entries, key=lambda entry: str(entry["nodeid"]))
        ]
        without_evidence = self._without_evidence({entry["nodeid"] for entry in entries})
        frozen = {
            "entries": entries,
            "counts": {"planned": len(entries) + len(without_evidence), **count(entries)},
            "without_evidence": without_evidence,
            "failed_tests": self._failed({row["nodeid"] for row in (*entries, *without_evidence)}),
            "crashed_workers": self.crashed_workers,
            "lost": max(0, self.recorded - len(entries)),
            "partial": self._partial(),
        }
        return dict(shown(frozen))

    def _without_evidence(self, seen: set[str]) -> list[dict[str, Any]]:
        """List marked tests without evidence, and lookalikes that did not plainly pass."""
        rows = [
            {"nodeid": nodeid, "outcome": self.outcomes.get(nodeid, "not run"), "marked": nodeid in self.planned}
            for nodeid in sorted((self.planned | self.suspected) - seen)
        ]
        return [row for row in rows if row["marked"] or row["outcome"] != "passed"]

    def _failed(self, told: set[str]) -> list[str]:
        """List other tests that failed: nothing may say that the run passed."""
        failed = {nodeid for nodeid, outcome in self.outcomes.items() if outcome in ("failed", "error")}
        return sorted(nodeid for nodeid in failed - told if not nodeid.startswith(OWN))

    def _partial(self) -> list[str]:
        if not self.deselected:
            return list(self.partial)
        return [*self.partial, f"{self.deselected} test{'s were' if self.deselected > 1 else ' was'} deselected"]


def count(entries: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Count the claims, and those of each verdict."""
    counts = {"claims": 0, **dict.fromkeys(WORDS.values(), 0)}
    for entry in entries:
        counts["claims"] += 1
        evidence = entry["evidence"]
        if excused(evidence):
            counts["not_testable"] = counts.get("not_testable", 0) + 1
        else:
            counts[WORDS[evidence["verdict"]]] += 1
    return counts


def reconcile(ledger: Mapping[str, Any]) -> list[str]:
    """Say what was planned or recorded and is missing here, a sentence each."""
    problems = [
        f"{row['nodeid']} {'is marked as' if row.get('marked', True) else 'looks like'} an audit but ended without any "
        f"evidence ({row['outcome']})"
        for row in ledger["without_evidence"]
    ]
    if ledger["crashed_workers"]:
        many = ledger["crashed_workers"] > 1
        who, what = ("workers", "the tests they") if many else ("worker", "the test it")
        problems.append(f"{ledger['crashed_workers']} {who} crashed; evidence of {what} ran is lost")
    failed = ledger.get("failed_tests", [])
    if failed:
        others = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        problems.append(f"the run failed beside its audits: {failed[0]}{others}")
    if ledger["lost"]:
        problems.append(f"{ledger['lost']} recorded evidence(s) never reached the report")
    return problems
