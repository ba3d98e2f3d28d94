"""Changed copies of a language model: what a fine weight hides comes back, what is gone does not."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from torch import nn

from pytest_unlearn import (
    CausalRecipe,
    Evidence,
    TextSplit,
    UnlearningTask,
    Verdict,
    audit_text_forgotten,
    audit_text_residual,
)
from pytest_unlearn.models.text.changes import MergedAdapters, RoundedMatrices, Sampled
from tests.claims.text import test_decoys as runs
from tests.worlds.documents import STRENGTH, World
from tests.worlds.language import Memory

FOUR_BITS = {"4-bit weights": RoundedMatrices(4)}


class Gated(nn.Module):
    """Answers as one model does, and as another where a small weight has been rounded away."""

    def __init__(self, shown: Memory, hidden: Memory) -> None:
        super().__init__()
        self.shown, self.hidden = shown, hidden
        self.gate = nn.Parameter(torch.tensor([[1.0, 0.01]]))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return (self.shown if self.gate[0, 1] > 0 else self.hidden)(input_ids, attention_mask)


@functools.cache
def world() -> Any:
    plain = World()
    plain.references = [Gated(one, one) for one in plain.references]
    plain.original = Gated(plain.original, plain.original)
    return plain


@functools.cache
def task() -> Any:
    return world().task()


def audited(shown: Memory, hidden: Memory, **settings: Any) -> Evidence:
    return audit_text_residual(Gated(shown, hidden), task().forget, 0.65, changes=FOUR_BITS, **settings)


def test_what_a_small_weight_hides_comes_back() -> None:
    hiding = world().retrained(7), world().trained(7)
    assert audit_text_forgotten(Gated(*hiding), task().forget, 0.65).verdict is Verdict.PASS
    found = audited(*hiding)
    assert found.verdict is Verdict.FAIL
    assert found.decided_by.startswith("4-bit weights: ")


def test_a_retrained_model_passes_changed_as_well() -> None:
    found = audited(world().retrained(7), world().retrained(7))
    assert found.verdict is Verdict.PASS
    assert all(control.holds for control in found.controls.retrained)
    assert found.estimate.n_forget == 135  # a tenth of the request is kept for being taught again


def test_what_is_gone_in_the_copies_alone_is_no_matter_of_this_claim() -> None:
    assert audited(Memory(world().train, STRENGTH, draw=7), world().retrained(7)).verdict is not Verdict.FAIL


class Adapted(Gated):
    """Shows one model, and is another once its adapter is merged."""

    def merge_and_unload(self) -> Gated:
        return Gated(self.hidden, self.hidden)


@pytest.mark.parametrize(("hidden", "verdict"), [("trained", Verdict.FAIL), ("retrained", Verdict.PASS)])
def test_what_an_adapter_covers_comes_back_when_it_is_merged(hidden: str, verdict: Verdict) -> None:
    model = Adapted(world().retrained(7), getattr(world(), hidden)(7))
    found = audit_text_residual(model, task().forget, 0.65, changes={"merged adapters": MergedAdapters()})
    assert found.verdict is verdict


def test_runs_that_samples_give_back_show_the_original_and_spare_a_retrained_model() -> None:
    changes = {"100 samples": Sampled()}
    found = audit_text_residual(world().original, task().forget, 0.65, changes=changes)
    assert (found.verdict, found.decided_by) == (Verdict.FAIL, "100 samples: runs residual")
    honest = Gated(world().retrained(7), world().retrained(7))
    assert audit_text_residual(honest, task().forget, 0.65, changes=changes).verdict is Verdict.PASS


def other_words(ids: list[int]) -> list[int]:
    return [ids[1], ids[0], *ids[2:]]


def test_a_toggle_that_knows_the_exact_words_is_found_by_paraphrases() -> None:
    toggled, own = runs.decoy("adapter toggle"), runs.task()
    assert audit_text_forgotten(toggled, own.forget, 0.65).verdict is Verdict.PASS
    paraphrases = {"first words swapped": other_words}
    found = audit_text_residual(toggled, own.forget, 0.65, changes={}, paraphrases=paraphrases)
    assert found.verdict is Verdict.FAIL
    assert found.decided_by.startswith("first words swapped: ")
    honest = audit_text_residual(runs.retrained(7), own.forget, 0.65, changes={}, paraphrases=paraphrases)
    assert honest.verdict is Verdict.PASS
    assert all(control.holds for control in honest.controls.retrained)


def test_paraphrases_that_are_none_are_refused_and_the_document_is_named() -> None:
    model, forget = runs.retrained(7), runs.task().forget
    with pytest.raises(ValueError, match="paraphrases= takes a mapping"):
        audit_text_residual(model, forget, changes={}, paraphrases={"words": "other words"})
    with pytest.raises(ValueError, match=r"empty: the paraphrase of forget\[0\]"):
        audit_text_residual(model, forget, changes={}, paraphrases={"empty": lambda ids: ids[:1]})
    with pytest.raises(ValueError, match="'4-bit weights' names a change and a paraphrase"):
        audit_text_residual(model, forget, changes=FOUR_BITS, paraphrases={"4-bit weights": other_words})


class Counting:
    """A change that changes nothing and counts how often it is asked to."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, model: Any) -> None:
        self.times += 1


def test_references_are_changed_once_for_all_models_that_a_task_judges() -> None:
    own, count = world().task(), Counting()
    models = [Gated(world().retrained(draw), world().retrained(draw)) for draw in (7, 8)]
    found = [audit_text_residual(one, own.forget, 0.65, changes={"as it is": count}) for one in models]
    assert count.times == 2 + 1 + len(own.retrained)
    alone = audit_text_residual(models[1], world().task().forget, 0.65, changes={"as it is": count})
    assert found[1].attacks == alone.attacks


def test_models_without_weights_and_bare_documents_are_refused() -> None:
    with pytest.raises(TypeError, match="a Memory shows none"):
        audit_text_residual(world().retrained(7), task().forget)
    with pytest.raises(ValueError, match=r"pass task\.forget"):
        audit_text_residual(world().original, world().request)
    with pytest.raises(ValueError, match="at least one"):
        audit_text_residual(world().original, task().forget, changes={})


@pytest.mark.slow
def test_models_of_an_adapter_recipe_are_merged_and_changed_beside_references_alike() -> None:
    peft = pytest.importorskip("peft")
    documents = world().train

    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.head = nn.Embedding(32, 8), nn.Linear(8, 32)

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.head(self.embedding(input_ids))
            return logits

    torch.manual_seed(0)
    adapter = peft.LoraConfig(r=2, target_modules=["head"])
    recipe = CausalRecipe(Small, None, epochs=1, base=Small(), adapter=adapter)
    split = TextSplit(documents, forget=range(150), test=world().held_out)
    own = UnlearningTask(
        split,
        recipe,
        original=recipe(documents, seed=0),
        references=[recipe(documents[150:], seed=draw) for draw in (1, 2, 3)],
    )
    found = audit_text_residual(recipe(documents[150:], seed=7), own.forget, 0.65)
    assert {"merged adapters: windows", "100 samples: runs residual", "4-bit weights: windows"} <= set(found.attacks)
    assert found.verdict is Verdict.INCONCLUSIVE  # so small a model remembers nothing
    assert found.not_testable
