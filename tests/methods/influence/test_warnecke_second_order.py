import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Subset, TensorDataset

from unlearners.influence.warnecke_second_order import WarneckeSecondOrder, lissa

Blobs = Callable[..., TensorDataset]
EXACT: dict[str, Any] = {"damping": 0.0, "scale": 2.0, "iterations": 3000}


@pytest.fixture(autouse=True)
def _fail_on_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def squared(prediction: Tensor, y: Tensor) -> Tensor:
    return (prediction[:, 0] - y).square().mean() / 2


def line(dataset: TensorDataset, weight_decay: float) -> nn.Linear:
    """The least-squares fit, in closed form."""
    x, y = dataset.tensors
    design = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
    gram = design.T @ design / len(x) + weight_decay * torch.eye(5, dtype=x.dtype)
    solution = torch.linalg.solve(gram, design.T @ y.to(x.dtype) / len(x))
    model = nn.Linear(4, 1, dtype=x.dtype)
    nn.utils.vector_to_parameters(solution, model.parameters())
    return model


def vector(model: nn.Module) -> Tensor:
    return torch.cat([p.reshape(-1) for p in model.parameters()]).detach()


def without_second_feature(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x[:, 1] = 0
    return x, y + 1


def curved(seed: int) -> tuple[Tensor, Tensor]:
    """A positive definite matrix with eigenvalues from 0.5 to 3, and a vector."""
    generator = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(6, 6, generator=generator, dtype=torch.float64)).Q
    return basis @ torch.diag(torch.linspace(0.5, 3, 6).double()) @ basis.T, torch.randn(
        6, generator=generator
    ).double()


@pytest.mark.parametrize("steps", [0, 1, 2, 17])
@pytest.mark.parametrize("damping", [0.0, 0.1])
def test_after_t_steps_lissa_is_the_truncated_neumann_series(steps: int, damping: float) -> None:
    hessian, v = curved(0)
    found, _ = lissa(hessian.mv, v, damping=damping, scale=4.0, iterations=steps, patience=5)
    factor = (1 - damping) * torch.eye(6).double() - hessian / 4
    series = sum(torch.linalg.matrix_power(factor, k) @ v for k in range(steps + 1)) / 4
    torch.testing.assert_close(found, series, rtol=0, atol=1e-13)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("damping", [0.0, 0.1])
def test_lissa_converges_to_the_damped_inverse(seed: int, damping: float) -> None:
    hessian, v = curved(seed)
    found, converging = lissa(hessian.mv, v, damping=damping, scale=4.0, iterations=1000, patience=5)
    shifted = hessian + damping * 4.0 * torch.eye(6).double()
    torch.testing.assert_close(found, torch.linalg.solve(shifted, v), rtol=0, atol=1e-12)
    assert converging


def test_lissa_stops_when_it_does_not_get_better_and_keeps_the_best() -> None:
    hessian, v = curved(0)
    calls: list[int] = []

    def product(u: Tensor) -> Tensor:
        calls.append(1)
        # From the tenth step on, the estimates of the product are of no use.
        return hessian.mv(u) if len(calls) < 10 else 100 * torch.ones_like(u) * len(calls)

    found, converging = lissa(product, v, damping=0.0, scale=4.0, iterations=1000, patience=5)
    assert converging
    assert len(calls) == 14
    assert torch.equal(found, lissa(hessian.mv, v, damping=0.0, scale=4.0, iterations=9, patience=5)[0])


def test_patience_counts_steps_in_a_row() -> None:
    updates = iter([5.0, 4.0, 6.0, 3.0, 6.0, 2.0, 6.0, 6.0, 1.0])
    v = torch.ones(1)
    # Without damping and with scale 1, an update is v minus the product.
    lissa(lambda u: v - next(updates), v, damping=0.0, scale=1.0, iterations=100, patience=2)
    assert list(updates) == [1.0]


@pytest.mark.parametrize("correction", [None, without_second_feature])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_on_a_quadratic_it_is_the_exact_refit(seed: int, weight_decay: float, correction: Any, blobs: Blobs) -> None:
    x, y = blobs(40, seed, dtype=torch.float64).tensors
    retain, forget = TensorDataset(x[6:], y[6:]), TensorDataset(x[:6], y[:6])
    if correction is None:
        remaining = retain
    else:
        fixed = correction(x[:6].clone(), y[:6])
        remaining = TensorDataset(torch.cat([fixed[0], x[6:]]), torch.cat([fixed[1], y[6:]]))
    original, refit = line(TensorDataset(x, y), weight_decay), line(remaining, weight_decay)
    method = WarneckeSecondOrder(correction=correction, weight_decay=weight_decay, loss=squared, **EXACT)
    unlearned = method(original, retain, forget, seed=seed)
    torch.testing.assert_close(vector(unlearned), vector(refit), rtol=0, atol=1e-8)
    assert (vector(original) - vector(refit)).norm() > 1e-2


