"""Changed copies: the model itself stays as it was, and the same change gives the same copy."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from pytest_unlearn.data.text.documents import Documents
from pytest_unlearn.data.text.encoding import Encoder
from pytest_unlearn.models.identity import identify_module
from pytest_unlearn.models.text.changes import AfterText, MergedAdapters, RoundedMatrices, TrainedFurther, changed
from pytest_unlearn.training.causal import Descent


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(8, 4), nn.Linear(4, 8)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.embedding(input_ids))
        return logits


def further() -> TrainedFurther:
    documents = Encoder().encode(Documents([[1, 2, 3, 4]] * 8, "documents").documents)
    return TrainedFurther(documents, Descent(epochs=2, learning_rate=0.1))


@pytest.mark.parametrize("change", [RoundedMatrices(4), further()], ids=["rounded", "trained"])
def test_the_copy_is_changed_and_the_model_is_not(change: Any) -> None:
    model = Small()
    before = identify_module(model).state
    first, again = (identify_module(changed(model, change)).state for _ in range(2))
    assert identify_module(model).state == before != first
    assert first == again


def test_rounding_leaves_so_many_steps_a_row_and_vectors_as_they_are() -> None:
    model = Small()
    copy = changed(model, RoundedMatrices(2))
    assert all(len(row.unique()) <= 3 for row in copy.head.weight)
    assert torch.equal(copy.head.bias, model.head.bias)
    fine = changed(model, RoundedMatrices(8))
    torch.testing.assert_close(
        fine.head.weight, model.head.weight, atol=float(model.head.weight.detach().abs().max()) / 200, rtol=0
    )


def test_equal_changes_are_one_and_others_are_not() -> None:
    assert {further(), further(), RoundedMatrices(4), RoundedMatrices(4), AfterText([1, 2]), AfterText((1, 2))} == {
        further(),
        RoundedMatrices(4),
        AfterText([1, 2]),
    }
    assert AfterText([1, 2]) != AfterText([2, 1])


def test_merging_leaves_a_model_without_adapters_as_it_is() -> None:
    model = Small()
    assert identify_module(changed(model, MergedAdapters())).state == identify_module(model).state


def test_a_merged_adapter_answers_as_it_did_before() -> None:
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    adapter = peft.LoraConfig(r=2, target_modules=["head"], init_lora_weights=False)
    model = peft.get_peft_model(Small(), adapter).eval()
    ids = torch.tensor([[1, 2, 3]])
    merged = changed(model, MergedAdapters())
    assert isinstance(merged, Small)
    torch.testing.assert_close(
        merged(ids, torch.ones_like(ids)), model(input_ids=ids, attention_mask=torch.ones_like(ids))
    )
    with model.disable_adapter():
        off = model(input_ids=ids, attention_mask=torch.ones_like(ids))
    assert not torch.allclose(off, merged(ids, torch.ones_like(ids)))
