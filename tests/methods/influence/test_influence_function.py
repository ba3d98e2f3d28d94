import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import ConcatDataset, Subset, TensorDataset

from unlearners import Unsupported
from unlearners.influence.influence_function import InfluenceFunction

Blobs = Callable[..., TensorDataset]
EXACT: dict[str, Any] = {"damping": 0.0, "tolerance": 1e-14, "steps": 200}


def squared(prediction: Tensor, y: Tensor) -> Tensor:
    return (prediction[:, 0] - y).square().mean() / 2


def line(dataset: TensorDataset, weight_decay: float) -> nn.Linear:
    """The least-squares fit, in closed form."""
    x, y = dataset.tensors
    design = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
    gram = design.T @ design / len(x) + weight_decay * torch.eye(5, dtype=x.dtype)
    solution = torch.linalg.solve(gram, design.T @ y.to(x.dtype) / len(x))
    model = nn.Linear(4, 1, dtype=x.dtype)
    with torch.no_grad():
        model.weight.copy_(solution[None, :4])
        model.bias.copy_(solution[4:])
    return model


def logistic(dataset: TensorDataset, weight_decay: float) -> nn.Linear:
    """The regularised logistic regression, to machine precision."""
    x, y = dataset.tensors
    model = nn.Linear(4, 3, dtype=x.dtype)
    optimizer = torch.optim.LBFGS(
        model.parameters(), max_iter=500, tolerance_grad=1e-12, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y) + weight_decay / 2 * vector(model).square().sum()
        loss.backward()
        return loss

    optimizer.step(objective)
    return model


def vector(model: nn.Module) -> Tensor:
    return torch.cat([p.reshape(-1) for p in model.parameters()])


def split(dataset: TensorDataset, n_forget: int) -> tuple[TensorDataset, TensorDataset]:
    x, y = dataset.tensors
    return TensorDataset(x[n_forget:], y[n_forget:]), TensorDataset(x[:n_forget], y[:n_forget])


@pytest.fixture(autouse=True)
def _fail_on_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("n_forget", [1, 9])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("seed", range(4))
def test_on_a_quadratic_it_is_the_exact_refit(seed: int, weight_decay: float, n_forget: int, blobs: Blobs) -> None:
    everything = blobs(40, seed, dtype=torch.float64)
    retain, forget = split(everything, n_forget)
    original, refit = line(everything, weight_decay), line(retain, weight_decay)
    unlearned = InfluenceFunction(weight_decay=weight_decay, loss=squared, **EXACT)(original, retain, forget, seed=seed)
    torch.testing.assert_close(vector(unlearned), vector(refit), rtol=0, atol=1e-8)
    assert (vector(original) - vector(refit)).norm() > 1e-3


@pytest.mark.parametrize("seed", range(3))
def test_on_logistic_regression_it_is_close_to_the_refit(seed: int, blobs: Blobs) -> None:
    everything = blobs(60, seed, dtype=torch.float64)
    retain, forget = split(everything, 6)
    original, refit = logistic(everything, 0.05), logistic(retain, 0.05)
    unlearned = InfluenceFunction(weight_decay=0.05, **EXACT)(original, retain, forget, seed=seed)
    gap = (vector(original) - vector(refit)).norm()
    assert (vector(unlearned) - vector(refit)).norm() < 0.2 * gap


def test_damping_is_added_to_the_curvature(blobs: Blobs) -> None:
    """(H + (weight_decay + damping) I) times the step is the pull of the forget set, in dense algebra."""
    everything = blobs(40, 0, dtype=torch.float64)
    retain, forget = split(everything, 5)
    original = logistic(everything, 0.1)
    unlearned = InfluenceFunction(**{**EXACT, "damping": 0.7}, weight_decay=0.1)(original, retain, forget, seed=3)

    def loss(flat: Tensor, data: TensorDataset) -> Tensor:
        x, y = data.tensors
        return cross_entropy(x @ flat[:12].view(3, 4).T + flat[12:], y)

    theta = vector(original).detach().requires_grad_()
    hessian = torch.autograd.functional.hessian(lambda flat: loss(flat, retain), theta)
    (slope,) = torch.autograd.grad(loss(theta, forget), theta)
    step = torch.linalg.solve(hessian + 0.8 * torch.eye(15, dtype=theta.dtype), 5 * (slope + 0.1 * theta) / 35)
    torch.testing.assert_close(vector(unlearned), theta + step, rtol=0, atol=1e-10)


def test_works_in_eval_mode_and_leaves_running_statistics(blobs: Blobs) -> None:
    """Dropout is off and BatchNorm affine: least squares on normalised inputs, exact whatever the seed."""
    everything = blobs(40, 0, dtype=torch.float64)
    retain, forget = split(everything, 9)
    norm = nn.BatchNorm1d(4, affine=False).double()
    norm(3 * everything.tensors[0] + 1)
    normalised = [TensorDataset(norm.eval()(d.tensors[0]), d.tensors[1]) for d in (everything, retain)]
    original, refit = (line(d, 0.0) for d in normalised)
    model = nn.Sequential(norm.train(), nn.Dropout(0.5), original)
    method = InfluenceFunction(loss=squared, **EXACT)
    first, second = (method(model, retain, forget, seed=seed) for seed in (1, 2))
    torch.testing.assert_close(vector(first[2]), vector(refit), rtol=0, atol=1e-8)
    assert torch.equal(vector(first), vector(second))
    assert torch.equal(first[0].running_var, norm.running_var)
    assert first[0].training


