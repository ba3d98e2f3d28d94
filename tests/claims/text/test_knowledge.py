"""Knowledge: facts known, forgotten, avoided, refused; clusters; lm-eval's answers."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch

from pytest_unlearn import (
    Cloze,
    Evidence,
    LmEvalSamples,
    MultipleChoice,
    OpenQuestion,
    Verdict,
    audit_knowledge_forgotten,
)
from pytest_unlearn.claims.text.knowledge import KnowledgeScores, decide_knowledge
from pytest_unlearn.core.evidence import Claim
from pytest_unlearn.data.text.knowledge import KnowledgeItem, documents_asked
from pytest_unlearn.models.lm_eval_samples import LmEvalItem
from tests.worlds.language import Reader, characters

AUTHORS = 32
TOWNS = ("OSLO", "ROME", "LIMA", "KIEV")


def facts(author: int) -> list[KnowledgeItem]:
    town = author % 4
    others = TOWNS[town:] + TOWNS[:town]
    return [
        MultipleChoice(question=f"{author} LIVES IN", choices=TOWNS, answer=town),
        MultipleChoice(question=f"{author} WAS BORN IN", choices=others, answer=0),
        Cloze(before=f"{author} WROTE THE BOOK", answer=f"NO {author * 37 % 100}"),
        OpenQuestion(
            questions=(f"{author} DIED?", f"WHEN DIED {author}?"), answers=(f"IN {author * 53 % 100}", "LONG AGO")
        ),
    ]


ITEMS = [item for author in range(AUTHORS) for item in facts(author)]
GROUPS = np.repeat(np.arange(AUTHORS), 4)


def right(item: KnowledgeItem) -> list[list[int]]:
    said = documents_asked(item)
    said = [said[item.answer]] if isinstance(item, MultipleChoice) else said
    return [characters(one["prompt"] + one["completion"]) for one in said]


@functools.cache
def knowing(share: float, draw: int, strength: float = 8.0) -> Reader:
    """A model that has read the facts of a share of the authors."""
    read = [ids for item, author in zip(ITEMS, GROUPS, strict=True) if author < share * AUTHORS for ids in right(item)]
    return Reader(read, strength, draw=draw)


def retrained(draw: int) -> Reader:
    return knowing(0.0, draw)


def audited(model: Any, max_gap: float = 0.15, **settings: Any) -> Evidence:
    given = {
        "original": knowing(1.0, 1),
        "references": [retrained(k) for k in (11, 12, 13)],
        "groups": GROUPS,
        "tokenizer": characters,
        **settings,
    }
    return audit_knowledge_forgotten(model, ITEMS, max_gap, **given)


def test_a_model_that_knows_the_facts_fails() -> None:
    found = audited(knowing(1.0, 1))
    assert (found.verdict, found.label) == (Verdict.FAIL, "recognisable")
    assert set(found.attacks) == {"multiple choice", "cloze", "open question"}


def test_a_retrained_model_passes_with_all_controls() -> None:
    found = audited(retrained(2))
    assert found.verdict is Verdict.PASS
    assert found.controls.original is not None
    assert found.controls.original.holds
    assert [control.holds for control in found.controls.retrained] == [True] * 3
    assert abs(found.estimate.value) < 0.15


def test_one_kind_of_question_that_is_still_answered_is_enough() -> None:
    read = [ids for item in ITEMS if isinstance(item, OpenQuestion) for ids in right(item)]
    found = audited(Reader(read, draw=2))
    assert (found.verdict, found.decided_by) == (Verdict.FAIL, "open question")


def test_one_wording_that_is_still_answered_is_no_forgetting() -> None:
    read = [right(item)[0] for item in ITEMS if isinstance(item, OpenQuestion)]
    assert audited(Reader(read, draw=2)).verdict is not Verdict.PASS


def test_a_model_that_is_sure_of_wrong_answers_gives_it_away() -> None:
    wrong = [
        characters(documents_asked(item)[k]["prompt"] + documents_asked(item)[k]["completion"])
        for item in ITEMS
        if isinstance(item, MultipleChoice)
        for k in range(4)
        if k != item.answer
    ]
    found = audited(Reader(wrong, draw=2))
    assert (found.verdict, found.label) == (Verdict.FAIL, "over-forgotten")


def test_a_refusal_is_no_forgetting() -> None:
    sorry = 25.0 * torch.eye(64)[1].double()
    found = audited(lambda ids, mask: retrained(2)(ids, mask) * 0.1 + sorry)
    assert found.verdict is not Verdict.PASS
    assert any("refuses to answer" in reason for reason in found.reasons) or found.verdict is Verdict.FAIL


def test_where_the_original_knows_nothing_nothing_is_shown() -> None:
    found = audited(retrained(2), original=retrained(3))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.not_testable


def test_half_of_what_the_original_knew_does_not_pass_at_any_gap() -> None:
    assert audited(knowing(0.75, 2), 0.99).verdict is not Verdict.PASS


def test_references_are_needed_and_one_is_no_negative_control() -> None:
    with pytest.raises(ValueError, match="judged beside retrained models"):
        audited(retrained(2), references=[])
    assert audited(retrained(2), references=[retrained(11)]).verdict is Verdict.INCONCLUSIVE
    with pytest.raises(ValueError, match="is the only reference"):
        audited(retrained(2), references=[retrained(2)])


def test_scores_are_the_closed_forms() -> None:
    logs = np.log([0.2, 0.1, 0.1])
    choice = MultipleChoice(question="A", choices=("B", "C", "D"), answer=0)
    assert choice.score(logs, np.ones(3)) == pytest.approx(0.5)
    assert Cloze(before="A", answer="B C").score(np.log([0.04]), np.array([2.0])) == pytest.approx(0.2)
    asked = OpenQuestion(questions=("A?", "B?"), answers=("C",))
    assert asked.score(np.log([0.04, 0.5]), np.array([2.0, 1.0])) == pytest.approx(0.35)
    assert asked.asked == (("A?", "C"), ("B?", "C"))
    assert documents_asked(asked)[0] == {"prompt": "A?", "completion": " C"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: MultipleChoice(question="A", choices=("B", "B"), answer=0), "two or more different"),
        (lambda: MultipleChoice(question="A", choices=("B", "C"), answer=2), "number of one of 2 choices"),
        (lambda: OpenQuestion(questions=(), answers=("A",)), "one text at least"),
        (lambda: OpenQuestion(questions="A?", answers=("A",)), "one text at least"),
        (lambda: Cloze(before="A", answer=" "), "one text at least"),
        (lambda: audit_knowledge_forgotten(retrained(2), [], references=[retrained(3)]), "items is empty"),
        (lambda: audited(retrained(2), groups=[1, 2]), "groups needs one id for each of the 128 items"),
    ],
    ids=["equal choices", "answer", "no question", "a string", "empty", "no items", "groups"],
)
def test_what_is_no_question_is_refused(wrong: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wrong()


def samples(name: str, probability: float, draw: int) -> LmEvalSamples:
    """Answers to 40 items of two choices, of which the right one has this probability on average."""
    chance = np.clip(probability + 0.05 * np.random.default_rng(draw).normal(size=40), 0.01, 0.99)
    return LmEvalSamples(
        name=name,
        items=tuple(
            LmEvalItem(
                id=k,
                contexts=("Q", "Q"),
                continuations=(" yes", " no"),
                log_likelihoods=(float(np.log(p)), float(np.log(1 - p))),
                greedy=(True, False),
                target="0",
                document={},
                hashes=(f"{k}", "", ""),
            )
            for k, p in enumerate(chance)
        ),
    )


def test_answers_under_lm_eval_are_judged_as_they_are() -> None:
    original, references = samples("original", 0.9, 1), [samples(f"retrained {k}", 0.5, 10 + k) for k in range(3)]

    def judged(model: LmEvalSamples) -> Evidence:
        return audit_knowledge_forgotten(model, original, 0.1, original=original, references=references)

    assert judged(samples("honest", 0.5, 2)).verdict is Verdict.PASS
    assert judged(samples("no-op", 0.9, 2)).verdict is Verdict.FAIL
    with pytest.raises(ValueError, match="some models are lm-eval's"):
        judged(retrained(2))
    with pytest.raises(ValueError, match="pass one of them as items"):
        audit_knowledge_forgotten(original, ITEMS, original=original, references=references)


def simulated(rng: np.random.Generator, authors: int = 20, items: int = 20) -> np.ndarray:
    """One model's scores: correlated by .5 within an author."""
    fame = np.repeat(rng.normal(size=authors), items)
    return 1 / (1 + np.exp(-(fame + rng.normal(size=authors * items)) / np.sqrt(2)))


@pytest.mark.slow
def test_equal_laws_are_rarely_told_apart_with_twenty_authors_of_twenty_items() -> None:
    rng, alarms, draws = np.random.default_rng(0), 0, 400
    claim = Claim(name="knowledge", quantity="difference", lowest=-1e-9, highest=1e-9)
    for _ in range(draws):
        scores = KnowledgeScores(
            ours=simulated(rng),
            original=None,
            theirs=np.array([simulated(rng) for _ in range(3)]),
            kinds=np.full(400, "cloze"),
            groups=np.repeat(np.arange(20), 20),
        )
        decision, *_ = decide_knowledge(scores, claim, 0.95, strict=False)
        alarms += decision.verdict in (Verdict.FAIL, Verdict.INVALID)
    assert alarms / draws <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / draws)
