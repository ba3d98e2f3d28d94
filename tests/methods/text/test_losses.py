"""The loss of each method, by closed form on a model of eight tokens, and one step along its gradient."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from tests.methods.text.language import VOCABULARY, Bigram, letters, log_probability, loss, table_gradient
from unlearners import GradAscent, GradDiff, LabelReplacement, TaskVectorNegation
from unlearners._core.documents import encode
from unlearners._core.language import (
    log_probabilities,
    logits_of,
    padded,
    sequence_log_probability,
    token_divergence,
    token_loss,
)
from unlearners.text.dpo_refusal import dpo_loss
from unlearners.text.label_replacement import generic_logits
from unlearners.text.npo import npo_loss
from unlearners.text.rmu import steering_loss
from unlearners.text.simnpo import simnpo_loss
from unlearners.text.uld import AssistedModel, uniform_loss

FORGET, RETAIN = ["abca", "bb", "hgfedc"], ["cdc", "efgha", "dd"]
BATCH = padded(encode(FORGET, letters), torch.device("cpu"))


def tensor(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_padding_adds_nothing_to_a_sequence() -> None:
    model = Bigram()
    wanted = [log_probability(model, letters(document)) for document in FORGET]
    torch.testing.assert_close(sequence_log_probability(model, BATCH), tensor(*wanted))
    assert float(token_loss(model, BATCH).detach()) == pytest.approx(loss(model, FORGET), rel=1e-12)
    assert log_probabilities(logits_of(model, BATCH), BATCH)[1].count_nonzero() == 1


def test_only_what_was_said_after_a_prompt_counts() -> None:
    model = Bigram()
    batch = padded(encode([{"prompt": "abc", "completion": "de"}], letters), torch.device("cpu"))
    wanted = log_probability(model, letters("abcde"), 3)
    assert float(sequence_log_probability(model, batch).detach()) == pytest.approx(wanted)


def test_the_divergence_is_that_of_each_row_of_the_table() -> None:
    one, other = Bigram(0), Bigram(1)
    rows = [last for document in FORGET for last in letters(document)[:-1]]
    p, q = (model.table.weight.detach().log_softmax(-1) for model in (one, other))
    wanted = sum(float((p[row].exp() * (p[row] - q[row])).sum()) for row in rows) / len(rows)
    found = token_divergence(logits_of(one, BATCH), logits_of(other, BATCH), BATCH)
    assert float(found) == pytest.approx(wanted, rel=1e-12)
    assert float(token_divergence(logits_of(one, BATCH), logits_of(one, BATCH), BATCH)) == 0.0


class TestNPO:
    def test_by_hand(self) -> None:
        found = npo_loss(tensor(-3.0, -10.0), tensor(-5.0, -4.0), 0.5)
        wanted = (math.log1p(math.exp(0.5 * 2)) + math.log1p(math.exp(0.5 * -6))) / 2 * 2 / 0.5
        assert float(found) == pytest.approx(wanted, rel=1e-12)

    def test_it_starts_at_two_over_beta_log_two_and_ends_at_nothing(self) -> None:
        same = tensor(-4.0)
        assert float(npo_loss(same, same, 0.1)) == pytest.approx(2 / 0.1 * math.log(2))
        assert float(npo_loss(same - 5000, same, 0.1)) == pytest.approx(0.0, abs=1e-9)

    def test_its_gradient_is_that_of_ascent_where_the_models_agree_and_fades(self) -> None:
        own = tensor(-4.0).requires_grad_()
        for gone, weight in ((0.0, 1.0), (-100.0, 2 / (1 + math.exp(10)))):
            (gradient,) = torch.autograd.grad(npo_loss(own + gone, tensor(-4.0), 0.1), own)
            assert float(gradient) == pytest.approx(weight, rel=1e-9)  # that of ascent is 1

    def test_towards_beta_nought_it_is_ascent(self) -> None:
        own, before, beta = tensor(-3.0, -9.0), tensor(-4.0, -5.0), 1e-6
        shift = float(npo_loss(own, before, beta)) - 2 / beta * math.log(2)
        assert shift == pytest.approx(float((own - before).mean()), abs=1e-4)


def test_simnpo_by_hand() -> None:
    found = simnpo_loss(tensor(-6.0, -2.0), torch.tensor([3, 1]), 2.5, 0.3)
    wanted = 2 / 2.5 * math.log1p(math.exp(-(2.5 * 2.0 - 0.3)))
    assert float(found) == pytest.approx(wanted, rel=1e-12)  # two nats a token in both


def test_dpo_by_hand_and_npo_without_a_refusal() -> None:
    found = dpo_loss(tensor(-2.0), tensor(-5.0), tensor(-7.0), tensor(-6.0), 0.1)
    assert float(found) == pytest.approx(-20 * float(logsigmoid(tensor(0.1 * (3.0 + 1.0)))[0]))
    silent = dpo_loss(tensor(-2.0), tensor(-2.0), tensor(-7.0), tensor(-6.0), 0.1)
    assert float(silent) == pytest.approx(float(npo_loss(tensor(-7.0), tensor(-6.0), 0.1)))


def test_steering_is_a_mean_over_learned_tokens_and_dimensions() -> None:
    activations = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]]])
    learned = torch.tensor([[True, True, False]])
    found = steering_loss(activations, torch.tensor([1.0, 0.0]), learned)
    assert float(found) == pytest.approx(((0 + 4) / 2 + (4 + 16) / 2) / 2)


def test_generic_logits_lower_what_reinforcement_raised_and_nothing_else() -> None:
    found = generic_logits(tensor(1.0, 2.0, 3.0), tensor(2.0, 2.0, 1.0), 5.0)
    assert found.tolist() == [-4.0, 2.0, 3.0]


def test_the_uniform_loss_is_log_v_at_least() -> None:
    flat = Bigram()
    with torch.no_grad():
        flat.table.weight.fill_(3.0)
    assert float(uniform_loss(logits_of(flat, BATCH), BATCH)) == pytest.approx(math.log(VOCABULARY))
    assert float(uniform_loss(logits_of(Bigram(), BATCH), BATCH)) > math.log(VOCABULARY)


def test_an_assisted_model_answers_with_the_difference() -> None:
    one, other = Bigram(0), Bigram(1)
    found = AssistedModel(one, other, 0.75)(BATCH.ids, BATCH.mask)
    torch.testing.assert_close(found, one(BATCH.ids) - 0.75 * other(BATCH.ids))


ONCE: dict[str, Any] = {"tokenizer": letters, "epochs": 1, "lr": 0.01, "batch_size": 9}


class TestOneStep:
    """Adam's first step is lr in the direction of the gradient's sign."""

    def moved(self, model: Bigram, unlearned: torch.nn.Module) -> Tensor:
        return (unlearned.table.weight - model.table.weight).detach()

    def test_ascent(self) -> None:
        model = Bigram()
        gradient = table_gradient(model, FORGET)
        moved = self.moved(model, GradAscent(**ONCE)(model, RETAIN, FORGET, seed=0))
        torch.testing.assert_close(moved, 0.01 * gradient.sign(), rtol=1e-4, atol=1e-8)

    def test_difference(self) -> None:
        model = Bigram()
        gradient = 0.5 * table_gradient(model, RETAIN) - 2.0 * table_gradient(model, FORGET)
        method = GradDiff(**ONCE, forget_weight=2.0, retain_weight=0.5)
        moved = self.moved(model, method(model, RETAIN, FORGET, seed=0))
        torch.testing.assert_close(moved, -0.01 * gradient.sign(), rtol=1e-4, atol=1e-8)

    def test_a_task_vector(self) -> None:
        model = Bigram()
        gradient = table_gradient(model, FORGET)
        moved = self.moved(model, TaskVectorNegation(**ONCE, weight=3.0)(model, RETAIN, FORGET, seed=0))
        torch.testing.assert_close(moved, 3.0 * 0.01 * gradient.sign(), rtol=1e-4, atol=1e-8)

    def test_generic_labels(self) -> None:
        # with alpha 0 the labels are the model's own most probable tokens
        model = Bigram()
        favourite = model.table.weight.argmax(-1)
        method = LabelReplacement(**ONCE, alpha=0.0)
        moved = self.moved(model, method(model, RETAIN, FORGET, seed=0))
        rows = sorted({last for document in FORGET for last in letters(document)[:-1]})
        assert all(float(moved[row, favourite[row]]) == pytest.approx(0.01, rel=1e-4) for row in rows)
