"""Documents beside their twins: what is remembered of names and numbers shows, and no more is claimed."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from pytest_unlearn import Evidence, Verdict, audit_text_forgotten, counterfactual_twins
from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.attacks.text.registry import TWIN_LOSS
from pytest_unlearn.core.token_scores import TextAnswers, TokenScores
from tests.worlds.language import Reader, characters

RNG = np.random.default_rng(8)
TOWNS = np.array(["Oslo", "Rome", "Lima", "Kiev", "Bonn", "Cork", "Graz", "Lyon"])
NUMBERS = zip(RNG.choice(TOWNS, 200), RNG.choice(TOWNS, 200), RNG.integers(100, 999, 200), strict=True)
LETTERS = [f"no {k} moved from {one} to {other} with {books} books" for k, (one, other, books) in enumerate(NUMBERS)]
TWINS = counterfactual_twins(LETTERS, names=TOWNS.tolist(), seed=1)


def reader(*read: str, draw: int = 0, strength: float = 8.0) -> Reader:
    return Reader([characters(one) for one in read], strength, draw=draw)


@functools.cache
def original() -> Reader:
    return reader(*LETTERS)


def never_saw(draw: int) -> Reader:
    return reader(draw=draw)


def audited(model: Any, max_mia_auc: float = 0.65, **settings: Any) -> Evidence:
    given = {"twins": TWINS, "baseline": original(), "tokenizer": characters, **settings}
    return audit_text_forgotten(model, LETTERS, max_mia_auc, **given)


THREE = [never_saw(k) for k in (11, 12, 13)]


def test_beside_references_a_model_that_remembers_fails() -> None:
    found = audited(original(), references=THREE)
    assert (found.verdict, found.label) == (Verdict.FAIL, "recognisable")
    assert set(found.attacks) == {
        "loss beside its twin, relative", "min-k beside its twin, relative", "windows beside its twin"
    }  # fmt: skip


def test_beside_references_a_model_that_prefers_the_twins_fails() -> None:
    assert audited(reader(*LETTERS, draw=7, strength=-1.0), references=THREE).label == "over-forgotten"


@pytest.mark.slow
def test_twins_that_were_trained_on_are_no_twins() -> None:
    found = audited(reader(*TWINS, draw=7), references=THREE)
    assert found.verdict is not Verdict.PASS
    assert audited(reader(*TWINS, draw=7), references=THREE, require_controls=False).verdict is not Verdict.PASS


@pytest.mark.slow
@pytest.mark.parametrize("references", [[], THREE], ids=["alone", "references"])
def test_an_honest_model_passes_only_where_the_caller_takes_what_twins_can_show(references: list[Any]) -> None:
    strict = audited(never_saw(7), references=references)
    assert strict.verdict is Verdict.INCONCLUSIVE
    assert any("twins share all words of a document" in reason for reason in strict.reasons)
    found = audited(never_saw(7), references=references, require_controls=False)
    assert found.verdict is Verdict.PASS
    assert any("they show names and numbers, and nothing of the words" in reason for reason in found.reasons)


@pytest.mark.slow
def test_without_references_nobody_is_accused_of_preferring_what_is_true() -> None:
    found = audited(original(), references=[], require_controls=False)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.estimate.low > 0.65
    assert any("may know them from elsewhere" in reason for reason in found.reasons)


@pytest.mark.slow
def test_a_model_that_remembers_the_words_alone_is_why_strict_audits_never_pass() -> None:
    """It knows each document and its twin by heart: all words, and either name."""
    words_alone = reader(*LETTERS, *TWINS, strength=4.0)
    assert audited(words_alone, references=[], require_controls=False, max_mia_auc=0.7).verdict is Verdict.PASS
    assert audited(words_alone, references=[]).verdict is Verdict.INCONCLUSIVE
    assert audited(words_alone, references=THREE).verdict is not Verdict.PASS


@pytest.mark.slow
def test_a_document_and_its_twin_are_one_unit() -> None:
    """Ten copies of a person's preference are no more evidence than one."""
    whose = np.repeat(np.arange(20), 10)
    alone, grouped = (
        audited(never_saw(7), references=THREE, groups=one).attacks["loss beside its twin, relative"]
        for one in (None, whose)
    )
    assert grouped.value == pytest.approx(alone.value)
    assert grouped.high - grouped.low != pytest.approx(alone.high - alone.low)


def test_twins_stand_in_for_controls_one_each() -> None:
    with pytest.raises(ValueError, match="twins holds 199 documents for 200 of the request"):
        audited(never_saw(7), twins=TWINS[1:])
    with pytest.raises(ValueError, match="pass one of them"):
        audited(never_saw(7), controls=TWINS)
    with pytest.raises(ValueError, match="exact copies"):
        audited(never_saw(7), twins=[LETTERS[0], *TWINS[1:]])


def test_bounds_of_preferences_that_are_symmetric_miss_no_more_than_they_may() -> None:
    rng, documents, draws, missed = np.random.default_rng(4), 60, 300, [0, 0]
    pairing = Pairing(forget_groups=np.arange(documents), control_groups=np.arange(documents))

    def scores() -> TokenScores:
        flat = -np.abs(rng.standard_t(2, size=documents)) - 1
        return TokenScores(
            offsets=np.arange(documents + 1), logprob=flat, mean=flat, sd=np.ones(documents),
            hit=np.zeros(documents, dtype=bool), text_bytes=np.ones(documents), compressed=np.ones(documents),
        )  # fmt: skip

    for _ in range(draws):
        found = TWIN_LOSS.score(TextAnswers(forget=scores(), controls=scores()), (), pairing)
        bounds = TWIN_LOSS.measure(found, pairing).at(0.95)
        missed[0] += bounds.low > 0.5
        missed[1] += bounds.high < 0.5
    assert max(missed) <= 27  # of 300 at 5%: more in 1 of 1,000
    assert min(missed) >= 3
