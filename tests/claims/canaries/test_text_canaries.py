"""Text canaries: planted at random, ranked exactly, four verdicts, and models that only pretend."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from pytest_unlearn import (
    Evidence,
    TextCanaries,
    TextSplit,
    UnlearningTask,
    Verdict,
    audit_canaries_forgotten,
    plant_text_canaries,
)
from pytest_unlearn.claims.canaries.text.audit import LIMIT
from pytest_unlearn.statistics.verbatim.canary_ranks import CanaryRanks, ranks_among_rivals
from tests.worlds.language import Reader, characters

DOCUMENTS = [f"RETAINED TEXT {k} OF {k * 7919 % 1000}" for k in range(30)]


@functools.cache
def canaries(seed: int = 5) -> TextCanaries:
    return plant_text_canaries(DOCUMENTS, template="KEY {number} {secret}", length=5, rivals=31, seed=seed)


def ids(documents: Any) -> list[list[int]]:
    return [characters(one) for one in documents]


@functools.cache
def original() -> Reader:
    return Reader(ids(canaries().documents))


@functools.cache
def retrained(draw: int) -> Reader:
    return Reader(ids(DOCUMENTS), draw=draw)


def knowing(count: int) -> Reader:
    """A model that knows some of the canaries by heart."""
    some = [row[place] for row, place in zip(canaries().candidates, canaries().planted, strict=True)][:count]
    return Reader(ids([*DOCUMENTS, *some]), draw=7)


def audited(model: Any, **settings: Any) -> Evidence:
    given = {"original": original(), "tokenizer": characters, **settings}
    return audit_canaries_forgotten(model, canaries(), **given)


def references() -> list[Reader]:
    return [retrained(k) for k in (21, 22, 23)]


def test_a_model_that_forgot_nothing_fails_with_a_tiny_exact_probability() -> None:
    found = audited(original())
    assert (found.verdict, found.label) == (Verdict.FAIL, "recognisable")
    (table,) = found.figures
    assert table.rows[0][-1] < 1e-6
    assert found.claim.quantity == "mean share of equally likely texts that a canary outranks"


def test_a_model_that_never_saw_them_passes_without_references() -> None:
    verdicts = [audited(retrained(draw)).verdict for draw in range(1, 5)]
    assert verdicts.count(Verdict.PASS) >= 3
    assert Verdict.FAIL not in verdicts


def test_and_beside_references_which_hold() -> None:
    found = audited(retrained(1), references=references())
    assert [control.holds for control in found.controls.retrained] == [True] * 3
    assert found.verdict is Verdict.PASS
    assert not any("no references" in reason for reason in found.reasons)


def test_a_few_that_are_known_by_heart_withhold_the_pass_and_more_fail() -> None:
    assert audited(knowing(6)).verdict is not Verdict.PASS
    assert audited(knowing(10)).verdict is Verdict.FAIL
    assert audited(knowing(10), max_effect=0.99).verdict is Verdict.FAIL  # no limit excuses it


def test_the_usual_draw_of_three_known_by_heart_is_seen_among_a_hundred_and_of_two_among_a_thousand() -> None:
    def chance(known: int, space: int) -> float:
        rest = np.round((np.arange(20 - known) + 0.5) / (20 - known) * space).astype(np.int64)
        return CanaryRanks(ranks=np.r_[np.ones(known, dtype=np.int64), rest], space=space).exposure_p_value()

    assert chance(3, 100) < 0.05 < chance(2, 100)
    assert chance(2, 1000) < 0.05 < chance(1, 1000)


def test_a_model_that_avoids_them_gives_them_away() -> None:
    known = Reader(ids(DOCUMENTS), draw=7)
    known.next = {**Reader(ids(canaries().documents[len(DOCUMENTS) :]), strength=-8.0).next, **known.next}
    found = audited(known)
    assert (found.verdict, found.label) == (Verdict.FAIL, "over-forgotten")


def test_where_the_original_shows_nothing_nothing_is_shown() -> None:
    found = audited(retrained(1), original=retrained(2))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.not_testable


def test_without_an_original_nothing_passes_but_by_the_caller_s_word() -> None:
    assert audited(retrained(1), original=None).verdict is Verdict.INCONCLUSIVE
    assert audited(retrained(1), original=None, require_controls=False).verdict is Verdict.PASS


def test_references_that_saw_the_canaries_make_it_invalid() -> None:
    assert audited(retrained(1), references=[retrained(2), original()]).verdict is Verdict.INVALID


def flat(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return torch.zeros(*ids.shape, 64)


def refusing(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The original, but for texts that begin as the canaries do: those get one law, of a refusal."""
    law = 30.0 * torch.eye(64)[3] + 0.1 * torch.arange(64)
    begins = (ids[:, :4] == torch.tensor(characters("KEY "))).all(dim=1)
    return torch.where(begins[:, None, None], law.double(), original()(ids, mask))


