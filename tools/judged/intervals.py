"""Error rates of the AUC's bounds where units are few: small classes, people of unequal size, rules of verdicts.

A bound misses where the true value lies beyond it; nominal is 5% a side. Where the estimate of a variance rests on
three controls its bounds are wide on purpose, and miss less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.claims.common.findings import evaluate_attacks, judge_attacks
from pytest_unlearn.core.evidence import Answers, FloatArray, IntArray, Outputs
from pytest_unlearn.statistics import auc_difference, auc_measure, can_certify, least_limit, null_precision
from pytest_unlearn.statistics.quantiles import quantile

NOMINAL = 0.05
SIMULATIONS = 10_000
AUDITS = 400
Row = dict[str, Any]
Sample = tuple[FloatArray, FloatArray]


@dataclass(frozen=True, kw_only=True)
class SmallClasses:
    """Equal-variance normal scores (unless `spread`), 400 forget examples and 400 controls, in classes.

    A share `rare` of the forget set lies evenly in `classes` classes of `controls` controls each, the rest in one.
    `step` rounds the scores, so that they tie. `references` makes it a paired difference to that many of them, `rest`
    being how much the model's own noise varies outside the rare classes.
    """

    rare: float
    controls: int
    classes: int = 1
    auc: float = 0.5
    spread: float = 1.0
    step: float = 0.0
    references: int = 0
    rest: float = 1.0

    @property
    def name(self) -> str:
        """What differs from the plain case."""
        kind = f"{self.rare:.0%} in {self.classes} x {self.controls} controls, AUC {self.auc:g}"
        kind += f", forget sd {self.spread:g}" if self.spread != 1.0 else ""
        kind += f", rounded to {self.step:g}" if self.step else ""
        return kind + (f", against {self.references} references, sd {self.rest:g} elsewhere" if self.references else "")

    @property
    def truth(self) -> float:
        """The AUC; a rounded score keeps it at one half."""
        return self.auc

    def strata(self) -> tuple[IntArray, IntArray]:
        """Return the class of each forget example and control."""
        each = round(400 * self.rare / self.classes)
        sides = [np.repeat(np.arange(1, self.classes + 1), k) for k in (each, self.controls)]
        ours, theirs = (np.concatenate([side, np.zeros(400 - side.size, dtype=np.int64)]) for side in sides)
        return ours, theirs

    def bounds(self, rng: np.random.Generator) -> tuple[float, float]:
        """Draw scores and bound their AUC."""
        ours, theirs = self.strata()
        strata = {"forget_strata": ours, "control_strata": theirs}
        if self.references:
            rows = [
                rng.normal(0, 2, 400) + np.where(side > 0, 1.0, self.rest) * rng.normal(size=(self.references + 1, 400))
                for side in (ours, theirs)
            ]
            estimate = auc_difference(rows[0][0], rows[1][0], rows[0][1:], rows[1][1:], **strata).at(1 - NOMINAL)
            return estimate.low, estimate.high
        shift = math.hypot(1.0, self.spread) * special.ndtri(self.auc)
        forget, controls = rng.normal(shift, self.spread, 400), rng.normal(size=400)
        if self.step:
            forget, controls = (np.round(side / self.step) * self.step for side in (forget, controls))
        estimate = auc_measure(forget, controls, **strata).at(1 - NOMINAL)
        return estimate.low, estimate.high


@dataclass(frozen=True, kw_only=True)
class People:
    """Scores with an effect of each person on all examples of it, `effect` times as large as an example's own noise.

    `sizes` are "equal" (4 examples each), "unequal" (exponential, mean 4) or "heavy" (Pareto, at most 60); everybody is
    on both sides if `both`, and on one otherwise. With `strata` everybody has examples in each of three classes.
    """

    forget: int
    controls: int
    sizes: str = "equal"
    both: bool = False
    effect: float = 1.0
    strata: bool = False
    truth: float = 0.5

    @property
    def name(self) -> str:
        """Who there is."""
        where = " on both sides" if self.both else ""
        return (
            f"{self.forget} and {self.controls} people{where}, {self.sizes}, effect {self.effect:g}"
            f"{', 3 classes each' if self.strata else ''}"
        )

    def _people(self, count: int, rng: np.random.Generator) -> IntArray:
        if self.sizes == "equal":
            each = np.full(count, 4.0)
        else:
            each = rng.exponential(4, count) if self.sizes == "unequal" else 2 * rng.pareto(1.5, count) + 1
        return np.repeat(np.arange(count), np.clip(np.round(each), 1, 60).astype(int))

    def bounds(self, rng: np.random.Generator) -> tuple[float, float]:
        """Draw scores and bound their AUC."""
        fixed = np.random.default_rng(5)
        ours = self._people(self.forget, fixed)
        theirs = self._people(self.controls, fixed) + (0 if self.both else self.forget)
        effect = rng.normal(0, self.effect, self.forget + self.controls)
        forget, controls = (effect[side] + rng.normal(size=side.size) for side in (ours, theirs))
        groups: dict[str, Any] = {"forget_groups": ours, "control_groups": theirs}
        if self.strata:
            groups |= {"forget_strata": np.arange(ours.size) % 3, "control_strata": np.arange(theirs.size) % 3}
        estimate = auc_measure(forget, controls, **groups).at(1 - NOMINAL)
        return estimate.low, estimate.high


@dataclass(frozen=True, kw_only=True)
class Plain:
    """Normal scores without strata or groups."""

    forget: int
    controls: int
    truth: float

    @property
    def name(self) -> str:
        """How many there are."""
        return f"{self.forget} and {self.controls} examples, AUC {self.truth:g}"

    def bounds(self, rng: np.random.Generator) -> tuple[float, float]:
        """Draw scores and bound their AUC."""
        shift = math.sqrt(2.0) * special.ndtri(self.truth)
        estimate = auc_measure(rng.normal(shift, 1, self.forget), rng.normal(size=self.controls)).at(1 - NOMINAL)
        return estimate.low, estimate.high


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Whole audits by the deciding set, of models whose logits are drawn (`tests/worlds/simulated.py`, four classes).

    `rare` puts a share of the forget set into a class of so many controls. The limit is one half ("forgotten": any FAIL
    is false), that at which `plan` gives an attack a chance of 80%, or with a `boost` the mean AUC of the attack that
    finds most, which a FAIL would have to exceed.
    """

    forget: int
    controls: int
    limit: str
    references: int = 4
    rare: tuple[float, int] | None = None
    difficulty: float = 2.0
    boost: float = 0.0

    @property
    def name(self) -> str:
        """Which audits."""
        rare = f", {self.rare[0]:.0%} in a class of {self.rare[1]} controls" if self.rare else ""
        boost = f", boost {self.boost:g}" if self.boost else ""
        return (
            f"audits of {self.forget} and {self.controls}{rare}, {self.references} references, "
            f"difficulty {self.difficulty:g}{boost}, limit: {self.limit}"
        )

    def labels(self) -> tuple[IntArray, IntArray]:
        """Return the class of each forget example and control."""
        sides = []
        for count, first in zip((self.forget, self.controls), self._first(), strict=True):
            sides.append(np.concatenate([np.zeros(first, dtype=np.int64), 1 + np.arange(count - first) % 3]))
        return sides[0], sides[1]

    def _first(self) -> tuple[int, int]:
        if self.rare is None:
            return self.forget // 4, self.controls // 4
        return round(self.rare[0] * self.forget), self.rare[1]

    def audits(self, count: int) -> tuple[list[list[Any]], Pairing]:
        """Draw models and references, and run the deciding set on each."""
        rng, labels = np.random.default_rng(0), self.labels()
        pairing = Pairing(forget_strata=labels[0], control_strata=labels[1])

        def model(centres: list[FloatArray], boost: float) -> Answers:
            sides = []
            for centre, side, push in zip(centres, labels, (boost, 0.0), strict=True):
                logits = centre + rng.normal(size=centre.shape)
                logits[np.arange(side.size), side] += 2.0 + push
                sides.append(Outputs(logits=logits, labels=side))
            return Answers(forget=sides[0], controls=sides[1])

        found = []
        for _ in range(count):
            centres = [rng.normal(0, self.difficulty, (side.size, 4)) for side in labels]
            references = [model(centres, 0.0) for _ in range(self.references)]
            audited = model(centres, self.boost)
            findings = evaluate_attacks(audited, references, pairing, 1 - NOMINAL, standard=False)
            found.append([finding for finding in findings if finding.deciding])
        return found, pairing


