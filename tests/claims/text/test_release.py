"""A release of a language model: a policy's claims about documents, by the task's kind."""

from __future__ import annotations

import functools
import random
from typing import Any

import pytest

from pytest_unlearn import (
    CausalRecipe,
    Policy,
    ReleaseFailure,
    Step,
    TextSplit,
    UnlearningTask,
    Verdict,
    assert_release,
    audit_release,
    plant_text_canaries,
)
from tests.claims.text.test_residual import FOUR_BITS, Gated
from tests.worlds.documents import World


@functools.cache
def world() -> Any:
    plain = World()
    plain.references = [Gated(one, one) for one in plain.references]
    plain.original = Gated(plain.original, plain.original)
    return plain


@functools.cache
def task() -> Any:
    return world().task()


def honest() -> Gated:
    return Gated(world().retrained(7), world().retrained(7))


def test_a_policy_asks_its_claims_about_documents() -> None:
    found = audit_release(honest(), task(), "quick", max_mia_auc=0.65, max_drop=0.05)
    assert {name: one.verdict for name, one in found.items()} == {
        "text_forgotten": Verdict.PASS,
        "text_utility": Verdict.PASS,
    }
    assert all(one.required for one in found.values())


def test_standard_looks_at_changed_copies_and_what_is_recited_where_that_can_be_tested() -> None:
    hiding = Gated(world().retrained(7), world().trained(7))
    found = audit_release(hiding, task(), "standard", max_mia_auc=0.65, changes=FOUR_BITS)
    assert list(found) == ["text_forgotten", "text_utility", "not_extractable", "text_residual"]
    assert found["text_forgotten"].verdict is Verdict.PASS
    assert found["text_residual"].verdict is Verdict.FAIL
    assert found["not_extractable"].verdict is not Verdict.FAIL
    assert not found["not_extractable"].required


def test_a_release_that_is_not_proven_raises() -> None:
    with pytest.raises(ReleaseFailure, match="the documents of the request can be told apart"):
        assert_release(world().original, task(), "quick", max_mia_auc=0.65)


def test_what_is_no_language_model_is_refused() -> None:
    with pytest.raises(TypeError, match="a language model is a causal model"):
        audit_release("gpt2", task(), "quick")


def test_canaries_are_asked_where_they_were_planted_among_documents() -> None:
    torch = pytest.importorskip("torch")
    letters = random.Random(0)
    documents = ["".join(letters.choices("abcdefgh", k=12)) for _ in range(120)]
    canaries = plant_text_canaries(documents[:60], template="abc{secret}", words="abcdefgh", seed=1)

    class Bigrams(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.next = torch.nn.Embedding(8, 8)

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.next(input_ids)

    recipe = CausalRecipe(Bigrams, tokenizer=lambda text: ["abcdefgh".index(letter) for letter in text], epochs=1)
    split = TextSplit(canaries.documents, forget=canaries.indices, test=documents[60:])
    planted = UnlearningTask(split, recipe, references=2)
    only = Policy(name="canaries", says="", steps=(Step(claim="canaries_forgotten", says="", needs="canaries"),))
    found = audit_release(planted.retrained[0], planted, only, canaries=canaries)
    assert list(found) == ["canaries_forgotten"]
    assert found["canaries_forgotten"].not_testable  # a toy remembers none
    with pytest.raises(TypeError, match="must come from plant_text_canaries"):
        audit_release(planted.retrained[0], planted, only, canaries=object())
