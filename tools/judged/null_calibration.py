"""The judged table of honest models: how often whole audits, and each attack alone, accuse a retrained one."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pytest_unlearn.claims.common.findings import AttackFinding
from pytest_unlearn.statistics import clopper_pearson
from tests.worlds.honest import LIMIT, WORLDS

Row = dict[str, Any]
AUDITS = 25  # of a cell
CELLS = range(10 * len(WORLDS))  # 250 audits of each world, in turn
MOST = {"FAIL": 0.05, "INVALID": 0.02}
MOST_FAIL_BOUND = 0.065
NOMINAL = 0.05
LIMITS = {"beyond the limit": LIMIT - 0.5, "beyond one half": 0.0}


def null_calibration(cell: int) -> Row:
    """Honest models, retrained without the request: whole audits at limit .55, and each attack and side by itself.

    A draw has data, a request, an original, references and an audited model of its own. An attack is counted, for each
    side on which it can accuse, where its one-sided 95% bound lies beyond the limit, and where it lies beyond 1/2.
    """
    world = WORLDS[cell % len(WORLDS)]
    draws = range(cell // len(WORLDS) * AUDITS, (cell // len(WORLDS) + 1) * AUDITS)
    verdicts: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    rejected: dict[str, Counter[str]] = {name: Counter() for name in LIMITS}
    accused = []
    for draw in draws:
        evidence, findings = world.audit(draw)
        verdicts[str(evidence.verdict)] += 1
        if str(evidence.verdict) in MOST:
            accused.append(f"draw {draw}: {evidence.verdict}, {evidence.decided_by}: {evidence.reasons[0]}")
        for finding in findings:
            for side in finding.failures if not finding.problem else ():
                tried[key := f"{finding.name}, {side}"] += 1
                for name, margin in LIMITS.items():
                    rejected[name][key] += _beyond(finding, side, margin)
    row: Row = {"world": world.name, "draws": f"{draws[0]} to {draws[-1]}"}
    row |= {verdict: verdicts[verdict] for verdict in ("PASS", "INCONCLUSIVE", *MOST)}
    row |= {"accused": accused, "attacks": _listed(tried)}
    return row | {name: _listed(found) for name, found in rejected.items()}


def _listed(counts: Counter[str]) -> str:
    return "; ".join(f"{key}: {count}" for key, count in counts.items() if count)


def _beyond(finding: AttackFinding, side: str, margin: float) -> bool:
    estimate = finding.estimate
    return estimate.low > 0.5 + margin if side == "high" else estimate.high < 0.5 - margin


def calibration_rule(rows: list[Row]) -> list[tuple[str, bool]]:
    """FAIL and INVALID in every world, and every attack's own rate."""
    total = sum(_audits(row) for row in rows)
    statements = [(f"{total} audits of honest models in {len(WORLDS)} worlds (at least 2,000 in 8)", total >= 2000)]
    for world in WORLDS:
        found = [row for row in rows if row["world"] == world.name]
        audits = sum(map(_audits, found))
        for verdict, most in MOST.items():
            count = sum(row[verdict] for row in found)
            bound = clopper_pearson(count, audits, 1 - NOMINAL, two_sided=False)[1]
            holds = count <= most * audits and (verdict != "FAIL" or bound <= MOST_FAIL_BOUND)
            share = f"{count} of {audits}, {count / audits:.1%} (at most {most:.0%}), 95% upper bound {bound:.1%}"
            statements.append((f"{world.name}: {verdict} {share}", holds))
    for name in LIMITS:
        statements += _by_attack(rows, name)
    return statements


def _by_attack(rows: list[Row], name: str) -> list[tuple[str, bool]]:
    """In no world is an attack beyond the limit surely more often than nominal.

    How often it is beyond one half is told but not judged: bootstraps, and models of the original's seed, differ a
    little from other retrained models, which the limit allows for.
    """
    tried: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        for what in ("attacks", name):
            for entry in row[what].split("; ") if row[what] else ():
                attack, _, count = entry.rpartition(": ")
                tried.setdefault((attack, row["world"]), Counter())[what] += int(count)
    statements = []
    for attack in dict.fromkeys(attack for attack, _ in tried):
        shares = {world: (found[name], found["attacks"]) for (one, world), found in tried.items() if one == attack}
        count, audits = (sum(values) for values in zip(*shares.values(), strict=True))
        world = max(shares, key=lambda world: shares[world][0] / shares[world][1])
        most, of = shares[world]
        surely = clopper_pearson(most, of, 1 - NOMINAL / len(shares), two_sided=False)[0]
        share = f"{count} of {audits}, {count / audits:.1%}; most in {world}, {most} of {of}, {most / of:.1%}"
        holds = surely <= NOMINAL or name == "beyond one half"
        statements.append((f"{name}: {attack}: {share} (nominal {NOMINAL:.0%})", holds))
    return statements


def _audits(row: Row) -> int:
    return sum(row[verdict] for verdict in ("PASS", "INCONCLUSIVE", *MOST))
