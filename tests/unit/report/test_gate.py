"""The gate as a pure function."""

from __future__ import annotations

from pathlib import Path

from pytest_unlearn.report import markdown
from pytest_unlearn.report.environment import facts
from pytest_unlearn.report.gate import GateDecision, decide
from pytest_unlearn.report.ledger import Ledger
from tests.evidences import evidence

ABOUT = facts([], Path("/somewhere"))


def book(*claims: tuple[str, str], outcome: str = "passed") -> Ledger:
    """A ledger with one test for each (claim, verdict)."""
    ledger = Ledger()
    for i, (name, verdict) in enumerate(claims):
        ledger.add(f"t{i}", outcome, [evidence(verdict, name=name).to_json()])
    return ledger


def test_release_needs_every_required_claim_proven() -> None:
    assert decide(book(("forgotten", "PASS")).freeze(), ["forgotten"]) == GateDecision(True)
    both = book(("forgotten", "PASS"), ("utility", "PASS")).freeze()
    assert decide(both, ["forgotten", "utility"]) == GateDecision(True)


def test_one_bad_evidence_of_a_required_claim_blocks() -> None:
    ledger = book(("forgotten", "PASS"), ("forgotten", "INCONCLUSIVE")).freeze()
    assert decide(ledger, ["forgotten"]).reasons == (
        "not proven that the deleted data no longer show in the model's answers: forgotten is INCONCLUSIVE in t1",
    )


def test_a_claim_that_is_not_required_and_left_open_blocks_nothing_and_is_named() -> None:
    decision = decide(book(("utility", "PASS"), ("forgotten", "INCONCLUSIVE")).freeze(), ["utility"])
    assert decision.release
    (note,) = decision.notes
    assert note == (
        "not proven that the deleted data no longer show in the model's answers: forgotten, which is not required, is "
        "INCONCLUSIVE in t1: only FAIL and INVALID would block; name it in unlearn_require if a release should need it"
    )
    assert note in decision.explain()


def test_nothing_proven_is_no_release() -> None:
    assert not decide(Ledger().freeze(), ["forgotten"]).release
    assert not decide(book(("forgotten", "PASS")).freeze(), []).release


def test_claims_on_models_that_anybody_may_have_put_into_the_cache_are_named_and_do_not_block() -> None:
    about = evidence().provenance
    ledger = Ledger()
    for number, origin in enumerate(("cache, not sealed with a key", "cache, sealed with a key", "made in this run")):
        origins = {"unlearned": "made in this run", "references": [origin]}
        ledger.add(f"t{number}", "passed", [evidence(provenance={**about, "origins": origins}).to_json()])
    decision = decide(ledger.freeze(), ["forgotten"])
    assert decision.release
    (note,) = decision.notes
    assert note == (
        "1 claim rests on models from a cache that is not sealed with a key: whoever can write the cache may have put "
        "them there (UNLEARN_CACHE_KEY)"
    )
    assert "1 claim rests on models from a cache" in markdown.render(ledger.freeze(), {**ABOUT, "gate": vars(decision)})


def test_lost_evidence_blocks() -> None:
    ledger = book(("forgotten", "PASS"))
    ledger.recorded = 2
    assert not decide(ledger.freeze(), ["forgotten"]).release


def test_a_test_that_did_not_plainly_pass_proves_nothing() -> None:
    for outcome in ("skipped", "xfailed", "xpassed", "rerun", "failed", "error"):
        assert not decide(book(("forgotten", "PASS"), outcome=outcome).freeze(), ["forgotten"]).release


def test_the_explanation_lists_every_reason() -> None:
    decision = decide(Ledger().freeze(), ["forgotten", "utility"])
    assert decision.explain().count("\n  - ") == 2
    assert GateDecision(True).explain().startswith("release")
