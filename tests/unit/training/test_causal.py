"""CausalRecipe: seeded, cached, from scratch and from a base; what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pytest_unlearn import CausalRecipe, TextSplit, UnlearningTask, audit_text_utility
from pytest_unlearn.models.identity import identify_module
from tests.worlds.language import letters, spoken

VOCABULARY = 32


class Small(nn.Module):
    """A language model of the last token, which no library is needed for."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 8)
        self.head = nn.Linear(8, VOCABULARY)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.embedding(input_ids))
        return logits


def documents(seed: int = 0, count: int = 60) -> list[list[int]]:
    return spoken(count, 12, np.random.default_rng(seed))


def recipe(**settings: Any) -> CausalRecipe:
    return CausalRecipe(Small, None, **{"epochs": 4, "learning_rate": 0.05, **settings})


def state(model: nn.Module) -> str:
    return identify_module(model).state


def test_the_same_seed_gives_the_same_model_and_leaves_no_trace() -> None:
    before = torch.get_rng_state()
    first, again, other = (recipe()(documents(), seed=seed) for seed in (1, 1, 2))
    assert state(first) == state(again) != state(other)
    assert torch.equal(before, torch.get_rng_state())
    assert not first.training


def test_training_learns_the_language() -> None:
    trained = recipe(epochs=30)(documents(), seed=0)
    found = audit_text_utility(trained, documents(1), baseline=Small())
    assert found.estimate.high < -0.1  # tokens are more probable than before


@pytest.mark.slow
def test_models_are_cached_and_the_key_knows_the_documents(tmp_path: Path) -> None:
    def task(request: range) -> UnlearningTask:
        split = TextSplit(documents(), forget=request, test=documents(1))
        return UnlearningTask(split, recipe(), references=2, cache_dir=tmp_path)

    first, again, other = task(range(10)), task(range(10)), task(range(11))
    trained = [one.trained_references for one in (first, again, other)]
    assert [[made.source for made in one] for one in trained] == [["trained"] * 2, ["store"] * 2, ["trained"] * 2]
    assert state(first.retrained[0]) == state(again.retrained[0]) != state(other.retrained[0])


def test_a_base_is_where_training_starts_and_stays_as_it_was() -> None:
    base = recipe()(documents(5), seed=0)
    before = state(base)
    barely = recipe(base=base, epochs=1, learning_rate=1e-9)(documents(), seed=3)
    torch.testing.assert_close(barely.head.weight, base.head.weight, atol=1e-6, rtol=0)
    assert state(base) == before


def test_the_prompt_is_not_learned() -> None:
    half = [{"prompt": "ab", "completion": "cd"}] * 20
    model = CausalRecipe(Small, letters, epochs=40, learning_rate=0.1)(half, seed=0)
    with torch.no_grad():
        law = model(torch.tensor([letters("abcd")]), None).softmax(-1)[0]
    assert law[1, 2] > 0.9  # c after b
    assert law[2, 3] > 0.9  # d after c
    assert law[0, 1] < 0.5  # b after a


def test_long_documents_are_cut() -> None:
    model = recipe(max_length=4)(documents(), seed=0)
    assert state(model) != state(recipe()(documents(), seed=0))


@pytest.mark.parametrize(
    ("settings", "kind", "said"),
    [
        ({"epochs": 0}, ValueError, "epochs must be a whole number from 1"),
        ({"build": Small()}, TypeError, "build is a model"),
        ({"base": "gpt2"}, TypeError, "nothing is loaded by name here"),
        ({"warmup": 1.0}, ValueError, "warmup"),
        ({"max_length": 1}, ValueError, "max_length must be a whole number from 2"),
        ({"key": ""}, TypeError, "key must be a string"),
    ],
    ids=["epochs", "build", "base", "warmup", "max_length", "key"],
)
def test_what_could_only_fail_later_is_refused(settings: dict[str, Any], kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        CausalRecipe(**{"build": Small, "tokenizer": None, **settings})


def test_a_training_that_diverges_is_named() -> None:
    class Diverging(Small):
        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return super().forward(input_ids, attention_mask) * float("nan")

    with pytest.raises(FloatingPointError, match="diverged"):
        CausalRecipe(Diverging, None, epochs=1)(documents(), seed=0)
