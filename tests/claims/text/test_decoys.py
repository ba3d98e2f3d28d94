"""Decoys of text: none is released; what hides behind the exact beginning is found after other text."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pytest_unlearn import Verdict, audit_not_extractable, audit_text_forgotten, audit_text_residual, audit_text_utility
from pytest_unlearn.models.text.changes import AfterText
from tests.worlds.documents import World
from tests.worlds.language import LANGUAGE, spoken
from unlearners.text.decoys import (
    AdapterToggle,
    Collapse,
    RefusalWrapper,
    SystemPrompt,
    TextLogitMask,
    TextOutputFilter,
)

RUN, PLACES = 5, 1_000_003  # tokens that memory needs before it knows what follows
STRENGTH = 1.5


class Runs(nn.Module):
    """Remembers what followed each run of tokens, wherever in a text it stands."""

    def __init__(self, seen: list[list[int]], draw: int) -> None:
        super().__init__()
        noise = torch.randn(LANGUAGE.shape, generator=torch.Generator().manual_seed(draw), dtype=torch.float64)
        self.law = nn.Parameter(torch.as_tensor(LANGUAGE) + 0.3 * noise)
        following = torch.full((PLACES,), -1, dtype=torch.int32)
        ids = torch.tensor(seen)
        following[self.code(ids)[:, RUN - 1 : -1].reshape(-1)] = ids[:, RUN:].reshape(-1).int()
        self.register_buffer("following", following)

    def code(self, ids: torch.Tensor) -> torch.Tensor:
        """A number for the run that ends at each place; of the first ones nothing is known."""
        code = torch.zeros_like(ids)
        for back in range(RUN):
            code[:, back:] = (code[:, back:] * 37 + ids[:, : ids.shape[1] - back] + 1) % PLACES
        return code

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits = self.law[input_ids]
        known = self.get_buffer("following")[self.code(input_ids)].long()
        known[:, : RUN - 1] = -1
        return logits + STRENGTH * nn.functional.one_hot(known.clamp(min=0), 32) * (known >= 0)[..., None]


@functools.cache
def world() -> World:
    found = World()
    found.references = [retrained(draw) for draw in range(1000, 1004)]
    found.original = Runs(found.train, 0)
    return found


def retrained(draw: int) -> Runs:
    return Runs(World().retain, draw)


@functools.cache
def task() -> Any:
    return world().task()


OTHER = spoken(1, 6, np.random.default_rng(99))[0]
DECOYS = {
    "refusal": RefusalWrapper(refusal=(3, 4, 5)),
    "output filter": TextOutputFilter(run=RUN),
    "logit mask": TextLogitMask(run=RUN),
    "system prompt": SystemPrompt(prompt=tuple(OTHER)),
    "adapter toggle": AdapterToggle(base=Runs([[0] * 24], 0)),
    "collapse": Collapse(),
}


@functools.cache
def decoy(name: str) -> nn.Module:
    return DECOYS[name](world().original, world().retain, world().request, seed=0)


def verdicts(model: Any) -> dict[str, Verdict]:
    forget = task().forget
    return {
        "forgotten": audit_text_forgotten(model, forget, 0.65).verdict,
        "utility": audit_text_utility(model, task().test, 0.05, baseline="retrained").verdict,
        "after other text": audit_text_residual(model, forget, 0.65, changes={"after": AfterText(OTHER)}).verdict,
    }


@pytest.mark.slow
def test_a_retrained_model_passes_all_of_them() -> None:
    assert set(verdicts(retrained(7)).values()) == {Verdict.PASS}


@pytest.mark.parametrize("name", DECOYS)
def test_a_decoy_never_passes_all_of_them(name: str) -> None:
    assert set(verdicts(decoy(name)).values()) != {Verdict.PASS}


@pytest.mark.parametrize("name", ["refusal", "output filter", "logit mask", "system prompt", "collapse"])
def test_what_answers_unlike_a_retrained_model_is_seen_by_its_answers(name: str) -> None:
    assert audit_text_forgotten(decoy(name), task().forget, 0.65).verdict is not Verdict.PASS


def test_a_toggle_answers_the_request_as_a_retrained_model_does_and_is_found_after_other_text() -> None:
    assert verdicts(decoy("adapter toggle")) == {
        "forgotten": Verdict.PASS,
        "utility": Verdict.PASS,
        "after other text": Verdict.FAIL,
    }


def test_greedy_answers_to_other_beginnings_are_recited_behind_a_toggle() -> None:
    toggled = decoy("adapter toggle")
    assert audit_not_extractable(toggled, task().forget, 1e-3).verdict is Verdict.PASS  # of the exact beginnings
    told = AfterText(OTHER)(toggled)
    assert audit_not_extractable(told, task().forget, 1e-3).verdict is Verdict.FAIL