def test_frozen_parameters_stay_and_the_others_are_refitted_given_them(blobs: Blobs) -> None:
    everything = blobs(40, 0, dtype=torch.float64)
    retain, forget = split(everything, 5)
    original = nn.Linear(4, 1).double()
    original.weight.requires_grad_(False)

    def best_bias(data: TensorDataset) -> Tensor:
        x, y = data.tensors
        return (y - x @ original.weight[0]).mean().detach()

    nn.init.constant_(original.bias, float(best_bias(everything)))
    unlearned = InfluenceFunction(loss=squared, **EXACT)(original, retain, forget, seed=3)
    assert torch.equal(unlearned.weight, original.weight)
    torch.testing.assert_close(unlearned.bias[0], best_bias(retain), rtol=0, atol=1e-10)


def test_a_recurrent_network_on_tokens_takes_the_newton_step() -> None:
    """The gradient's finite difference along the step gives back what the step was solved for."""

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(6, 3)
            self.lstm = nn.LSTM(3, 4, batch_first=True)
            self.out = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.lstm(self.embedding(x))[0][:, -1])

    torch.manual_seed(0)
    model = Reader().double()
    x, y = torch.randint(0, 6, (20, 5)), torch.arange(20) % 2
    retain, forget = TensorDataset(x[4:], y[4:]), TensorDataset(x[:4], y[:4])
    unlearned = InfluenceFunction(damping=1.0, tolerance=1e-12, steps=500)(model, retain, forget, seed=3)
    theta, step = vector(model).detach(), (vector(unlearned) - vector(model)).detach()

    def slope(at: Tensor, data: TensorDataset) -> Tensor:
        nn.utils.vector_to_parameters(at, model.parameters())
        loss = cross_entropy(model(data.tensors[0]), data.tensors[1])
        return torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, list(model.parameters()))])

    pull = 4 * slope(theta, forget) / 16
    small = 1e-4 / float(step.norm())
    bend = (slope(theta + small * step, retain) - slope(theta - small * step, retain)) / (2 * small)
    torch.testing.assert_close(bend + step, pull, rtol=0, atol=1e-8)
    assert step.norm() > 1e-3


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        return slope


def test_a_layer_without_second_derivatives_is_refused_in_a_sentence(blobs: Blobs) -> None:
    class Hard(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return Once.apply(super().forward(x))

    with pytest.raises(Unsupported, match="need layers that can be differentiated twice"):
        InfluenceFunction()(Hard(4, 3), blobs(30, 0), blobs(5, 1), seed=3)


def test_negative_curvature_is_said_and_yields_finite_weights(blobs: Blobs) -> None:
    model = nn.Linear(4, 1)
    method = InfluenceFunction(loss=lambda z, y: -squared(z, y))
    with pytest.warns(RuntimeWarning, match="InfluenceFunction: conjugate gradients stopped at a relative residual"):
        unlearned = method(model, blobs(30, 0), blobs(5, 1), seed=3)
    assert torch.equal(vector(unlearned), vector(model))


def test_too_few_steps_are_said_and_enough_are_not(blobs: Blobs) -> None:
    model, retain, forget = nn.Linear(4, 1).double(), blobs(30, 0, dtype=torch.float64), blobs(5, 1)
    with pytest.warns(RuntimeWarning, match="with 1 steps allowed"):
        InfluenceFunction(steps=1, loss=squared)(model, retain, forget, seed=3)
    InfluenceFunction(steps=6, loss=squared)(model, retain, forget, seed=3)


def test_a_gradient_that_is_not_finite_changes_nothing(blobs: Blobs) -> None:
    model = nn.Linear(4, 3)
    forget = TensorDataset(torch.full((1, 4), torch.inf), torch.zeros(1, dtype=torch.long))
    with pytest.warns(RuntimeWarning, match="residual of nan"):
        unlearned = InfluenceFunction()(model, blobs(30, 0), forget, seed=3)
    assert torch.equal(vector(unlearned), vector(model))


def test_the_same_example_twice_counts_twice(blobs: Blobs) -> None:
    everything = blobs(40, 0, dtype=torch.float64)
    retain, forget = split(everything, 3)
    doubled = ConcatDataset([everything, forget])
    x, y = (torch.stack(list(parts)) for parts in zip(*doubled, strict=True))
    original, refit = line(TensorDataset(x, y), 0.0), line(retain, 0.0)
    unlearned = InfluenceFunction(loss=squared, **EXACT)(original, retain, ConcatDataset([forget, forget]), seed=3)
    torch.testing.assert_close(vector(unlearned), vector(refit), rtol=0, atol=1e-8)


def test_nothing_to_forget_changes_nothing_and_everything_is_an_error(blobs: Blobs) -> None:
    model, retain = nn.Linear(4, 3), blobs(30, 0)
    assert torch.equal(vector(InfluenceFunction()(model, retain, Subset(retain, []), seed=3)), vector(model))
    with pytest.raises(ValueError, match="asked to forget the whole dataset"):
        InfluenceFunction()(model, Subset(retain, []), retain, seed=3)


@pytest.mark.parametrize(
    "wrong", [{"damping": -1.0}, {"weight_decay": float("nan")}, {"tolerance": 0.0}, {"steps": 0}], ids=str
)
def test_hyper_parameters_are_checked_where_they_are_given(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        InfluenceFunction(**wrong)