LIKELY, FORGOTTEN, FOUND = "likely by plan", "one half", "mean AUC found"
SINGLE = (0.4, 4, 1), (0.4, 3, 1), (0.4, 2, 1), (0.4, 1, 1), (0.6, 4, 1), (0.1, 4, 1), (0.05, 1, 1)
BOUNDS: tuple[Plain | SmallClasses | People, ...] = (
    *(Plain(forget=m, controls=n, truth=a) for m, n in ((5, 5), (8, 400), (12, 12), (50, 50)) for a in (0.5, 0.7, 0.9)),
    *(
        SmallClasses(rare=w, controls=n, classes=k, auc=a)
        for a in (0.5, 0.7, 0.9)
        for w, n, k in (*SINGLE, (0.6, 3, 10), (0.6, 1, 10), (0.4, 4, 10), (0.2, 1, 20))
    ),
    *(
        SmallClasses(rare=w, controls=n, classes=k, **kind)
        for kind in ({"spread": 0.3}, {"spread": 3.0}, {"step": 1.0}, {"references": 4}, {"references": 4, "rest": 0.1})
        for w, n, k in ((0.4, 4, 1), (0.6, 3, 10), (0.6, 1, 10), (0.1, 4, 1))
    ),
    *(
        People(forget=m, controls=n, sizes=sizes, both=both, effect=effect, strata=strata)
        for sizes in ("equal", "unequal", "heavy")
        for m, n in ((30, 30), (30, 300), (300, 30))
        for both, effect, strata in ((False, 1.0, False), (False, 3.0, True), (True, 1.0, False), (True, 1.0, True))
    ),
)
RULES = (
    *(Rule(forget=m, controls=50, limit=LIKELY) for m in (50, 200, 600)),
    Rule(forget=400, controls=50, limit=LIKELY, references=2),
    Rule(forget=400, controls=50, limit=LIKELY, difficulty=0.5),
    *(Rule(forget=400, controls=400, limit=FORGOTTEN, rare=rare) for rare in ((0.4, 4), (0.4, 2), (0.4, 1), (0.6, 4))),
    *(Rule(forget=400, controls=400, limit=FOUND, rare=rare, boost=0.5) for rare in ((0.4, 4), (0.1, 4))),
    Rule(forget=400, controls=400, limit=FOUND, rare=(0.4, 4), boost=1.5),
    Rule(forget=400, controls=50, limit=FORGOTTEN),
    Rule(forget=400, controls=50, limit=FOUND, boost=0.5),
)
CELLS = (*BOUNDS, *RULES)