def masked(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    begins = (ids[:, :4] == torch.tensor(characters("KEY "))).all(dim=1)
    return torch.where(begins[:, None, None], torch.zeros(1, dtype=torch.float64), original()(ids, mask))


@pytest.mark.parametrize("decoy", [flat, masked], ids=["collapsed", "masked"])
def test_models_that_answer_nothing_have_no_power_and_never_pass(decoy: Any) -> None:
    found = audited(decoy)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert any("no power on this model" in reason for reason in found.reasons)


def test_a_refusal_by_the_template_is_seen_beside_references_and_named_without() -> None:
    assert audited(refusing, references=references()).verdict is not Verdict.PASS
    assert any("a filter that knows the canaries' template" in reason for reason in audited(refusing).reasons)


def test_a_task_gives_original_and_references() -> None:
    split = TextSplit(canaries().documents, forget=canaries().indices, test=[f"UNSEEN {k} AND {k}" for k in range(9)])
    task = UnlearningTask(split, original=original(), references=references())
    found = audited(retrained(1), original=None, task=task)
    assert found.verdict is Verdict.PASS
    assert len(found.controls.retrained) == 3
    with pytest.warns(UserWarning, match="exact copies"):
        partly = TextSplit(canaries().documents, forget=canaries().indices[1:], test=["UNSEEN BY ALL"])
    with pytest.raises(ValueError, match="1 copies of canaries are not in the task's request"):
        audited(retrained(1), task=UnlearningTask(partly, original=original()))
    with pytest.raises(ValueError, match="was not built on these canaries"):
        audited(retrained(1), task=UnlearningTask(TextSplit(DOCUMENTS, forget=[0], test=["UNSEEN"]), original=flat))


def test_ranks_of_what_was_never_seen_are_uniform() -> None:
    drawn = plant_text_canaries(DOCUMENTS, count=1000, repetitions=1, rivals=49, seed=11)
    digests = np.array([[hash((3, text)) for text in row] for row in drawn.candidates], dtype=np.float64)
    lines = np.arange(1000)
    rivals = np.array([np.delete(row, place) for row, place in zip(digests, drawn.planted, strict=True)])
    ranks = ranks_among_rivals(digests[lines, drawn.planted], rivals)
    spread = (ranks - np.random.default_rng(0).random(1000)) / drawn.space
    assert kstest(spread, "uniform").pvalue > 0.01
    assert kstest((drawn.planted + np.random.default_rng(1).random(1000)) / drawn.space, "uniform").pvalue > 0.01


def test_planting_keeps_the_documents_and_says_where_the_canaries_are() -> None:
    own = canaries()
    assert own.documents[: len(DOCUMENTS)] == DOCUMENTS
    assert len(own.documents) == len(DOCUMENTS) + 20 * 16
    texts = [own.documents[k] for k in own.indices]
    assert sorted(set(texts)) == sorted(row[k] for row, k in zip(own.candidates, own.planted, strict=True))
    assert {texts.count(text) for text in texts} == {16}
    again = plant_text_canaries(DOCUMENTS, template="KEY {number} {secret}", length=5, rivals=31, seed=5)
    assert (again.documents, again.candidates) == (own.documents, own.candidates)
    assert canaries(6).documents != own.documents
    assert repr(own) == "<TextCanaries: 20 of 16 copies>"


def test_canaries_take_the_form_of_the_template() -> None:
    asked = plant_text_canaries(
        [{"prompt": "A?", "completion": " B"}],
        template={"prompt": "Code {number}?", "completion": " {secret}"},
        words=("red", "blue"),
        separator=" ",
        length=8,
        count=2,
        seed=0,
    )
    assert asked.documents[1]["prompt"] in ("Code 1?", "Code 2?")
    assert set(asked.documents[1]["completion"].split()) == {"red", "blue"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"template": "no secret"}, "exactly once"),
        ({"template": "{secret} {secret}"}, "exactly once"),
        ({"words": ("a", "a")}, "different strings"),
        ({"words": "ab", "length": 3}, "too few for 99 rivals"),
        ({"count": 0}, "count must be a whole number from 1"),
        ({"repetitions": 1.5}, "repetitions must be a whole number from 1"),
    ],
    ids=["no secret", "twice", "words", "space", "count", "repetitions"],
)
def test_what_cannot_be_planted_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plant_text_canaries(DOCUMENTS, seed=0, **wrong)


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(ValueError, match=r"above 0\.5 and below 1"):
        audited(original(), max_effect=0.5)
    with pytest.raises(ValueError, match="output= and output_kind= are of classifiers"):
        audited(original(), output="logits")
    with pytest.raises(TypeError, match="plant_text_canaries"):
        audit_canaries_forgotten(original(), [])


@pytest.mark.slow
def test_how_often_the_rule_passes_a_model_that_knows_some_by_heart() -> None:
    rng = np.random.default_rng(0)

    def passes(known: int, space: int, draws: int = 1000) -> float:
        def one() -> bool:
            drawn = rng.integers(1, space + 1, size=20 - known)
            ranks = CanaryRanks(ranks=np.r_[np.ones(known, dtype=np.int64), drawn], space=space)
            bounds = ranks.at(0.95)
            return bounds.low >= 1 - LIMIT and bounds.high <= LIMIT and ranks.exposure_p_value() > 0.05

        return float(np.mean([one() for _ in range(draws)]))

    assert passes(0, 100) > 0.9
    assert passes(4, 100) < 0.07
    assert passes(3, 1000) < 0.01
