"""Not testable here: an outcome of its own in the gate, the terminal, the pages, JUnit and the attestation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_unlearn.core.evidence import Estimate
from pytest_unlearn.plugin.hooks import properties
from pytest_unlearn.report import attestation, gate, html, markdown, terminal, wording
from pytest_unlearn.report import json as report
from pytest_unlearn.report.ledger import Ledger
from tests.evidences import evidence
from tests.unit.report.test_write import ABOUT

REASON = "the forget set is not recognised with certainty in the original model"


def untestable(name: str = "features_forgotten", required: bool = False, **rest: Any) -> Any:
    return evidence("INCONCLUSIVE", name=name, not_testable=REASON, required=required, **rest)


def ledger(*found: Any) -> dict[str, Any]:
    book = Ledger()
    book.add("test_it.py::test_release", "passed", [one.to_json() for one in found])
    return book.freeze()


def test_a_claim_that_no_policy_requires_blocks_nothing_and_is_named():
    decision = gate.decide(ledger(evidence(), untestable()), ["forgotten"])
    assert decision.release
    (note,) = decision.notes
    assert note.startswith("not proven that the deleted data no longer show in the model's inner layers: ")
    assert note.endswith(f"features_forgotten is not testable here (test_it.py::test_release): {REASON}")
    assert REASON in decision.explain()


def test_a_claim_that_the_gate_requires_blocks_all_the_same():
    assert not gate.decide(ledger(untestable("features_forgotten")), ["features_forgotten"]).release
    assert not gate.decide(ledger(untestable("forgotten", required=True)), ["forgotten"]).release
    assert not gate.decide(ledger(untestable("forgotten")), ["forgotten"]).release


def test_of_a_removed_class_class_forgotten_is_required_in_place_of_forgotten():
    about = {"model": {"digest": "a" * 64}, "data": {"forget": {"digest": "b" * 64}}}
    limits = {"name": "class_forgotten", "highest": 0.1, "lowest": -0.1, "provenance": about}
    proven, failed = evidence(value=0.0, **limits), evidence("FAIL", value=0.5, **limits)
    of_another = evidence(value=0.0, **{**limits, "provenance": {**about, "model": {"digest": "c" * 64}}})
    unshown = untestable("forgotten", provenance=about)
    assert gate.decide(ledger(unshown, proven), ["forgotten"]).release
    assert not gate.decide(ledger(unshown, failed), ["forgotten"]).release
    assert not gate.decide(ledger(unshown, proven, failed), ["forgotten"]).release
    assert not gate.decide(ledger(unshown, of_another), ["forgotten"]).release
    assert not gate.decide(ledger(untestable("forgotten"), proven), ["forgotten"]).release
    elsewhere = Ledger()
    elsewhere.add("test_it.py::test_a", "passed", [unshown.to_json()])
    elsewhere.add("test_it.py::test_b", "passed", [proven.to_json()])
    assert not gate.decide(elsewhere.freeze(), ["forgotten"]).release


def served(**answers: str) -> dict[str, Any]:
    """Provenance of a model without a digest, by its answers to examples."""
    digests = {view: digit * 64 for view, digit in answers.items()}
    return {
        "model": {"digest": "", "not identified": "a function", "answers": digests},
        "data": {"forget": {"digest": "b" * 64}},
    }


def test_models_without_a_digest_are_the_same_if_they_answer_alike_what_both_were_asked():
    proven = {"name": "class_forgotten", "value": 0.0, "highest": 0.1, "lowest": -0.1}
    unshown = untestable("forgotten", provenance=served(forget="1", controls="2"))
    same, other, apart = served(controls="2", test="3"), served(controls="4", test="3"), served(test="3")
    for about, released in ((same, True), (other, False), (apart, False)):
        assert gate.decide(ledger(unshown, evidence(provenance=about, **proven)), ["forgotten"]).release is released
    shown = evidence(provenance=served(forget="1", controls="2"))
    for about, released in ((same, False), (other, True)):
        accused = evidence("FAIL", name="leakage_reduced", value=0.9, provenance=about)
        assert gate.decide(ledger(shown, accused), ["forgotten"]).release is released


def test_answers_of_a_model_without_a_digest_are_recorded_by_examples():
    from pytest_unlearn import audit_forgotten, audit_utility
    from tests.worlds.simulated import World, split

    world = World(split(n_forget=60, n_controls=300))
    task, model = world.task(), world.model()
    one, other = (
        found.provenance["model"]["answers"]
        for found in (audit_forgotten(model, task.forget, 0.6), audit_utility(model, task.test))
    )
    assert (len(one), len(other)) == (2, 1)
    assert other.items() <= one.items()


@pytest.mark.parametrize("verdict", ["FAIL", "INVALID"])
def test_a_claim_that_nobody_requires_blocks_where_the_released_model_is_accused_in_it(verdict):
    model, other = ({"model": {"digest": letter * 64}} for letter in "ac")
    accused = {"name": "leakage_reduced", "value": 0.9}
    decision = gate.decide(
        ledger(evidence(provenance=model), evidence(verdict, provenance=model, **accused)), ["forgotten"]
    )
    (reason,) = decision.reasons
    assert reason == (
        f"{'refuted' if verdict == 'FAIL' else 'not proven'} that enough of what the original showed of the deleted "
        f"data is gone: leakage_reduced, which is not required, is {verdict} of the same model in "
        "test_it.py::test_release"
    )
    of_another = evidence(verdict, provenance=other, **accused)
    assert gate.decide(ledger(evidence(provenance=model), of_another), ["forgotten"]).release


@pytest.mark.parametrize("verdict", ["PASS", "FAIL", "INVALID"])
def test_only_an_inconclusive_claim_can_be_excused(verdict):
    assert not gate.excused({**untestable().to_json(), "verdict": verdict})


def test_evidence_beyond_its_limit_is_not_excused_whatever_it_says():
    assert gate.excused(untestable().to_json())
    assert not gate.excused(untestable(value=0.9).to_json())
    control = untestable().to_json()
    control["controls"]["retrained"][0]["holds"] = False
    assert not gate.excused(control)


def test_the_terminal_counts_it_apart_and_says_so_in_its_row():
    lines = [line for line, _ in terminal.lines(ledger(evidence(), untestable()), 100, ABOUT)]
    assert any(line.endswith("0 inconclusive, 0 invalid, 1 not testable here") for line in lines)
    assert any(line.startswith("NOT TESTABLE  ") for line in lines)
    assert not any("not testable" in line for line, _ in terminal.lines(ledger(evidence()), 100, ABOUT))


def test_the_conclusion_names_it_beside_a_release():
    book = ledger(evidence(), untestable())
    assert wording.conclusion(book, {"release": True}) == (
        True,
        "Release: every required claim was proven; 1 not testable here",
    )
    assert wording.conclusion(book, None) == (True, "Every required claim was proven; 1 not testable here")


def test_report_markdown_and_page_show_why():
    book = ledger(evidence(), untestable())
    about = {**ABOUT, "gate": {"release": True, "reasons": [], "required": ["forgotten"], "notes": [REASON]}}
    stored = json.loads(report.render(book, about))
    assert stored["claims"][1]["evidence"]["not_testable"] == REASON
    assert stored["claims"][1]["evidence"]["required"] is False
    assert stored["counts"]["not_testable"] == 1
    for page in (markdown.render(book, about), html.render(book, about)):
        assert "NOT TESTABLE" in page
        assert REASON in page


def test_junit_has_the_outcome_and_the_reason():
    found = dict(properties([untestable().to_json()]))
    assert found["unlearn.features_forgotten.verdict"] == "NOT TESTABLE"
    assert found["unlearn.features_forgotten.not_testable"] == REASON


def test_the_attestation_warns_of_it_in_a_test_that_passed():
    about = {**ABOUT, "gate": {"release": True, "reasons": []}}
    predicate = json.loads(attestation.render(ledger(evidence(), untestable()), about))["predicate"]
    assert predicate["result"] == "WARNED"
    assert predicate["passedTests"] == ["test_it.py::test_release"]
    assert predicate["warnedTests"] == ["test_it.py::test_release: features_forgotten not testable here"]
    assert json.loads(attestation.render(ledger(evidence()), about))["predicate"]["result"] == "PASSED"


def share(value: float, high: float) -> Estimate:
    return Estimate(value=value, low=0.0, high=high, confidence=0.95, method="Fieller", n_forget=400, n_controls=800)


def test_how_much_is_gone_is_said_in_words_and_in_junit():
    found = evidence(share_left=share(0.05, 0.128)).to_json()
    assert "at least 87% of what the original showed is gone" in wording.sentence(
        ledger(evidence(share_left=share(0.05, 0.128)))["entries"][0]
    )
    assert dict(properties([found]))["unlearn.forgotten.leakage_reduction"] == pytest.approx(0.872)
    assert "not certain" in wording.gone(evidence(share_left=share(0.5, 1.3)).to_json())


def test_a_pass_whose_share_left_is_beyond_what_was_allowed_proves_nothing():
    settings = {"settings": {"max_share_left": 0.5}}
    fine = evidence(share_left=share(0.1, 0.4), provenance=settings).to_json()
    beyond = evidence(share_left=share(0.1, 0.6), provenance=settings).to_json()
    assert list(gate.unproven(fine)) == []
    settings_of_share = {**fine, "share_left": {**fine["share_left"], "value": 0.9}}
    assert "not a number within two bounds" in next(gate.unproven(settings_of_share))
    assert "does not say how much" in next(gate.unproven({**fine, "share_left": None}))
    assert "60% of what the original showed may be left" in next(gate.unproven(beyond))
