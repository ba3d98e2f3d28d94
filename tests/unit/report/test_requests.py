"""One release answers one request: claims about two block, and both are named."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.report import gate
from pytest_unlearn.report.ledger import Ledger
from tests.evidences import evidence

FIRST = {"n": 300, "digest": "a" * 64, "defined in": "a/conftest.py"}
SECOND = {"n": 20, "digest": "b" * 64, "defined in": "b/test_b.py::test_it"}

MODEL = {"type": "torch.nn.Linear", "digest": "5eed" * 16}


def decision(*requests: Any, name: str = "utility", drawn: bool = False) -> gate.GateDecision:
    """Decide on one PASS of `forgotten` about the first request, and on PASSes of another claim about others."""
    book = Ledger()
    for number, request in enumerate((FIRST, *requests)):
        about = {"name": name if number else "forgotten", "provenance": {"model": MODEL, "request": request}}
        if number and name in TABLE and TABLE[name].limit.side == "lowest":
            about |= {"lowest": 0.3, "highest": None}
        entry = evidence(**about).to_json() | ({"drawn": True} if drawn and number else {})
        book.add(f"test_{number}.py::test_it", "passed", [entry])
    return gate.decide(book.freeze(), ["forgotten"])


@pytest.mark.parametrize("name", ["forgotten", "utility", "class_forgotten", "a claim of somebody's own"])
def test_claims_about_two_requests_block_and_both_are_named(name: str) -> None:
    (reason,) = decision(SECOND, name=name).reasons
    assert reason == (
        "one release answers one request, and these claims are about 2: 300 examples, aaaaaaaaaaaa, defined in "
        "a/conftest.py (forgotten in test_0.py::test_it); 20 examples, bbbbbbbbbbbb, defined in b/test_b.py::test_it "
        f"({name} in test_1.py::test_it). Judge each request in a run of its own, or any in a property test, which is "
        "about the method"
    )


@pytest.mark.parametrize("request_of", [FIRST, {**FIRST, "defined in": "elsewhere.py"}, None, {}, "", ["x"]])
def test_the_same_request_or_none_belongs_to_the_release(request_of: Any) -> None:
    assert decision(request_of).release


@pytest.mark.parametrize("name", [name for name, spec in TABLE.items() if spec.needs == "unlearner"])
def test_claims_about_a_method_may_try_any_request(name: str) -> None:
    assert decision(SECOND, name=name).release


@pytest.mark.parametrize("name", ["forgotten", "utility", "a claim of somebody's own"])
def test_a_property_test_may_try_any_request(name: str) -> None:
    assert decision(SECOND, {**SECOND, "digest": "c" * 64}, name=name, drawn=True).release


@pytest.mark.parametrize("name", TABLE)
def test_what_a_property_test_draws_proves_nothing_of_the_release(name: str) -> None:
    about: dict[str, Any] = {"name": name, "provenance": {"model": MODEL, "request": SECOND}}
    if TABLE[name].limit.side == "lowest":
        about |= {"lowest": 0.3, "highest": None}
    if TABLE[name].limit.fixed:
        about |= {"highest": 0.0, "value": 0.0}
    book = Ledger()
    book.add("test_it.py::test_any", "passed", [evidence(**about).to_json() | {"drawn": True}])
    reasons = gate.decide(book.freeze(), [name]).reasons
    of_the_method = TABLE[name].needs == "unlearner"
    assert any("claimed only of what a property test draws (test_it.py::test_any)" in text for text in reasons) is not (
        of_the_method
    )


def test_of_many_requests_some_are_named_and_the_others_counted() -> None:
    (reason,) = decision(*({**SECOND, "digest": letter * 64} for letter in "bcdef")).reasons
    assert reason.count(" examples, ") == gate.MOST_NAMED
    assert "and these claims are about 6: " in reason
    assert "; and 2 more. Judge" in reason


def test_a_hostile_digest_blocks_instead_of_raising() -> None:
    assert not decision({"n": None, "digest": ["x"], "defined in": {}}).release
