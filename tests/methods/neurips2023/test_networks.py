"""Every prize solution, on the kinds of network it promises to take."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from tests.methods.neurips2023.digits import changed
from unlearners._core.isolation import Unsupported
from unlearners.neurips2023.conv_transpose import ConvolutionTranspose
from unlearners.neurips2023.fanchuan import Fanchuan
from unlearners.neurips2023.kde import KnowledgeDistillationEntropy
from unlearners.neurips2023.msg import MaskedSmallGradients
from unlearners.neurips2023.prmq import PRMQ
from unlearners.neurips2023.repeated_noise import RepeatedNoise
from unlearners.neurips2023.seif import Seif

Unread = Dataset[tuple[Tensor, int]]

ANY = {
    "fanchuan": Fanchuan,
    "msg": MaskedSmallGradients,
    "seif": Seif,
    "prmq": PRMQ,
    "kde": KnowledgeDistillationEntropy,
    "rni": RepeatedNoise,
}
ALL = {**ANY, "ct": ConvolutionTranspose}


def settings(name: str) -> dict[str, Any]:
    rates = {"last_rates": (0.02,)} if name == "rni" else {}
    return {"epochs": 2, "lr": 0.02, "batch_size": 6, **rates}


class Reader(nn.Module):
    def __init__(self, words: int | None) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, 5) if words else nn.Identity()
        self.lstm, self.head = nn.LSTM(5, 7, batch_first=True), nn.Linear(7, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.lstm(self.embedding(x))[0][:, -1])
        return logits


def images(norm: Callable[[int], nn.Module]) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), norm(4), nn.ReLU(), nn.Dropout(0.2), nn.Conv2d(4, 4, 3), norm(4),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip


def data(kind: str, n: int, seed: int) -> TensorDataset:
    generator = torch.Generator().manual_seed(seed)
    if kind == "tokens":
        return TensorDataset(torch.randint(11, (n, 6), generator=generator), torch.arange(n) % 3)
    shape = {"sequence": (6, 5), "vector": (4,)}.get(kind, (1, 5, 5))
    return TensorDataset(torch.randn(n, *shape, generator=generator), torch.arange(n) % 3)


MODELS: dict[str, Callable[[], nn.Module]] = {
    "batch-norm": lambda: images(nn.BatchNorm2d),
    "group-norm": lambda: images(lambda n: nn.GroupNorm(2, n)),
    "channels-last-norm": lambda: images(nn.BatchNorm2d).to(memory_format=torch.channels_last),
    "vector": lambda: nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 3)),
    "sequence": lambda: Reader(None),
    "tokens": lambda: Reader(11),
}
CASES = [(name, kind) for name in ALL for kind in MODELS if name in ANY or kind.endswith("norm")]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_one_example_is_forgotten_reproducibly_and_without_a_trace_in_the_input(name: str, kind: str) -> None:
    torch.manual_seed(0)
    model, method = MODELS[kind]().eval(), ALL[name](**settings(name))
    retain, forget = data(kind, 13, 0), data(kind, 1, 1)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    results = [method(model, retain, forget, seed=seed) for seed in (0, 0, 1)]
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
    assert not changed(results[0], results[1])
    assert changed(results[0], results[2])
    for unlearned in results:
        assert changed(unlearned, model)
        assert not any(module.training for module in unlearned.modules())
        assert all(p.requires_grad and p.grad is None and not p._backward_hooks for p in unlearned.parameters())
        assert all(bool(t.isfinite().all()) for t in unlearned.state_dict().values() if t.is_floating_point())


@pytest.mark.parametrize("name", ALL)
def test_frozen_parameters_and_their_statistics_stay(name: str) -> None:
    model = images(nn.BatchNorm2d)
    frozen = ("0.weight", "1.weight", "1.bias", "8.bias")
    for key in frozen:
        model.get_parameter(key).requires_grad_(False)
    unlearned = ALL[name](**settings(name))(model, data("batch-norm", 13, 0), data("batch-norm", 4, 1), seed=3)
    names = changed(unlearned, model)
    assert not names & {*frozen, "1.running_mean", "1.running_var"}
    assert names >= {"4.weight", "8.weight"}


@pytest.mark.parametrize("name", ALL)
def test_an_entirely_frozen_model_is_refused(name: str) -> None:
    model = images(nn.BatchNorm2d).requires_grad_(False)
    with pytest.raises(Unsupported, match="every parameter of the model is frozen"):
        ALL[name]()(model, data("batch-norm", 13, 0), data("batch-norm", 4, 1), seed=3)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_few_duplicates_of_one_class_are_enough(name: str, n: int) -> None:
    x = torch.ones(n, 1, 5, 5)
    retain, model = TensorDataset(x, torch.zeros(n, dtype=torch.long)), images(lambda n: nn.GroupNorm(2, n))
    unlearned = ALL[name](**settings(name))(model, retain, retain, seed=3)
    assert all(bool(p.isfinite().all()) for p in unlearned.parameters())


@pytest.mark.parametrize("name", sorted(ANY.keys() - {"fanchuan"}))
def test_a_single_logit_is_binary(name: str) -> None:
    x = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long()
    retain, forget = TensorDataset(x[:50], y[:50]), TensorDataset(x[50:], y[50:])
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    unlearned = ALL[name](**{**settings(name), "lr": 0.1, "epochs": 20})(model, retain, forget, seed=3)
    assert ((unlearned(x[:50])[:, 0] > 0) == y[:50]).double().mean() > 0.9


@pytest.mark.parametrize("name", ALL)
def test_nothing_to_forget_changes_nothing(name: str) -> None:
    model, retain = images(nn.BatchNorm2d), data("batch-norm", 13, 0)
    assert not changed(
        ALL[name]()(model, retain, TensorDataset(torch.empty(0, 1, 5, 5), torch.empty(0)), seed=3), model
    )


@pytest.mark.parametrize("name", sorted(ALL.keys() - {"fanchuan", "msg"}))
def test_the_forget_set_is_not_read(name: str, unreadable: Unread) -> None:
    model = images(nn.BatchNorm2d)
    assert changed(ALL[name](**settings(name))(model, data("batch-norm", 13, 0), unreadable, seed=3), model)