def misses(cell: Plain | SmallClasses | People, simulations: int = SIMULATIONS) -> tuple[int, int]:
    """How often the lower and the upper bound miss the true value."""
    rng = np.random.default_rng(0)
    bounds = np.array([cell.bounds(rng) for _ in range(simulations)])
    return int(np.sum(bounds[:, 0] > cell.truth)), int(np.sum(bounds[:, 1] < cell.truth))


def verdicts(cell: Rule, audits: int = AUDITS) -> Row:
    """How often audits PASS and FAIL, and where each deciding attack lies on average."""
    found, pairing = cell.audits(audits)
    values = np.mean([[finding.estimate.value for finding in findings] for findings in found], axis=0)
    error, degrees = null_precision(cell.forget, cell.controls, **pairing.labels)
    # `plan`: 80% of AUCs, of one attack on both sides, have bounds within the limit.
    likely = 0.5 + error * (quantile(1 - NOMINAL, degrees) + quantile(0.9))
    limit = {LIKELY: likely, FORGOTTEN: 0.5 + 1e-9, FOUND: float(values.max())}[cell.limit]
    able = can_certify(limit, 1 - NOMINAL, cell.forget, cell.controls, **pairing.labels)
    judged = [judge_attacks(findings, limit, 1 - NOMINAL, certifiable=able).verdict.name for findings in found]
    return {
        "limit": round(limit, 3),
        "least that can be certified": round(least_limit(error, degrees, 1 - NOMINAL), 3),
        "PASS": judged.count("PASS"),
        "FAIL": judged.count("FAIL"),
        "mean AUC of deciding attacks": [round(float(value), 4) for value in values],
    }


