"""Convolutional networks asked in channels-last: the same answers, and nothing of the network changed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pytest_unlearn.models import adapters
from pytest_unlearn.models.adapters import ready
from pytest_unlearn.models.channels_last import asked_channels_last, examples_at_once, trained_channels_last

IMAGES = np.random.default_rng(0).random((40, 3, 12, 12), dtype=np.float32)


def plain_network(last=None):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), last or nn.Flatten(), nn.Linear(144, 5),
    )  # fmt: skip


class ByView(nn.Module):
    """What people write in place of `flatten`."""

    def forward(self, x):
        return x.view(len(x), -1)


class ByMemory(nn.Module):
    """Reads numbers in the order in which they lie in memory."""

    def forward(self, x):
        return torch.as_strided(x, (len(x), 144), (x.stride(0), 1))


class Named(nn.Module):
    """Answers by name, with what is no logit beside it."""

    def __init__(self):
        super().__init__()
        self.body = plain_network()

    def forward(self, x):
        logits = self.body(x)
        return {"logits": logits, "labels": logits.argmax(dim=1), "loss": None, "parts": (logits[:, :1], [logits])}


class OfFixedSize(nn.Module):
    """Takes batches of 40 alone, as some exported networks do."""

    def __init__(self):
        super().__init__()
        self.body = plain_network()

    def forward(self, x):
        return self.body(x.reshape(40, 3, 12, 12))


def asked(model, rearranged):
    with ready(model, None, rearranged=rearranged) as ask:
        return ask(IMAGES)


@pytest.mark.parametrize("last", [None, ByView(), ByMemory()], ids=["flatten", "view", "order in memory"])
def test_answers_are_the_same_to_single_precision(last):
    model = plain_network(last)
    torch.testing.assert_close(asked(model, True), asked(model, False), rtol=0, atol=1e-5)


def test_answers_of_all_kinds_are_the_same():
    model = Named()
    found, expected = asked(model, True), asked(model, False)
    torch.testing.assert_close(found["logits"], expected["logits"], rtol=0, atol=1e-5)
    torch.testing.assert_close(found["parts"][1][0], expected["parts"][1][0], rtol=0, atol=1e-5)
    assert torch.equal(found["labels"], expected["labels"])
    assert found["loss"] is None


def orders(model):
    """In which order in memory each convolution's answer lies."""
    seen = []
    hooks = [
        module.register_forward_hook(lambda _, __, made: seen.append(made.is_contiguous()))
        for module in model.modules()
        if isinstance(module, nn.Conv2d)
    ]
    asked(model, True)
    for hook in hooks:
        hook.remove()
    return seen[-2:]


def test_convolutions_run_in_channels_last_where_the_network_can():
    assert orders(plain_network()) == [False, False]
    assert orders(Named()) == [False, False]
    assert orders(plain_network(ByView())) == [True, True]
    assert orders(plain_network(ByMemory())) == [True, True]
    assert orders(OfFixedSize()) == [True, True]


@pytest.mark.parametrize("last", [None, ByView()], ids=["answered", "refused"])
def test_the_network_is_left_as_it_was(last):
    model = plain_network(last)
    before = adapters.state_digest(model)
    weights = [(weight, weight.data_ptr(), weight.stride()) for weight in model.parameters()]
    asked(model, True)
    after = list(model.parameters())
    assert all(one is other for (one, *_), other in zip(weights, after, strict=True))
    assert [(weight.data_ptr(), weight.stride()) for weight in after] == [tuple(rest) for _, *rest in weights]
    assert adapters.state_digest(model) == before


def test_a_network_that_ends_in_an_error_ends_in_the_same_one():
    model = plain_network(nn.Unflatten(1, (7, 7)))
    with pytest.raises(ValueError, match="raises"):
        asked(model, True)


@pytest.mark.parametrize(
    "model",
    [nn.Linear(3, 2), nn.Conv1d(3, 2, 3), torch.fx.symbolic_trace(plain_network())],
    ids=["no convolution", "of one dimension", "a traced graph"],
)
def test_other_networks_are_asked_as_they_are(model):
    assert asked_channels_last(model) is model


@pytest.mark.parametrize(
    ("model", "device", "size"),
    [
        (plain_network(), None, 128),
        (plain_network(), "cpu", 128),
        (plain_network(), "cuda", 256),
        (nn.Linear(4, 2), None, 256),
        (nn.Conv1d(1, 2, 3), None, 256),
        (len, None, 256),
    ],
    ids=["network", "on the processor", "elsewhere", "no convolution", "of one dimension", "function"],
)
def test_convolutional_networks_on_a_processor_are_asked_about_fewer_examples_at_once(model, device, size):
    assert examples_at_once(model, device) == size


def steps(model, laid):
    """Ten steps down the loss of some images, with the order in memory of the kernels at the end."""
    images = torch.as_tensor(IMAGES)
    for _ in range(10):
        loss = nn.functional.cross_entropy(model(laid(images)), torch.arange(len(images)) % 5)
        for weight, gradient in zip(
            model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True
        ):
            weight.data -= 0.05 * gradient
    return model[0].weight.is_contiguous()


@pytest.mark.parametrize(
    ("last", "moved"),
    [(None, True), (ByView(), False), (ByMemory(), False)],
    ids=["flatten", "view", "order in memory"],
)
def test_training_in_channels_last_learns_what_plain_training_learns(last, moved):
    plain, trained = plain_network(last).eval(), plain_network(last).eval()
    steps(plain, lambda batch: batch)
    with trained_channels_last(trained, torch.as_tensor(IMAGES)) as laid:
        assert steps(trained, laid) is not moved
    assert all(weight.is_contiguous() for weight in trained.parameters())
    torch.testing.assert_close(trained.state_dict(), plain.state_dict(), rtol=0, atol=1e-4)
