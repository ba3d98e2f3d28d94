"""Extraction: closed forms, common text, an original that recites nothing, and what is refused."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest

from pytest_unlearn import Evidence, Verdict, audit_not_extractable
from pytest_unlearn.claims.text.extraction import Cut, Extraction
from pytest_unlearn.core.token_scores import TokenScores
from tests.worlds.documents import World
from tests.worlds.language import Memory

RECITES = 12.0  # nats: what was seen comes next almost surely


@functools.cache
def task() -> Any:
    world = World(forget=30, retain=40, controls=40)
    world.original = Memory(world.train, RECITES, draw=0)
    return world.task()


@functools.cache
def world() -> World:
    return World(forget=30, retain=40, controls=40)


def audited(model: Any, **settings: Any) -> Evidence:
    return audit_not_extractable(model, task().forget, 1e-3, **settings)


def scores(*documents: list[float]) -> TokenScores:
    flat = np.concatenate([np.array(one) for one in documents])
    return TokenScores(
        offsets=np.concatenate([[0], np.cumsum([len(one) for one in documents])]),
        logprob=flat,
        mean=flat,
        sd=np.ones(len(flat)),
        hit=np.zeros(len(flat), dtype=bool),
        text_bytes=np.ones(len(documents), dtype=np.int64),
        compressed=np.ones(len(documents), dtype=np.int64),
    )


def test_a_model_that_recites_the_request_fails() -> None:
    found = audited(Memory(world().train, RECITES, draw=7))
    assert (found.verdict, found.label) == (Verdict.FAIL, "regurgitated")
    assert found.estimate.low > 0.9


def test_one_recited_document_is_enough() -> None:
    found = audited(Memory([*world().retain, world().request[3]], RECITES, draw=7))
    assert found.verdict is Verdict.FAIL
    assert found.most_exposed[0].index == 3


def test_a_retrained_model_passes() -> None:
    found = audited(world().retrained(7))
    assert found.verdict is Verdict.PASS
    assert [control.holds for control in found.controls.retrained] == [True] * 4


def test_where_the_original_recites_nothing_nothing_is_shown() -> None:
    found = audited(world().retrained(7), baseline=world().original)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.not_testable == "the original recites nothing of the request with certainty"


def test_text_that_retrained_models_recite_is_common() -> None:
    known = Memory(world().train, RECITES, draw=7)
    common = [Memory(world().train, RECITES, draw=k) for k in range(20, 24)]
    found = audited(known, references=common, baseline=world().original)
    assert found.estimate.value == 0.0
    assert found.verdict is Verdict.INCONCLUSIVE  # the original recites nothing beyond them


def test_the_estimate_is_the_closed_form_in_logarithms() -> None:
    own = np.array([-20 * math.log(10), -5.0])
    measure = Extraction(own=own, references=(own - 100, own - 101, own - 99), tries=10**20)
    assert measure.value == pytest.approx(1.0)
    rare = Extraction(own=own[:1], references=(own[:1] - 100, own[:1] - 101), tries=10**20)
    assert rare.value == pytest.approx(-math.expm1(-1.0), rel=1e-12)
    assert rare.at(0.95).low == rare.value


def test_documents_are_cut_after_the_prefix_in_the_middle_or_where_the_prompt_ends() -> None:
    four = [-1.0, -2.0, -4.0, -8.0]
    answers = np.array([False, True])
    assert Cut(50, 50, answers).log_probabilities(scores(four, four)).tolist() == [-12.0, -15.0]
    assert Cut(1, 2, answers).log_probabilities(scores(four, four)).tolist() == [-6.0, -3.0]


def test_a_high_temperature_hides_nothing_from_greedy_decoding() -> None:
    model = Memory(world().train, RECITES, draw=7)
    found = audited(lambda ids, mask: model(ids, mask) / 20)
    assert (found.verdict, found.estimate.value) == (Verdict.FAIL, 1.0)


def test_more_tries_never_make_it_less_likely() -> None:
    model = Memory(world().train, 0.5, draw=7)
    few, many = (audited(model, tries=n).estimate.value for n in (10, 10_000))
    assert 0 <= few < many


@pytest.mark.parametrize("wrong", [{"tries": 0}, {"prefix": 0}, {"suffix": 1.5}], ids=["tries", "prefix", "suffix"])
def test_numbers_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be a whole number from 1"):
        audited(world().original, **wrong)
