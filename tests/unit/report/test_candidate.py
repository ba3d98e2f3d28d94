"""One gate speaks of one model: what is about two, or about none that is named, blocks."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_unlearn.core.recorder import Recorder
from pytest_unlearn.report import gate
from pytest_unlearn.report import json as as_json
from pytest_unlearn.report.ledger import Ledger
from tests.evidences import evidence
from tests.unit.report.test_write import ABOUT

ONE, OTHER = "1a" * 32, "2b" * 32


def about(digest: Any = ONE, *, outputs: str = "", data: str = "d" * 64) -> dict[str, Any]:
    """Where evidence about a model comes from."""
    obstacle = "" if digest else "a function shows no state that could be read"
    return {
        "provenance": {
            "model": {"type": "torch.nn.Linear", "digest": digest, "not identified": obstacle},
            "data": {"forget": {"digest": data}},
            "settings": {"outputs": outputs},
        }
    }


def decide(*claims: Any, outcome: str = "passed") -> gate.GateDecision:
    book = Ledger()
    for k, one in enumerate(claims):
        book.add(f"t{k}", outcome if k else "passed", [one if isinstance(one, dict) else one.to_json()])
    return gate.decide(book.freeze(), ["forgotten"])


@pytest.mark.parametrize("name", ["utility", "leakage_reduced", "forgotten", "a claim of another version"])
def test_two_models_block_and_both_are_named(name: str) -> None:
    decision = decide(evidence(**about()), evidence(name=name, highest=0.6, **about(OTHER)))
    assert not decision.release
    assert decision.reasons[-1] == (
        "claims are about 2 models, and a release is of one: "
        f"1a1a1a1a1a1a (forgotten in t0); 2b2b2b2b2b2b ({name} in t1)"
    )


def test_one_model_releases_however_many_claims() -> None:
    assert decide(*[evidence(**about())] * 5, evidence(name="utility", **about())).release


@pytest.mark.parametrize("name", ["algorithm", "indistinguishable", "efficient", "sequence", "survives"])
def test_claims_about_a_method_judge_no_model(name: str) -> None:
    for of_method in (about(OTHER), about(None), {"provenance": {}}):
        assert decide(evidence(**about()), evidence(name=name, highest=0.6, **of_method)).release


def test_many_places_are_counted() -> None:
    decision = decide(evidence(**about()), *[evidence(name="utility", **about(OTHER))] * 5)
    assert decision.reasons[-1].endswith("(utility in t1, utility in t2, utility in t3 and 2 more)")


@pytest.mark.parametrize("verdict", ["FAIL", "INVALID"])
def test_what_a_test_expects_to_fail_in_another_model_is_a_control(verdict: str) -> None:
    control = evidence(verdict, 0.9, name="leakage_reduced", **about(OTHER))
    for outcome in ("passed", "xfailed"):
        assert decide(evidence(**about()), control, outcome=outcome).release
    assert not decide(evidence(**about()), control, outcome="failed").release
    assert not decide(evidence(**about()), evidence(verdict, 0.9, **about(OTHER))).release  # of a required claim


@pytest.mark.parametrize("digest", ["0" * 64, None, "", "e" * 32, 7])
@pytest.mark.parametrize("verdict", ["PASS", "FAIL", "INCONCLUSIVE"])
def test_a_claim_that_names_no_model_blocks_whatever_its_verdict(digest: Any, verdict: str) -> None:
    nameless = evidence(verdict, name="utility", **about(digest))
    (reason,) = decide(evidence(**about()), nameless).reasons
    assert reason.startswith("utility in t1 is a claim about a model that it does not name: ")
    assert decide(evidence(provenance={})).reasons[-1].endswith("its digest is missing")


class TestWithoutState:
    """A function or saved outputs have no digest but that of their answers."""

    def test_one_question_has_one_answer(self) -> None:
        first, same, other = (evidence(**about("", outputs=letter * 64)) for letter in "aab")
        assert decide(first, same) == gate.GateDecision(True)
        assert "the same examples have 2 answers" in decide(first, other).reasons[-1]

    def test_answers_to_two_questions_are_a_note(self) -> None:
        forget, test = (evidence(**about("", outputs=letter * 64, data=letter * 64)) for letter in "ab")
        decision = decide(forget, test)
        assert decision.release
        assert decision.notes == (
            "the audited model shows no state that could be read: that all claims are about one is not shown",
        )

    def test_answers_to_each_set_of_examples_are_compared(self) -> None:
        def served(**answers: str) -> Any:
            found = about("")
            found["provenance"]["model"]["answers"] = {view: letter * 64 for view, letter in answers.items()}
            return evidence(**found)

        asked = served(forget="a", controls="b")
        assert decide(asked, served(controls="b", test="c"), served(test="c")) == gate.GateDecision(True)
        assert "the same examples have 2 answers" in decide(asked, served(controls="d")).reasons[-1]
        assert decide(asked, served(test="c")).notes

    def test_beside_a_model_that_has_one_nothing_shows_that_they_are_the_same(self) -> None:
        decision = decide(evidence(**about()), evidence(name="utility", **about("", outputs="a" * 64)))
        (reason,) = decision.reasons
        assert reason.startswith("nothing shows that claims are about one model: 1a1a1a1a1a1a (forgotten in t0) beside")
        assert reason.endswith("(utility in t1)")

    def test_a_digest_that_was_taken_away_makes_no_model_without_state(self) -> None:
        found = about("", outputs="a" * 64)
        found["provenance"]["model"]["not identified"] = ""
        assert not decide(evidence(**found)).release


def test_a_property_test_judges_another_model_for_each_request() -> None:
    recorder = Recorder("t", collapse=True)
    for digest in (OTHER, "3c" * 32):
        recorder.add(evidence(**about(digest)).to_json())
    (drawn,) = recorder.drain()
    assert (drawn["drawn"], drawn["count"]) == (True, 2)
    assert decide(evidence(**about()), drawn).release
    once = Recorder("t", collapse=True)
    once.add(evidence(**about(OTHER)).to_json())
    assert decide(evidence(**about()), *once.drain()).release


def test_shortened_entries_of_a_large_report_keep_what_names_their_model() -> None:
    import json

    book = Ledger()
    for k in range(201):
        book.add(f"t{k:03}", "passed", [evidence(**about()).to_json()])
    book.add("t201", "passed", [evidence(**about("", outputs="a" * 64)).to_json()])
    book.add("t202", "passed", [evidence(**about(OTHER)).to_json()])
    document = json.loads(as_json.render(book.freeze(), ABOUT))
    assert sum(entry.get("brief", False) for entry in document["claims"]) == 183
    reasons = gate.decide({**book.freeze(), "entries": document["claims"]}, ["forgotten"]).reasons
    assert reasons == gate.decide(book.freeze(), ["forgotten"]).reasons
    assert "claims are about 2 models" in reasons[0]
