"""A release that rests on the method: only of the model that it made for this request, and it is said so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.core.evidence import Claim, Estimate
from pytest_unlearn.plugin.requirements import Requirements
from pytest_unlearn.report import attestation, gate, on_method
from pytest_unlearn.report import json as as_json
from pytest_unlearn.report.environment import facts
from pytest_unlearn.report.ledger import Ledger
from pytest_unlearn.report.wording import conclusion
from tests.evidences import evidence

METHOD, OTHER, ONE, TWO = "3c" * 32, "4d" * 32, "1a" * 32, "2b" * 32
WANTED = ("algorithm", "utility")


def about(digest: str = ONE, request: str = "f" * 64, **rest: str) -> dict[str, Any]:
    return {"model": {"digest": digest}, "request": {"digest": request, "n": 40}, **rest}


def method(verdict: str = "PASS", **given: Any) -> Any:
    return evidence(verdict, name="algorithm", lowest=0.45, provenance={**about("", method=METHOD), **given})


def utility(maker: str = METHOD, verdict: str = "PASS", **given: Any) -> Any:
    return evidence(verdict, 0.0, name="utility", highest=0.1, provenance={**about(**{"made by": maker}), **given})


def book(*claims: Any, outcomes: dict[int, str] | None = None) -> dict[str, Any]:
    ledger = Ledger()
    for k, one in enumerate(claims):
        ledger.add(f"t{k}", (outcomes or {}).get(k, "passed"), [one.to_json()])
    return ledger.freeze()


def test_the_model_that_a_proven_method_made_is_released_and_what_was_not_asked_of_it_is_named() -> None:
    decision = gate.decide(book(method(), utility()), WANTED)
    assert decision.reasons == ()
    (note,) = decision.notes
    assert note == (
        "no claim says of this very model that the request is forgotten: algorithm judged the method over simulated "
        "requests of this size; of this model speak utility alone"
    )


@pytest.mark.parametrize("maker", ["", OTHER])
def test_a_model_that_the_method_did_not_make_is_not_released_by_what_the_method_deserves(maker: str) -> None:
    (reason,) = gate.decide(book(method(), utility(maker)), WANTED).reasons
    assert "nothing shows that it made the model of utility in t1" in reason
    assert "leave `unlearned_model` to the plugin" in reason


def test_a_method_without_a_digest_made_no_model() -> None:
    claims = method(method=""), utility("")
    assert not gate.decide(book(*claims), WANTED).release


def test_another_request_than_the_methods_blocks() -> None:
    (reason,) = gate.decide(book(method(request={"digest": "e" * 64}), utility()), WANTED).reasons
    assert "judged requests like another one" in reason


@pytest.mark.parametrize("verdict", ["FAIL", "INCONCLUSIVE", "INVALID"])
@pytest.mark.parametrize("which", [0, 1])
def test_neither_method_nor_utility_may_be_less_than_proven(verdict: str, which: int) -> None:
    claims = [method(), utility()]
    claims[which] = (method, utility)[which](verdict=verdict)
    outcomes = {which: "failed"}
    assert not gate.decide(book(*claims, outcomes=outcomes), WANTED).release


@pytest.mark.parametrize("digest", [ONE, TWO])
@pytest.mark.parametrize("verdict", ["FAIL", "INVALID"])
def test_a_model_that_was_found_to_remember_is_not_released_by_its_method(digest: str, verdict: str) -> None:
    leak = evidence(verdict, 0.8, provenance=about(digest, **{"made by": METHOD}))
    for required in (WANTED, WANTED[:1]):
        assert not gate.decide(book(method(), utility(), leak, outcomes={2: "failed"}), required).release
        assert not gate.decide(book(method(), leak, outcomes={1: "failed"}), required).release


def test_a_claim_about_the_request_in_this_model_needs_no_maker() -> None:
    reduced = Claim(name="leakage_reduced", quantity="leakage reduction", lowest=0.5)
    sizes = {"confidence": 0.95, "method": "Fieller", "n_forget": 40, "n_controls": 10_000}
    estimate = Estimate(value=0.8, low=0.6, high=1.0, **sizes)
    mine = replace(evidence(provenance=about()), claim=reduced, estimate=estimate, attacks={}, deciding=())
    decision = gate.decide(book(mine, utility("")), ["leakage_reduced", "utility"])
    assert decision.reasons == ()
    assert on_method.methods(["leakage_reduced", "utility"]) == ()
    assert on_method.methods(["forgotten", "algorithm"]) == ()
    assert on_method.methods(["survives", "utility"]) == ()


def test_the_report_and_the_statement_say_that_it_rests_on_the_method() -> None:
    ledger = book(method(), utility())
    decision = gate.decide(ledger, WANTED)
    files = [{"name": "model.bin", "sha256": ONE}]
    told = {
        **facts([], Path("/somewhere")),
        "gate": {**vars(decision), "required": list(WANTED)},
        "release_files": files,
    }
    assert conclusion(ledger, told["gate"]) == (
        True,
        "Release: every required claim was proven; algorithm of the method, not of this model",
    )
    result = attestation.statement(ledger, told, "")["predicate"]
    assert result["result"] == "WARNED"
    assert result["warnedTests"] == ["t0: algorithm judged the method, not this model"]


def test_large_reports_keep_who_made_the_model() -> None:
    kept = as_json._which_model(utility().to_json()["provenance"])
    assert kept == about(**{"made by": METHOD})
    assert as_json._which_model(method().to_json()["provenance"])["method"] == METHOD


ADVICE = (
    "assert_leakage_reduced(unlearned_model, forget_loader, min_reduction=0.5): a perfect method passes",
    "or assert_algorithm(unlearner, unlearning_task, max_mia_auc=0.55, runs=30): judges the method",
)


def test_a_block_for_size_names_the_line_for_the_test_and_that_for_the_ini_file() -> None:
    small = evidence("INCONCLUSIVE", advice=ADVICE)
    (reason,) = gate.decide(book(small, outcomes={0: "failed"}), ["forgotten"]).reasons
    assert reason == (
        "not proven that the deleted data no longer show in the model's answers: "
        "forgotten is INCONCLUSIVE in t0: it asks more than this request is likely to show. Paste "
        "assert_leakage_reduced(unlearned_model, forget_loader, min_reduction=0.5) in its place, and into the ini file "
        'unlearn_require = ["leakage_reduced", "utility"]'
    )
    only_runs = evidence("INCONCLUSIVE", advice=ADVICE[1:])
    (reason,) = gate.decide(book(only_runs, outcomes={0: "failed"}), ["forgotten"]).reasons
    assert reason.endswith(
        "Paste assert_algorithm(unlearner, unlearning_task, max_mia_auc=0.55, runs=30) in its place, and into the ini "
        'file unlearn_require = ["algorithm", "utility"]; the method is the fixture `unlearner`, with no '
        "fixture `unlearned_model` beside it"
    )
    plain = evidence("INCONCLUSIVE", advice=("batch requests",))
    promise = TABLE["forgotten"].promise
    assert gate.decide(book(plain), ["forgotten"]).reasons == (
        f"not proven that {promise}: forgotten is INCONCLUSIVE in t0: batch requests",
    )


def test_a_policy_that_asks_it_all_the_same_is_named() -> None:
    small = book(evidence("INCONCLUSIVE", advice=ADVICE), outcomes={0: "failed"})
    reasons = Requirements(policy="quick").decide(small).reasons
    assert any("leave unlearn_policy out of the ini file" in reason for reason in reasons)
    assert not any("leave unlearn_policy" in reason for reason in Requirements().decide(small).reasons)
