from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset, TensorDataset

from unlearners.influence.influence_function import InfluenceFunction
from unlearners.influence.puma import PUMA

Blobs = Callable[..., TensorDataset]
EXACT: dict[str, Any] = {"damping": 0.0, "tolerance": 1e-14, "steps": 200}


def squared(prediction: Tensor, y: Tensor) -> Tensor:
    return (prediction[:, 0] - y).square().mean() / 2


def vector(model: nn.Module) -> Tensor:
    return torch.cat([p.reshape(-1) for p in model.parameters()]).detach()


def gradients(model: nn.Linear, data: TensorDataset) -> Tensor:
    """Of the squared loss of each example of a linear model, one a row."""
    x, y = data.tensors
    residual = (model(x)[:, 0] - y).detach()
    return residual[:, None] * torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)


def hessian(data: TensorDataset) -> Tensor:
    x = data.tensors[0]
    design = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
    return design.T @ design / len(x)


def problem(seed: int, blobs: Blobs) -> tuple[nn.Linear, TensorDataset, TensorDataset]:
    """A linear model at its least-squares optimum, retain and forget set."""
    x, y = blobs(40, seed, dtype=torch.float64).tensors
    design = torch.cat([x, torch.ones(40, 1, dtype=x.dtype)], 1)
    solution = torch.linalg.lstsq(design, y.double()[:, None]).solution[:, 0]
    model = nn.Linear(4, 1).double()
    nn.utils.vector_to_parameters(solution, model.parameters())
    return model, TensorDataset(x[6:], y[6:]), TensorDataset(x[:6], y[:6])


def test_without_compensation_it_is_the_influence_step_and_reads_no_criterion(
    blobs: Blobs, unreadable: Dataset[tuple[Tensor, int]]
) -> None:
    model, retain, forget = problem(0, blobs)
    plain = InfluenceFunction(loss=squared, **EXACT)(model, retain, forget, seed=3)
    puma = PUMA(criterion=unreadable, compensation=0.0, loss=squared, **EXACT)(model, retain, forget, seed=3)
    assert torch.equal(vector(puma), vector(plain))


def test_works_in_eval_mode_and_leaves_running_statistics(blobs: Blobs) -> None:
    model, retain, forget = problem(0, blobs)
    network = nn.Sequential(nn.BatchNorm1d(4, affine=False, eps=0).double(), nn.Dropout(0.5), model)
    method = PUMA(criterion=forget, loss=squared, **EXACT)
    plain, inside = method(model, retain, forget, seed=3), method(network, retain, forget, seed=3)
    torch.testing.assert_close(vector(inside), vector(plain))
    assert torch.equal(inside[0].running_var, torch.ones(4).double())
    assert not torch.equal(
        vector(plain), vector(InfluenceFunction(loss=squared, **EXACT)(model, retain, forget, seed=3))
    )


@pytest.mark.parametrize("seed", range(3))
def test_where_removal_does_no_harm_it_is_the_influence_step(seed: int, blobs: Blobs) -> None:
    """At the optimum removal can only improve the fit to the retain set, the criterion unless another is given."""
    model, retain, forget = problem(seed, blobs)
    plain = InfluenceFunction(loss=squared, **EXACT)(model, retain, forget, seed=3)
    assert torch.equal(vector(PUMA(loss=squared, **EXACT)(model, retain, forget, seed=3)), vector(plain))


@pytest.mark.parametrize("compensation", [0.25, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_harm_to_the_criterion_is_made_up_for_to_first_order(seed: int, compensation: float, blobs: Blobs) -> None:
    """Performance on the forget set itself is what removal surely harms."""
    model, retain, forget = problem(seed, blobs)
    slope = gradients(model, forget).mean(0)

    def change(method: InfluenceFunction) -> float:
        return float(slope @ (vector(method(model, retain, forget, seed=3)) - vector(model)))

    harm = change(InfluenceFunction(loss=squared, **EXACT))
    left = change(PUMA(criterion=forget, compensation=compensation, loss=squared, **EXACT))
    assert harm > 1e-3
    assert left == pytest.approx((1 - compensation) * harm, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_forgotten_points_have_no_weight_and_the_others_change_theirs_least(seed: int, blobs: Blobs) -> None:
    """The step is Newton's for the reweighted retain set alone, with the least-norm weights that solve s'w = harm."""
    model, retain, forget = problem(seed, blobs)
    puma = PUMA(criterion=forget, loss=squared, **EXACT)(model, retain, forget, seed=3)
    kept, gone, inverse = gradients(model, retain), gradients(model, forget), torch.linalg.inv(hessian(retain))
    scores = kept @ inverse @ gone.mean(0)
    least = torch.linalg.pinv(scores[None]) @ (gone.sum(0) @ inverse @ gone.mean(0))[None]
    step = -inverse @ ((1 + least) @ kept) / len(kept)
    torch.testing.assert_close(vector(puma), vector(model) + step, rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_keeps_the_retain_loss_where_the_influence_step_loses_it(seed: int, blobs: Blobs) -> None:
    """Early in training, forget and retain gradients agree, and the influence step goes up the retain loss too."""
    retain, forget = blobs(60, seed, dtype=torch.float64), blobs(20, seed + 100, dtype=torch.float64)
    torch.manual_seed(seed)
    model = nn.Linear(4, 3).double()
    settings: dict[str, Any] = {"damping": 0.1, "tolerance": 1e-10, "steps": 200}

    def rise(method: InfluenceFunction) -> float:
        x, y = retain.tensors
        unlearned = method(model, retain, forget, seed=seed)
        return (cross_entropy(unlearned(x), y) - cross_entropy(model(x), y)).item()

    plain, puma = rise(InfluenceFunction(**settings)), rise(PUMA(**settings))
    assert plain > 0.05
    assert puma < 0.5 * plain
    # Nothing is left of first order: a tenth of the step, a hundredth of the rise.
    assert rise(PUMA(**settings, rate=0.1)) == pytest.approx(puma / 100, rel=0.1)


def test_rate_scales_the_step(blobs: Blobs) -> None:
    model, retain, forget = problem(0, blobs)
    whole, part = (
        vector(PUMA(criterion=forget, rate=rate, loss=squared, **EXACT)(model, retain, forget, seed=3)) - vector(model)
        for rate in (1.0, 0.3)
    )
    torch.testing.assert_close(part, 0.3 * whole)


def test_many_chunks_are_one_sum(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    model, retain, forget = problem(0, blobs)
    method = PUMA(criterion=forget, loss=squared, **EXACT)
    expected = vector(method(model, retain, forget, seed=3))
    monkeypatch.setattr("unlearners.influence.puma.CHUNK", 7)
    torch.testing.assert_close(vector(method(model, retain, forget, seed=3)), expected)


@pytest.mark.parametrize("wrong", [{"compensation": 1.1}, {"compensation": float("nan")}, {"rate": -1.0}], ids=str)
def test_hyper_parameters_are_checked_where_they_are_given(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PUMA(**wrong)
