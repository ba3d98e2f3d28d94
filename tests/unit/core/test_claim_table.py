"""Every claim of the table has words, a limit that means something, and a place in what reads the table."""

from __future__ import annotations

import ast
import inspect
import math
import re
from pathlib import Path
from typing import Any

import pytest

import pytest_unlearn
from pytest_unlearn.claims.release import AUDITS
from pytest_unlearn.core.claim_limit import Range
from pytest_unlearn.core.claim_table import SEVERITY, TABLE, ClaimSpec, assertion_names
from pytest_unlearn.core.settings import TABLE as SETTINGS
from pytest_unlearn.report.gate import DEFAULT_REQUIRED, LIMITS, unproven
from pytest_unlearn.report.wording import HEADLINES
from tools import public_names

PACKAGE = Path(pytest_unlearn.__file__).parent
EVERY_CLAIM = pytest.mark.parametrize("spec", TABLE.values(), ids=list(TABLE))
ENDS = {  # of each setting: ends of a sensible claim, and the same side's ends where it means nothing
    "max_mia_auc": ((0.45, 0.55), (1.0, 0.4)),
    "max_drop": ((None, 0.02), (5.0, -0.1)),
    "max_gap": ((-0.05, 0.05), (1.0, 5.0, 0.0)),
    "max_relearning": ((-math.log(1.3), math.log(1.3)), (50.0, 1000.0, math.log(10.1), 0.0)),
    "max_effect": ((0.4, 0.6), (1.0, 50.0, 0.0)),
    "min_ratio": ((0.75, None), (0.0, -1.0, 1.0)),
    "min_reduction": ((0.5, None), (0.0, -1.0, 1.0)),
    "max_fraction": ((None, 0.2), (1.5, 0.0)),
    "max_failures": ((None, 0.0), (1.0, 60.0)),
    "max_probability": ((None, 0.001), (1.0, 5.0, -0.1)),
}


def passing(spec: ClaimSpec, lowest: float | None, highest: float | None, beyond: float = 0.0) -> dict[str, Any]:
    """Evidence that lies within its limits, or reaches as far beyond the one that the setting sets."""
    inside = [end for end in (lowest, highest) if end is not None]
    value = sum(inside) / len(inside)
    low, high = (value, value + beyond) if spec.limit.side == "highest" else (value - beyond, value)
    estimate = {"value": value, "low": low, "high": high, "confidence": 0.95, "n_forget": 100, "n_controls": 100}
    return {"claim": {"name": spec.name, "lowest": lowest, "highest": highest}, "estimate": estimate}


@EVERY_CLAIM
def test_a_pass_within_a_sensible_limit_is_believed(spec: ClaimSpec) -> None:
    assert list(unproven(passing(spec, *ENDS[spec.limit.setting][0]))) == []


@EVERY_CLAIM
def test_a_pass_at_a_limit_that_means_nothing_is_not(spec: ClaimSpec) -> None:
    for end in ENDS[spec.limit.setting][1]:
        ends = (None, end) if spec.limit.side == "highest" else (end, None)
        assert any(f"no {spec.limit.setting} can be" in reason for reason in unproven(passing(spec, *ends)))


@EVERY_CLAIM
def test_nor_is_one_whose_interval_reaches_beyond_its_limit(spec: ClaimSpec) -> None:
    lowest, highest = ENDS[spec.limit.setting][0]
    (reason,) = unproven(passing(spec, lowest, highest, beyond=2.0))
    assert re.fullmatch(r"the (upper|lower) bound of its estimate, .*, is (above|below) the limit .*", reason)


@EVERY_CLAIM
def test_nor_is_one_without_the_limit_that_its_setting_sets(spec: ClaimSpec) -> None:
    ends = (0.0, None) if spec.limit.side == "highest" else (None, 0.0)
    assert f"no {spec.limit.setting} limits it" in list(unproven(passing(spec, *ends)))


