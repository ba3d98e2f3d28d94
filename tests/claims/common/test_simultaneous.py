"""The bounds that evidence holds for all attacks together decide exactly what the rule of verdicts does."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn import audit_release
from pytest_unlearn.claims.common.evidence import _simultaneous
from pytest_unlearn.claims.common.verdict import RECOGNISABLE, Finding, judge
from pytest_unlearn.core.evidence import Claim, Verdict
from pytest_unlearn.report import consistency
from pytest_unlearn.statistics import auc_measure
from tests.worlds.simulated import World, split

CLAIM = Claim(name="forgotten", quantity="AUC", lowest=0.4, highest=0.6)


def findings(rng: np.random.Generator, count: int, sides: tuple[str, ...]) -> list[Finding]:
    """Attacks on a few examples, some of which see something."""
    found = []
    for k in range(count):
        measure = auc_measure(rng.normal(rng.choice([0.0, 0.4, 0.8, -0.6]), 1, 40), rng.normal(size=60))
        kinds = dict.fromkeys(sides, RECOGNISABLE)
        role = "decides" if k == 0 else "tripwire"
        problem = "unfair" if k == 3 else ""
        found.append(
            Finding(name=f"{k}", measure=measure, estimate=measure.at(0.95), failures=kinds, role=role, problem=problem)  # type: ignore[arg-type]
        )
    return found


@pytest.mark.parametrize("sides", [("high", "low"), ("high",)])
def test_a_verdict_is_fail_exactly_where_one_of_them_is_beyond_its_limit(sides: tuple[str, ...]) -> None:
    rng, verdicts = np.random.default_rng(0), []
    for _ in range(60):
        made = findings(rng, 6, sides)
        bounds = _simultaneous(made, CLAIM, 0.95)
        beyond = any(
            (one.highest is not None and one.low > one.highest) or (one.lowest is not None and one.high < one.lowest)
            for one in bounds.values()
        )
        verdicts.append(judge(made, CLAIM, 0.95).verdict is Verdict.FAIL)
        assert verdicts[-1] is beyond
        assert bounds["3"].lowest is bounds["3"].highest is None
        assert (bounds["0"].lowest is None) is (sides == ("high",))
    assert 5 < sum(verdicts) < 55


@pytest.mark.slow
def test_no_honest_pass_is_contradicted_by_its_own_figures() -> None:
    passed = 0
    for seed in range(6):
        world = World(split(seed=seed), seed=seed)
        for evidence in audit_release(
            world.model(seed=5), world.task(), "quick", max_mia_auc=0.6, max_drop=0.1
        ).values():
            if evidence.verdict is Verdict.PASS:
                passed += 1
                found = evidence.to_json()
                assert list(consistency.contradictions(found)) == []
                del found["simultaneous"]  # as an earlier version wrote it
                assert list(consistency.contradictions(found)) == []
    assert passed >= 8
