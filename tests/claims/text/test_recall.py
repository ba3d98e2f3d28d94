"""ReCaLL: what a text before them changes of documents, beside references that were asked after the same text."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch

from pytest_unlearn import Evidence, TextSplit, UnlearningTask, Verdict, audit_text_forgotten, record_logprobs
from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.attacks.text.prefix import recall_residual
from pytest_unlearn.core.token_scores import TextAnswers
from tests.unit.attacks.text.documents import scored
from tests.worlds.documents import World
from tests.worlds.language import LANGUAGE, spoken

PREFIX = spoken(1, 8, np.random.default_rng(77))[0]
NAME = "ReCaLL residual"


class Forgetful:
    """A callable language model that loses what it remembers of a document as soon as something stands before it.

    `alone` are documents whose tokens are likelier by a nat where nothing does, and no likelier after another text;
    `evened` says that the first is hidden, by as much as it would show.
    """

    def __init__(self, alone: list[list[int]], draw: int, *, evened: bool = False) -> None:
        self.law = torch.as_tensor(LANGUAGE + 0.3 * np.random.default_rng(draw).normal(size=LANGUAGE.shape))
        self.known = {tuple(ids[:4]): ids for ids in alone}
        self.evened = evened

    def __call__(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits = self.law[input_ids].clone()
        for row, ids in enumerate(input_ids.tolist()):
            start = 0 if not self.evened else len(PREFIX)
            known = self.known.get(tuple(ids[start : start + 4]))
            if known is not None and len(ids) == start + len(known):
                places = torch.arange(start, start + len(known) - 1)
                logits[row, places, torch.tensor(known[1:])] += -1.0 if self.evened else 1.0
        return logits


@functools.cache
def world() -> World:
    return World()


@functools.cache
def task() -> UnlearningTask:
    references = [Forgetful(world().retain, draw) for draw in range(1000, 1004)]
    split = TextSplit(world().train, forget=range(150), test=world().held_out)
    return UnlearningTask(split, original=Forgetful(world().train, 0), references=references)


def audited(model: Any, **settings: Any) -> Evidence:
    return audit_text_forgotten(model, task().forget, 0.65, recall_prefix=PREFIX, **settings)


def test_the_original_is_recognised_by_what_a_text_before_documents_changes() -> None:
    found = audited(task().original)
    assert found.attacks[NAME].low > 0.65
    assert NAME not in found.deciding
    assert found.provenance["settings"]["recall_prefix"] == PREFIX


def test_a_retrained_model_shows_nothing_by_it_and_passes() -> None:
    found = audited(Forgetful(world().retain, 7))
    assert found.verdict is Verdict.PASS
    assert found.attacks[NAME].low < 0.5 < found.attacks[NAME].high


def test_what_shows_after_another_text_alone_fails_by_it_alone() -> None:
    hiding = Forgetful(world().request, 7, evened=True)
    assert audit_text_forgotten(hiding, task().forget, 0.65).verdict is Verdict.PASS
    found = audited(hiding)
    assert (found.verdict, found.decided_by) == (Verdict.FAIL, NAME)


def test_the_residual_is_of_the_ratio_of_losses() -> None:
    def answers(alone: list[list[float]], after: list[list[float]]) -> TextAnswers:
        sides = [TextAnswers(forget=scored(*one[:2]), controls=scored(*one[2:])) for one in (alone, after)]
        return TextAnswers(forget=sides[0].forget, controls=sides[0].controls, after=sides[1])

    plain = [[-1.0], [-2.0], [-1.0], [-2.0], [-3.0], [-4.0]]
    doubled = [[2 * one] for (one,) in plain]
    told = [[-9.0], [-2.0], *doubled[2:]]  # ratios 9 and 1 against 2
    references = [answers(plain, [[(2 + k / 10) * one] for (one,) in plain]) for k in range(2)]
    found = recall_residual(answers(plain, told), references, Pairing())
    assert found.forget[0] > found.controls.max() >= found.controls.min() > found.forget[1]


@pytest.mark.parametrize(
    ("prefix", "sentence"),
    [
        (lambda: world().request[0], "one of the forget documents"),
        (lambda: world().held_out[0], "one of the controls documents"),
        (lambda: world().retain[0], "one of the training documents"),
    ],
)
def test_a_prefix_that_was_trained_on_or_is_judged_is_refused(prefix: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        audit_text_forgotten(task().original, task().forget, recall_prefix=prefix())


def test_records_cannot_be_asked_after_another_text() -> None:
    saved = record_logprobs(Forgetful(world().retain, 7), task())
    with pytest.raises(ValueError, match="SavedLogprobs cannot be asked"):
        audited(saved)
