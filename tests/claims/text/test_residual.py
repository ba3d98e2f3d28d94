"""Changed copies of a language model: what a fine weight hides comes back, what is gone does not."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from torch import nn

from pytest_unlearn import Evidence, Verdict, audit_text_forgotten, audit_text_residual
from pytest_unlearn.models.text.changes import RoundedMatrices
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


def test_models_without_weights_and_bare_documents_are_refused() -> None:
    with pytest.raises(TypeError, match="a Memory shows none"):
        audit_text_residual(world().retrained(7), task().forget)
    with pytest.raises(ValueError, match=r"pass task\.forget"):
        audit_text_residual(world().original, world().request)
    with pytest.raises(ValueError, match="at least one"):
        audit_text_residual(world().original, task().forget, changes={})
