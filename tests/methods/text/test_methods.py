"""What every method for text promises, on a language model of eight tokens that has learned both sets."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn

from tests.methods.text.language import Bigram, letters, log_probability, loss
from unlearners import TEXT_UNLEARNERS, Unsupported

# what follows a to d is to be forgotten, what follows e to h to be kept
FORGET = [{"prompt": "e", "completion": "abcdabcdabcd"}, {"prompt": "f", "completion": "bcdabcdabc"}]
RETAIN = [{"prompt": "g", "completion": "efghefghefgh"}, {"prompt": "h", "completion": "fghefghe"}]
SAID = {"forget": ["abcdabcdabcd"], "retain": ["efghefghefgh"]}
SETTINGS: dict[str, dict[str, Any]] = {
    "dpo-refusal": {"refusals": ("ef", "gh")},
    "task-vector-negation": {"weight": 4.0},
    "rmu": {"layer": "table", "retain_weight": 5.0, "epochs": 80, "lr": 0.1},
    "uld": {"lr": 0.05, "epochs": 60},
    "label-replacement": {"lr": 0.1, "epochs": 60, "reinforcement": 20},
}


def method(name: str, **changed: Any) -> Any:
    settings = {"tokenizer": letters, "epochs": 25, "lr": 0.05, "batch_size": 2, **SETTINGS.get(name, {})}
    return TEXT_UNLEARNERS[name](**{**settings, **changed})


@pytest.fixture(scope="module")
def original() -> nn.Module:
    """Both cycles are known."""
    model = Bigram()
    with torch.no_grad():
        for cycle in ("abcd", "efgh"):
            for last, following in zip(cycle, cycle[1:] + cycle[0], strict=True):
                model.table.weight[letters(last)[0], letters(following)[0]] += 5.0
    return model


every = pytest.mark.parametrize("name", TEXT_UNLEARNERS)


@every
def test_the_request_is_less_probable_and_what_is_kept_is_not(name: str, original: nn.Module) -> None:
    unlearned = method(name)(original, RETAIN, FORGET, seed=0)
    assert loss(unlearned, SAID["forget"]) > loss(original, SAID["forget"]) + 0.5
    assert loss(unlearned, SAID["retain"]) < loss(original, SAID["retain"]) + 0.3


@every
def test_the_input_is_untouched_and_the_seed_decides(name: str, original: nn.Module) -> None:
    before, state = deepcopy(original.state_dict()), torch.get_rng_state()
    settings = {"epochs": 2, "batch_size": 1}
    one, again = (method(name, **settings)(original, RETAIN, FORGET, seed=3) for _ in range(2))
    ids = torch.tensor([letters("abcdefgh")])
    assert torch.equal(one(ids), again(ids))
    assert all(torch.equal(tensor, before[key]) for key, tensor in original.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in one.parameters())
    assert one.training is original.training or name == "uld"


@every
def test_nothing_to_forget_changes_nothing_and_nothing_to_keep_is_refused(name: str, original: nn.Module) -> None:
    unlearned = method(name)(original, RETAIN, [], seed=0)
    assert torch.equal(unlearned.table.weight, original.table.weight)
    with pytest.raises(ValueError, match="the retain set is empty"):
        method(name)(original, [], FORGET, seed=0)
    with pytest.raises(Unsupported, match="needs a torch.nn.Module"):
        method(name)(lambda ids, mask: ids, RETAIN, FORGET, seed=0)


@every
@pytest.mark.parametrize("wrong", [{"epochs": -1}, {"lr": float("nan")}, {"batch_size": 0}, {"max_length": 1}])
def test_hyper_parameters_are_checked_where_they_are_given(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        method(name, **wrong)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("grad-diff", {"retain_weight": -1.0}),
        ("kl-minimisation", {"retain_weight": float("inf")}),
        ("npo", {"beta": 0.0}),
        ("simnpo", {"gamma": -1.0}),
        ("dpo-refusal", {"refusals": ()}),
        ("rmu", {"coefficient": 0.0}),
        ("task-vector-negation", {"weight": -1.0}),
        ("label-replacement", {"alpha": -1.0}),
        ("uld", {"weight": 0.0}),
    ],
)
def test_own_hyper_parameters_are_checked_too(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        method(name, **wrong)


def test_documents_may_be_token_ids_without_a_tokenizer(original: nn.Module) -> None:
    ids = [letters("abcdabcd")]
    unlearned = method("npo", tokenizer=None)(original, [letters("efghefgh")], ids, seed=0)
    assert log_probability(unlearned, ids[0]) < log_probability(original, ids[0]) - 2.0


def test_a_refusal_needs_something_to_refuse(original: nn.Module) -> None:
    with pytest.raises(ValueError, match="document 0 of the request has no prompt"):
        method("dpo-refusal")(original, RETAIN, ["abcd"], seed=0)


def test_a_refusal_becomes_more_probable_than_the_answer(original: nn.Module) -> None:
    unlearned = method("dpo-refusal")(original, RETAIN, FORGET, seed=0)
    gain = [log_probability(unlearned, letters(said)) - log_probability(original, letters(said))
            for said in ("eef", "eabcdabcdabcd")]  # fmt: skip
    assert gain[0] > gain[1] + 2.0


def test_a_long_prompt_is_cut_at_its_beginning() -> None:
    pairs = method("dpo-refusal", max_length=4)._pairs([{"prompt": "abcdabcd", "completion": "ab"}])
    ids, learned = pairs[0][0]
    assert (ids.tolist(), learned.int().tolist()) == (letters("cdab"), [0, 0, 1, 1])


def test_a_layer_that_is_not_there_is_refused_with_some_that_are(original: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"layer 'transformer.h.7' is no module of the model; it has table"):
        method("rmu", layer="transformer.h.7")(original, RETAIN, FORGET, seed=0)


def test_only_the_named_parameters_are_steered() -> None:
    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.out = nn.Embedding(8, 4), nn.Linear(4, 8)

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.out(torch.tanh(self.table(input_ids)))
            return logits

    model = Deep()
    unlearned = method("rmu", trained=("table",), epochs=1)(model, RETAIN, FORGET, seed=0)
    assert torch.equal(unlearned.out.weight, model.out.weight)
    assert not torch.equal(unlearned.table.weight, model.table.weight)


def test_the_assistant_can_be_taken_away_and_then_nothing_was_forgotten(original: nn.Module) -> None:
    unlearned = method("uld")(original, RETAIN, FORGET, seed=0)
    assert torch.equal(unlearned.original.table.weight, original.table.weight)


def test_ascent_without_end_keeps_finite_weights() -> None:
    unlearned = method("grad-ascent", epochs=300, lr=1.0)(Bigram(), RETAIN, FORGET, seed=0)
    assert all(parameter.isfinite().all() for parameter in unlearned.parameters())