@pytest.mark.parametrize("name", [name for name, spec in TABLE.items() if spec.limit.mirror is not None])
def test_the_other_end_is_held_to_the_same_range(name: str) -> None:
    limit = TABLE[name].limit
    _, highest = ENDS[limit.setting][0]
    assert any(f"no {limit.setting} can be" in reason for reason in unproven(passing(TABLE[name], -5.0, highest)))


@EVERY_CLAIM
def test_every_claim_has_words_for_every_verdict(spec: ClaimSpec) -> None:
    words = [HEADLINES[spec.name, verdict] for verdict in ("PASS", "FAIL", "INCONCLUSIVE")]
    assert all(words)
    assert len(set(words)) == 3
    assert spec.states
    assert LIMITS[spec.name] == spec.limit.setting


@EVERY_CLAIM
def test_the_assertion_has_the_audit_s_signature_and_says_what_it_states(spec: ClaimSpec) -> None:
    audit, assertion = (getattr(pytest_unlearn, f"{kind}_{spec.name}") for kind in ("audit", "assert"))
    assert audit is spec.audit()
    assert inspect.signature(assertion) == inspect.signature(audit)
    assert inspect.getdoc(assertion).startswith(
        f"Assert that {spec.states}.\n\nArguments: those of `audit_{spec.name}`"
    )
    assert assertion.__name__ in assertion_names()
    assert assertion is getattr(pytest_unlearn, f"assert_{spec.name}")


def test_limits_of_audits_are_held_to_the_table_s_range() -> None:
    for limit in {spec.limit for spec in TABLE.values()} - {TABLE["canaries_forgotten"].limit, TABLE["survives"].limit}:
        setting = SETTINGS[limit.setting]
        assert limit.range.holds(setting.default)
        assert setting.rule == str(limit.range)
        with pytest.raises(ValueError, match=f"{limit.setting} must be {limit.range}"):
            setting.parse(limit.range.high + 1)


def test_a_range_holds_its_ends_only_where_it_says_so() -> None:
    assert not Range(0, 1).holds(0)
    assert not Range(0, 1).holds(1)
    assert Range(0, 1, ("low",)).holds(0)
    assert Range(0, 1, ("high",)).holds(1)
    assert not Range(0, 1, ("low", "high")).holds(math.nan)
    assert str(Range(0, 1, ("high",))) == "a number above 0 and at most 1"


def test_policies_may_require_what_needs_neither_requests_nor_a_search() -> None:
    of_text = {name for name, spec in TABLE.items() if ".text." in spec.module}
    assert set(TABLE) - set(AUDITS) == {"matches_retrained", "leakage_reduced", "sequence", "survives", *of_text}
    assert DEFAULT_REQUIRED == ("forgotten",)


def test_the_stubs_are_current() -> None:
    assert public_names.STUB.read_text() == public_names.stub(), "run `python -m tools.public_names`"
    written = public_names.UNLEARNERS_STUB.read_text()
    assert written == public_names.unlearners_stub(), "run `python -m tools.public_names`"


def test_verdicts_have_one_order() -> None:
    assert sorted(SEVERITY, key=SEVERITY.__getitem__) == ["PASS", "INCONCLUSIVE", "FAIL", "INVALID"]


# Words that are the name of a claim and of something else: families of requests, and what a sequence's findings are of.
OTHER_MEANINGS = {"search/families.py", "search/laws.py", "search/request.py"}


@pytest.mark.slow
def test_a_claim_is_named_by_its_own_audit_and_by_the_table_alone() -> None:
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE).as_posix()
        module = f"pytest_unlearn.{place.removesuffix('.py').replace('/', '.')}"
        own = {name for name, spec in TABLE.items() if module.startswith(spec.module.removesuffix(".audit"))}
        own |= {"survives"} if module.startswith("pytest_unlearn.search") else set()
        own |= {"utility"} if module.startswith("pytest_unlearn.claims.sequence") else set()  # of each step
        texts = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        foreign = {text for text in texts if isinstance(text, str) and text in TABLE} - own
        assert not foreign or place == "core/claim_table.py" or place in OTHER_MEANINGS, place
