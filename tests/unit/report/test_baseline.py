"""The baseline as a pure function: what is weaker, what is stronger, and what is no baseline."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from pytest_unlearn.report import baseline
from pytest_unlearn.report.baseline import Demands
from tests.evidences import evidence

NODE = "test_it.py::test_a"
TERMS = {"claim": "forgotten", "confidence": 0.95, "max_mia_auc": 0.6, "max_share_left": 0.5, "require_controls": True}
GATE = Demands(
    required=("forgotten", "utility"), policy="standard", max_age="7d", release_files=("*.bin",), audits={NODE: [TERMS]}
)


def terms(**changed: Any) -> Demands:
    """The gate with other terms of its one audit; None takes one away."""
    return replace(GATE, audits={NODE: [{k: v for k, v in {**TERMS, **changed}.items() if v is not None}]})


def ledger(asked: Demands) -> dict[str, Any]:
    """What ran: every audit of these demands, and passed."""
    rows = [{"nodeid": nodeid, "outcome": "passed"} for nodeid in asked.audits]
    return {"entries": rows, "without_evidence": [], "failed_tests": []}


# A gate that asks less than GATE, and how often: the other way round it is as many times stronger.
LESS = {
    "limit": (terms(max_mia_auc=0.61), 1),
    "confidence": (terms(confidence=0.9), 1),
    "share left": (terms(max_share_left=0.6), 1),
    "controls waived": (terms(require_controls=False), 1),
    "limit unsaid": (terms(max_mia_auc=None), 1),
    "two terms": (terms(max_mia_auc=0.61, confidence=0.9), 2),
    "claim": (terms(claim="leakage_reduced"), 0),  # 1 and more: also by its terms
    "required": (replace(GATE, required=("forgotten",), policy=None), 0),
    "policy": (replace(GATE, policy="quick"), 1),
    "no policy": (replace(GATE, policy=None), 1),
    "age": (replace(GATE, max_age="8d"), 1),
    "no age": (replace(GATE, max_age=None), 1),
    "files": (replace(GATE, release_files=()), 1),
    "inconclusive": (replace(GATE, inconclusive="xfail"), 1),
    "audit": (replace(GATE, audits={}), 1),
}
SAME = {
    "itself": GATE,
    "order": replace(GATE, required=("utility", "forgotten")),
    "what the policy asks anyway": replace(GATE, required=("forgotten",)),
    "age in other units": replace(GATE, max_age="168h"),
}


@pytest.mark.parametrize("name", LESS)
def test_less_is_weaker_and_never_stronger(name: str) -> None:
    less, times = LESS[name]
    found = list(baseline.weaker(GATE, less, ledger(less)))
    assert found
    assert not times or len(found) == times
    assert list(baseline.stronger(GATE, less)) == []


@pytest.mark.parametrize("name", [name for name in LESS if name not in ("claim", "limit unsaid")])
def test_more_is_stronger_and_never_weaker(name: str) -> None:
    less, times = LESS[name]
    found = list(baseline.stronger(less, GATE))
    assert found
    assert not times or len(found) == times
    assert list(baseline.weaker(less, GATE, ledger(GATE))) == []


@pytest.mark.parametrize("name", SAME)
def test_equal_gates_are_neither(name: str) -> None:
    assert list(baseline.weaker(GATE, SAME[name], ledger(GATE))) == []
    assert list(baseline.stronger(GATE, SAME[name])) == []


def test_a_limit_from_below_is_looser_where_it_is_smaller() -> None:
    asked = [replace(GATE, audits={NODE: [{"claim": "leakage_reduced", "min_reduction": at}]}) for at in (0.5, 0.4)]
    assert len(list(baseline.weaker(*asked, ledger(GATE)))) == 1
    assert len(list(baseline.stronger(*reversed(asked)))) == 1


def test_of_a_claim_made_twice_the_strictest_are_compared() -> None:
    loose, strict = TERMS, {**TERMS, "max_mia_auc": 0.55}
    before, now = (replace(GATE, audits={NODE: rows}) for rows in ([loose, strict], [strict, loose]))
    assert list(baseline.weaker(before, now, ledger(GATE))) == []
    now = replace(GATE, audits={NODE: [loose, loose]})
    assert len(list(baseline.weaker(before, now, ledger(GATE)))) == 1
    (reason,) = baseline.weaker(before, replace(GATE, audits={NODE: [strict]}), ledger(GATE))
    assert reason == f"{NODE} claims forgotten 1 times, not 2"


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    (tmp_path / baseline.FILE).write_text(baseline.render(GATE))
    assert baseline.read(tmp_path / baseline.FILE) == GATE
    assert baseline.render(GATE) == baseline.render(SAME["order"])
    assert baseline.read(tmp_path / "nowhere") is None


WHOLE = {"version": 1, **asdict(GATE)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "\x00",
        "{",
        "[" * 100_000,
        *(
            json.dumps({**WHOLE, name: None})
            for name in ("version", "required", "release_files", "audits", "inconclusive")
        ),
        *(json.dumps({key: value for key, value in WHOLE.items() if key != name}) for name in WHOLE),
        *(json.dumps({**WHOLE, "audits": {NODE: rows}}) for rows in (None, [], [None], [{}], [{"claim": 1}])),
        *(json.dumps({**WHOLE, "audits": {NODE: [{**TERMS, "max_mia_auc": at}]}}) for at in ("0.6", None, [0.6])),
        json.dumps({**WHOLE, "audits": {NODE: [TERMS]}}).replace("0.6", "NaN"),
        json.dumps({**WHOLE, "audits": {NODE: [TERMS]}}).replace("0.6", "1e999"),
        json.dumps({**WHOLE, "version": 2}),
        json.dumps({**WHOLE, "more": 1}),
        json.dumps({**WHOLE, "policy": "lax"}),
        json.dumps({**WHOLE, "max_age": "soon"}),
        json.dumps({**WHOLE, "required": "forgotten"}),
        json.dumps(WHOLE)[:-1] + ', "version": 1}',
    ],
)
def test_what_is_no_baseline_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / baseline.FILE).write_text(text)
    with pytest.raises(baseline.Unreadable, match=r"cannot be read, so that nobody can tell .* renew it") as refused:
        baseline.read(tmp_path / baseline.FILE)
    assert len(str(refused.value)) < 500


def test_looser_than_the_ini_file_is_named_and_only_that() -> None:
    entries = [{"nodeid": NODE, "evidence": evidence("PASS", highest=0.6).to_json()}]
    assert baseline.looser_than_ini(entries, {"max_mia_auc": 0.6, "max_drop": 0.0, "confidence": 0.95}) == ""
    assert baseline.looser_than_ini(entries, {"max_mia_auc": 0.65}) == ""
    found = baseline.looser_than_ini(entries, {"max_mia_auc": 0.55, "confidence": 0.99})
    assert f"{NODE} judges forgotten at max_mia_auc=0.6, not max_mia_auc=0.55" in found
    assert f"{NODE} judges forgotten at confidence=0.95, not confidence=0.99" in found
    assert baseline.looser_than_ini(entries * 6, {"max_mia_auc": 0.55}).endswith("; and 2 more")
