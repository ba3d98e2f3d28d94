"""Documents forgotten: four verdicts, controls in rotation, decoys, saved scores."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pytest_unlearn import AuditFailure, Evidence, SavedLogprobs, Verdict, assert_text_forgotten, audit_text_forgotten
from pytest_unlearn.claims.recompute import differences, recompute
from pytest_unlearn.models.text.adapters import encoder_of
from tests.worlds.documents import STRENGTH, World
from tests.worlds.language import Memory


@functools.cache
def world() -> World:
    return World()


@functools.cache
def task() -> Any:
    return world().task()


@functools.cache
def honest() -> Evidence:
    return audited(world().retrained(7))


def audited(model: Any, limit: float = 0.6, **settings: Any) -> Evidence:
    return audit_text_forgotten(model, task().forget, limit, **settings)


def test_a_model_that_forgot_nothing_fails() -> None:
    found = audited(world().original)
    assert found.verdict is Verdict.FAIL
    assert found.estimate.low > 0.9
    with pytest.raises(AuditFailure):
        assert_text_forgotten(world().original, task().forget, 0.6)


def test_a_retrained_model_passes_with_all_controls() -> None:
    found = honest()
    assert found.verdict is Verdict.PASS
    assert found.controls.original is not None
    assert found.controls.original.holds
    assert [control.holds for control in found.controls.retrained] == [True] * 4
    assert found.share_left is not None
    assert found.share_left.high < 0.5


def test_a_model_that_remembers_a_third_does_not_pass_at_a_loose_limit() -> None:
    assert audited(world().trained(7, strength=STRENGTH / 3), 0.95).verdict is not Verdict.PASS


def test_a_model_that_avoids_the_request_gives_it_away() -> None:
    found = audited(Memory([*world().retain], STRENGTH, draw=7).avoiding(world().request))
    assert (found.verdict, found.label) == (Verdict.FAIL, "over-forgotten")


@pytest.mark.slow
def test_without_references_the_request_may_be_hard_as_well() -> None:
    model = Memory([*world().retain], STRENGTH, draw=7).avoiding(world().request)
    found = audited(model, references=[], require_controls=False)
    assert (found.verdict, found.not_testable) == (Verdict.INCONCLUSIVE, "")
    assert any("harder than its controls" in reason for reason in found.reasons)


def test_a_collapsed_model_does_not_pass() -> None:
    found = audited(lambda ids, mask: torch.zeros(*ids.shape, 32) + 0.1 * torch.sin(ids.double())[..., None])
    assert found.verdict is not Verdict.PASS


def test_a_model_that_lost_the_language_is_told_so() -> None:
    own = world().retrained(7)
    found = audited(lambda ids, mask: own(ids, mask) / 20)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert any("it has lost the language" in reason for reason in found.reasons)


def test_a_model_that_was_trained_on_its_controls_is_invalid() -> None:
    found = audited(Memory([*world().train, *world().held_out], STRENGTH, draw=7))
    assert found.verdict is Verdict.INVALID
    assert any("trained on the controls" in reason for reason in found.reasons)


def test_without_references_a_blind_classifier_stands_in() -> None:
    found = audited(world().original, references=[])
    assert found.verdict is Verdict.FAIL
    assert found.controls.blind is not None
    assert found.controls.blind.holds
    assert any("uncalibrated" in reason for reason in found.reasons)


def test_an_original_that_shows_nothing_makes_it_not_testable() -> None:
    found = audited(world().retrained(7), baseline=world().retrained(8))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.not_testable


def test_documents_of_one_person_are_no_independent_evidence() -> None:
    persons = np.repeat(np.arange(60), 5)
    of_persons = world().task(groups=persons.tolist())
    half = Memory([*world().retain, *world().request[:75]], STRENGTH, draw=7)  # of every other person of the request
    alone, grouped = audited(half), audit_text_forgotten(half, of_persons.forget, 0.6)
    alone, grouped = (found.attacks["windows"] for found in (alone, grouped))
    assert grouped.value == pytest.approx(alone.value)
    assert grouped.high - grouped.low > 1.3 * (alone.high - alone.low)


def test_bare_documents_need_their_counterparts() -> None:
    with pytest.raises(ValueError, match="controls= is missing"):
        audit_text_forgotten(world().original, world().request)
    found = audit_text_forgotten(
        world().retrained(7),
        world().request,
        0.6,
        controls=world().held_out,
        baseline=world().original,
        references=world().references,
    )
    assert found.attacks["loss residual"] == honest().attacks["loss residual"]


def test_saved_scores_give_the_verdict_of_the_model_bit_for_bit(tmp_path: Path) -> None:
    model = world().retrained(7)
    encoder = encoder_of(model, task(), None, None)
    forget, controls = task().models.of(model).token_scores((task().forget, task().controls), encoder)
    asked = {"forget": world().request, "controls": world().held_out}
    SavedLogprobs(asked=asked, forget=forget, controls=controls).save(tmp_path / "scores.npz")
    saved, live = audited(SavedLogprobs.load(tmp_path / "scores.npz")), honest()
    assert saved.attacks == live.attacks
    assert (saved.verdict, saved.estimate, saved.controls) == (live.verdict, live.estimate, live.controls)


def test_saved_scores_that_say_of_nothing_which_tokens_they_are_of_are_refused() -> None:
    views, encoder = (task().forget, task().controls), encoder_of(None, task(), None, None)
    forget, controls = task().models.of(world().original).token_scores(views, encoder)
    hiding = forget.take(np.roll(np.arange(len(forget)), 1))  # the original's, of documents in another order
    with pytest.raises(ValueError, match="does not say which tokens its forget scores are of"):
        audited(SavedLogprobs(forget=hiding, controls=controls))
    asked = {"forget": world().request}
    with pytest.raises(ValueError, match="does not say which tokens its controls scores are of"):
        audited(SavedLogprobs(asked=asked, forget=hiding, controls=controls))
    asked = {"forget": np.roll(world().request, 1, axis=0).tolist(), "controls": world().held_out}
    with pytest.raises(ValueError, match="recorded on other tokens than the forget view's"):
        audited(SavedLogprobs(asked=asked, forget=hiding, controls=controls))


def test_saved_scores_of_other_documents_are_refused(tmp_path: Path) -> None:
    forget = task().models.of(world().original).token_scores((task().forget,), encoder_of(None, task(), None, None))[0]
    with pytest.raises(ValueError, match="nothing for the controls view"):
        audited(SavedLogprobs(asked={"forget": world().request}, forget=forget))
    with pytest.raises(ValueError, match="150 documents with 3450 tokens for the controls view"):
        audited(SavedLogprobs(asked={"forget": world().request}, forget=forget, controls=forget))
    (tmp_path / "other.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"other\.npz holds no log-probabilities"):
        SavedLogprobs.load(tmp_path / "other.npz")


def test_the_same_audit_gives_the_same_evidence_and_can_be_computed_again() -> None:
    first, second = honest(), audited(world().retrained(7))
    assert first.to_json() == second.to_json()
    assert first.scores is not None
    record = dict(first.scores)
    arrays = record.pop("arrays")
    evidence = json.loads(json.dumps(first.to_json()))
    assert list(differences(evidence, recompute(record, arrays))) == []


def test_controls_that_stand_in_the_request_are_refused() -> None:
    with pytest.raises(ValueError, match="1 controls are exact copies"):
        audited(world().retrained(7), controls=[*world().held_out, world().train[3]])


def test_no_document_stands_in_the_evidence() -> None:
    found = audited(world().original)
    assert [one.index for one in found.most_exposed]
    assert all(one.pixels is None and not one.named for one in found.most_exposed)


def _caught(found: Evidence) -> dict[str, tuple[float, float, float]]:
    tables = [one for one in found.figures if one.title == "Caught while 1% of controls are accused"]
    return {str(row[0]): row[1:] for table in tables for row in table.rows}


def test_what_is_caught_at_one_false_alarm_in_a_hundred_is_shown_beside_original_and_references() -> None:
    rows = _caught(audited(world().original))
    assert rows["unlearned, loss residual"][1] > 0.05
    assert rows["original, loss residual"] == rows["unlearned, loss residual"]
    assert all(rows[f"retrained {k}, loss residual"][1] < 0.05 for k in range(4))
    assert not any("deviation" in name for name in rows)


def test_it_is_left_out_where_controls_are_too_few_or_documents_are_of_persons() -> None:
    found = audited(world().retrained(7), controls=world().held_out[:290])
    assert not _caught(found)
    grouped = world().task(groups=np.repeat(np.arange(60), 5).tolist())
    assert not _caught(audit_text_forgotten(world().retrained(7), grouped.forget, 0.6))