def test_a_step_of_the_recursion_takes_one_batch_and_none_means_a_hundred_passes(blobs: Blobs) -> None:
    sizes: list[int] = []

    def recording(prediction: Tensor, y: Tensor) -> Tensor:
        sizes.append(len(y))
        return squared(prediction, y)

    retain, forget = blobs(30, 0, dtype=torch.float64), blobs(9, 1, dtype=torch.float64)
    settings: dict[str, Any] = {"batch_size": 10, "scale": 10.0, "patience": 1000, "loss": recording}
    WarneckeSecondOrder(**settings)(nn.Linear(4, 1).double(), retain, forget, seed=3)
    assert sizes == [9, *[10] * 300]
    sizes.clear()
    WarneckeSecondOrder(**settings, iterations=7)(nn.Linear(4, 1).double(), retain, forget, seed=3)
    assert sizes == [9, *[10] * 7]


def test_random_batches_estimate_the_same_step_and_the_seed_draws_them(blobs: Blobs) -> None:
    x, y = blobs(200, 0, dtype=torch.float64).tensors
    retain, forget = TensorDataset(x[20:], y[20:]), TensorDataset(x[:20], y[:20])
    original, refit = line(TensorDataset(x, y), 0.0), line(retain, 0.0)
    method = WarneckeSecondOrder(batch_size=60, scale=20.0, damping=0.0, iterations=200, patience=200, loss=squared)
    first, again, second = (vector(method(original, retain, forget, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    gap = (vector(original) - vector(refit)).norm()
    assert (first - vector(refit)).norm() < 0.2 * gap


@pytest.mark.parametrize("scale", [0.01, 1e-200])
def test_divergence_is_said_and_yields_finite_weights(scale: float, blobs: Blobs) -> None:
    model = nn.Linear(4, 1).double()
    with pytest.warns(RuntimeWarning, match="WarneckeSecondOrder: the LiSSA recursion does not converge"):
        unlearned = WarneckeSecondOrder(scale=scale, loss=squared)(
            model, blobs(30, 0, dtype=torch.float64), blobs(5, 1, dtype=torch.float64), seed=3
        )
    assert bool(vector(unlearned).isfinite().all())


def test_a_correction_that_changes_nothing_changes_nothing(blobs: Blobs) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
    unlearned = WarneckeSecondOrder(correction=lambda x, y: (x, y))(model, blobs(30, 0), blobs(9, 1), seed=3)
    assert all(map(torch.equal, unlearned.state_dict().values(), model.state_dict().values()))


def test_a_gradient_that_is_not_finite_changes_nothing(blobs: Blobs) -> None:
    model = nn.Linear(4, 3)
    forget = TensorDataset(torch.full((1, 4), torch.inf), torch.zeros(1, dtype=torch.long))
    with pytest.warns(RuntimeWarning, match="does not converge"):
        unlearned = WarneckeSecondOrder()(model, blobs(30, 0), forget, seed=3)
    assert torch.equal(vector(unlearned), vector(model))


def test_works_in_eval_mode_and_leaves_running_statistics(blobs: Blobs) -> None:
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 3))
    method = WarneckeSecondOrder(batch_size=30, iterations=5)
    first, second = (method(model, blobs(30, 0), Subset(blobs(9, 1), [4]), seed=seed) for seed in (1, 2))
    torch.testing.assert_close(first[2].weight, second[2].weight)
    assert not torch.equal(first[2].weight, model[2].weight)
    assert torch.equal(first[0].running_mean, model[0].running_mean)


@pytest.mark.parametrize(
    "wrong",
    [
        {"damping": 1.0},
        {"scale": 0.0},
        {"weight_decay": -1.0},
        {"batch_size": 0},
        {"patience": 0},
        {"iterations": -1},
        {"scale": math.nan},
    ],
    ids=str,
)
def test_hyper_parameters_are_checked_where_they_are_given(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        WarneckeSecondOrder(**wrong)
