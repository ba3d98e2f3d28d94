"""How much of a document a model saw at once is said by who audits, never by the record alone."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

from pytest_unlearn import TextSplit, UnlearningTask, Verdict, audit_text_forgotten, record_logprobs
from tests.worlds.language import LANGUAGE, spoken

DOCUMENTS, HELD_OUT = (spoken(count, 24, np.random.default_rng(count)) for count in (200, 80))
REQUEST, RETAINED = DOCUMENTS[:60], DOCUMENTS[60:]


class Recall:
    """A callable language model that knows the next token of what it has read, after so many tokens of it.

    `read` are pairs of documents and of how many tokens before one are needed to remember it.
    """

    def __init__(self, *read: tuple[list[list[int]], int], draw: int) -> None:
        self.law = torch.as_tensor(LANGUAGE + 0.3 * np.random.default_rng(draw).normal(size=LANGUAGE.shape))
        self.known = {
            tuple(ids[k - after : k]): ids[k] for part, after in read for ids in part for k in range(after, len(ids))
        }
        self.contexts = sorted({after for _, after in read})

    def __call__(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits = self.law[input_ids].clone()
        for row, ids in enumerate(input_ids.tolist()):
            for place, after in ((k, few) for few in self.contexts for k in range(few, len(ids) + 1)):
                following = self.known.get(tuple(ids[place - after : place]))
                if following is not None:
                    logits[row, place - 1, following] += 8.0
        return logits


@functools.cache
def task() -> UnlearningTask:
    references = [Recall((RETAINED, 3), draw=k) for k in (1, 2, 3)]
    split = TextSplit(DOCUMENTS, forget=range(60), test=HELD_OUT)
    return UnlearningTask(split, original=Recall((DOCUMENTS, 3), draw=0), references=references)


def test_a_record_of_short_pieces_does_not_hide_what_a_model_remembers_of_long_ones() -> None:
    needs_ten = Recall((RETAINED, 3), (REQUEST, 10), draw=7)
    assert audit_text_forgotten(needs_ten, task().forget, 0.65).verdict is Verdict.FAIL
    short = record_logprobs(needs_ten, task(), max_length=9)
    with pytest.raises(ValueError, match=r"document 0 has 24 tokens, and SavedLogprobs was recorded on 9 at once"):
        audit_text_forgotten(short, task().forget, 0.65)
    named = audit_text_forgotten(short, task().forget, 0.65, max_length=9)
    assert named.provenance["settings"]["max_length"] == 9


def test_a_record_of_whole_documents_is_asked_without_another_word() -> None:
    whole = record_logprobs(Recall((RETAINED, 3), draw=7), task(), max_length=24)
    found = audit_text_forgotten(whole, task().forget, 0.65)
    assert (found.verdict, found.provenance["settings"]["max_length"]) == (Verdict.PASS, 24)
