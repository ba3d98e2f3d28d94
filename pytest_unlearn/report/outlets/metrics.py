"""Write a run's numbers for tools that compare them: OpenMetrics, and flat JSON.

GitLab shows metrics.txt beside a merge request and compares it by name and labels: neither holds a date or a digest.
`dvc metrics diff` compares metrics.json. Of very many claims they list the gravest, and count all. A number that is
not finite, or that there is none of, is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_unlearn.core.claim_table import SEVERITY
from pytest_unlearn.report import wording
from pytest_unlearn.report.outlets.standing import named

OPEN_METRICS, FLAT = "metrics.txt", "metrics.json"
CLAIM = {
    "proven": "1 where the claim is proven, else 0",
    "severity": "0 PASS, 1 INCONCLUSIVE, 2 FAIL, 3 INVALID",
    "value": "The estimate that decided the claim",
    "low": "Its lower one-sided bound",
    "high": "Its upper one-sided bound",
    "lowest": "The lower limit of the claim",
    "highest": "The upper limit of the claim",
    "leakage_reduction": "How much of what the original showed is gone, at least",
}
RELEASED = "1 where the release gate released, 0 where it blocked; absent where it was not asked"


def numbers(entry: Mapping[str, Any]) -> dict[str, float]:
    """List the numbers of a claim by name."""
    evidence = entry["evidence"]
    estimate, claim = wording.decisive(evidence), evidence["claim"]
    found = {
        "proven": int(wording.is_proven(entry)),
        "severity": SEVERITY[evidence["verdict"]],
        **{name: estimate[name] for name in ("value", "low", "high")},
        **{name: claim.get(name) for name in ("lowest", "highest")},
        "leakage_reduction": (evidence.get("leakage_reduction") or {}).get("low"),
    }
    return {name: value for name, value in found.items() if value is not None}


def totals(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, int]:
    """Count a run's claims, and say whether the gate released."""
    gate = about.get("gate")
    found = {"claims": len(ledger["entries"]), "claims_proven": sum(map(wording.is_proven, ledger["entries"]))}
    return found if gate is None else {"released": int(gate["release"]), **found}


def open_metrics(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Write metrics.txt."""
    return "\n".join([*_lines(ledger, about), "# EOF"]) + "\n"


def _lines(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[str]:
    helps = {"released": RELEASED, "claims": "Claims that were judged", "claims_proven": "Claims that are proven"}
    for name, total in totals(ledger, about).items():
        yield from (f"# TYPE unlearn_{name} gauge", f"# HELP unlearn_{name} {helps[name]}", f"unlearn_{name} {total}")
    rows = named(ledger["entries"])
    for name, text in CLAIM.items():
        samples = [(key, entry, found[name]) for key, entry in rows if name in (found := numbers(entry))]
        if samples:
            yield f"# TYPE unlearn_claim_{name} gauge"
            yield f"# HELP unlearn_claim_{name} {text}"
        for key, entry, value in samples:
            labels = {"claim": entry["evidence"]["claim"]["name"], "key": key}
            written = ",".join(f'{label}="{_escaped(one)}"' for label, one in labels.items())
            yield f"unlearn_claim_{name}{{{written}}} {value:.12g}"


def flat(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, float]:
    """List every number of a run by a name of its own."""
    found: dict[str, float] = dict(totals(ledger, about))
    for key, entry in named(ledger["entries"]):
        found |= {f"{key}.{name}": value for name, value in numbers(entry).items()}
    return found


def flat_json(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Write metrics.json."""
    return json.dumps(flat(ledger, about), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