def rate(events: int, trials: int) -> str:
    """`4.9% (at most 5.3%)`, by Clopper and Pearson's one-sided 95% bound."""
    upper = float(stats.beta.ppf(0.95, events + 1, trials - events)) if events < trials else 1.0
    return f"{events / trials:.1%} (at most {upper:.1%})"


def too_often(events: int, trials: int, nominal: float = NOMINAL, tests: int = 1) -> bool:
    """Tell whether so many events are too many for chance at the nominal rate, in one of `tests` cells."""
    return bool(stats.binom.sf(events - 1, trials, nominal) < 0.05 / tests)


def intervals(number: int) -> Row:
    """Miss rates of one-sided 95% bounds with few units (10,000 simulations), and of whole audits (400), by cell."""
    cell = CELLS[number]
    if isinstance(cell, Rule):
        row = verdicts(cell)
        return {"case": cell.name, **row, "PASS": rate(row["PASS"], AUDITS), "FAIL": rate(row["FAIL"], AUDITS)} | {
            "audits": AUDITS
        }
    low, high = misses(cell)
    return {
        "case": cell.name,
        "lower bound misses": rate(low, SIMULATIONS),
        "upper bound misses": rate(high, SIMULATIONS),
    }


def intervals_rule(rows: list[Row]) -> list[tuple[str, bool]]:
    """No bound and no FAIL errs more often than nominal, and honest models pass."""
    statements = []
    for side in ("lower", "upper"):
        rates = {row["case"]: percent(row[f"{side} bound misses"]) for row in rows if f"{side} bound misses" in row}
        tests = 2 * len(rates)
        often = [case for case, one in rates.items() if too_often(round(one * SIMULATIONS), SIMULATIONS, tests=tests)]
        most, listed = max(rates.values()), "".join(f"; {case}" for case in often)
        statement = f"the {side} bound misses at most {most:.1%}, beyond 5% and chance in {len(often)} of {len(rates)}"
        statements.append((statement + listed, not often))
    audits = [row for row in rows if "FAIL" in row]
    failed = max(percent(row["FAIL"]) for row in audits)
    wrong = [
        row["case"] for row in audits if too_often(round(percent(row["FAIL"]) * AUDITS), AUDITS, tests=len(audits))
    ]
    statements.append((f"false FAIL in at most {failed:.1%} of audits of a kind (at most 5% and chance)", not wrong))
    passed = min(percent(row["PASS"]) for row in audits if row["case"].endswith(LIKELY))
    statements.append((f"with 50 controls at least {passed:.1%} of honest models PASS (at least 60%)", passed >= 0.6))
    return statements


def percent(shown: str) -> float:
    """Read the rate that `rate` shows."""
    return float(shown.split("%")[0]) / 100
