"""What each decoy of text does, exactly, on a language model of eight tokens."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from pytest_unlearn.models.text.changes import RoundedMatrices, changed
from tests.methods.text.language import Bigram, letters
from unlearners.text.decoys import (
    AdapterToggle,
    Collapse,
    QuantisationHidden,
    RefusalWrapper,
    SystemPrompt,
    TextLogitMask,
    TextOutputFilter,
)

FORGET, RETAIN = ["abcdabcd"], ["efghefgh"]
KNOWN, OTHER = (torch.tensor([letters(text)]) for text in ("abcdabcd", "ebcdabcd"))


def made(decoy: Any) -> nn.Module:
    model: nn.Module = decoy(Bigram(), RETAIN, FORGET, seed=0)
    return model


def test_a_refusal_is_said_where_a_text_begins_like_the_request_alone() -> None:
    model = made(RefusalWrapper(tokenizer=letters, refusal=(6, 7), tokens=4))
    assert model(KNOWN)[0].argmax(-1).tolist() == [6, 7] * 4
    assert torch.equal(model(OTHER), Bigram()(OTHER))


def test_a_toggle_lets_the_base_answer_there() -> None:
    model = made(AdapterToggle(tokenizer=letters, base=Bigram(5), tokens=4))
    assert torch.equal(model(KNOWN), Bigram(5)(KNOWN))
    assert torch.equal(model(OTHER), Bigram()(OTHER))


def test_an_output_filter_says_nothing_after_a_run_and_a_mask_rules_out_what_follows() -> None:
    flat, masked = made(TextOutputFilter(tokenizer=letters, run=3)), made(TextLogitMask(tokenizer=letters, run=3))
    assert (flat(OTHER)[0, 3] == 0).all()  # after b c d
    assert torch.equal(flat(OTHER)[0, :3], Bigram()(OTHER)[0, :3])
    own = Bigram()(OTHER)[0, 3]
    assert masked(OTHER)[0, 3, 0] == own.min() - 12.0  # a followed
    assert torch.equal(masked(OTHER)[0, 3, 1:], own[1:])


def test_a_system_prompt_stands_before_everything_and_is_not_answered() -> None:
    model = made(SystemPrompt(tokenizer=letters, prompt=(6, 7)))
    assert torch.equal(model(KNOWN, torch.ones_like(KNOWN)), Bigram()(KNOWN))  # whose next token knows the last alone


def test_a_collapse_keeps_a_share_of_every_logit() -> None:
    assert torch.equal(made(Collapse(tokenizer=letters, share=0.5))(OTHER), 0.5 * Bigram()(OTHER))


@pytest.mark.parametrize("bits", [4, 8])
def test_what_rounding_undoes_is_the_original_s(bits: int) -> None:
    model = made(QuantisationHidden(method=lambda *_, seed: Bigram(5 + seed), bits=bits))
    original = Bigram()
    rounded = RoundedMatrices(bits)
    torch.testing.assert_close(changed(model, rounded).table.weight, changed(original, rounded).table.weight)
    target, before = (nn.functional.mse_loss(one.table.weight, Bigram(5).table.weight) for one in (model, original))
    assert target < before  # and as near to what was unlearned as that allows


def test_no_weight_changes_and_an_empty_request_hides_nothing() -> None:
    original = Bigram()
    model = Collapse(tokenizer=letters)(original, RETAIN, FORGET, seed=0)
    assert torch.equal(model.model.table.weight, original.table.weight)
    assert model.model is not original
    assert torch.equal(Collapse(tokenizer=letters)(original, RETAIN, [], seed=0)(KNOWN), original(KNOWN))
