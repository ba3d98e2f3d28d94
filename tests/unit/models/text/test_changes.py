"""Changed copies: the model itself stays as it was, and the same change gives the same copy."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from pytest_unlearn.data.text.documents import Documents
from pytest_unlearn.data.text.encoding import Encoder
from pytest_unlearn.models.identity import identify_module
from pytest_unlearn.models.text.changes import RoundedMatrices, TrainedFurther, changed
from pytest_unlearn.training.causal import Descent


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(8, 4), nn.Linear(4, 8)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.embedding(input_ids))
        return logits


def further() -> TrainedFurther:
    sequences = Encoder().encode(Documents([[1, 2, 3, 4]] * 8, "documents").documents).sequences
    return TrainedFurther(sequences, Descent(epochs=2, learning_rate=0.1))


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
