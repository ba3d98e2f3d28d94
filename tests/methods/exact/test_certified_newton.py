import math
import pickle
from copy import deepcopy
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.linalg import matrix_norm
from torch.nn.functional import binary_cross_entropy_with_logits

from unlearners import Unsupported
from unlearners.exact.certified_newton import CertifiedModel, CertifiedNewton

Rows = list[tuple[Tensor, int]]
N = 569


def as_rows(x: Any, y: Any) -> Rows:
    x = torch.as_tensor(x)
    return [(row, int(label)) for row, label in zip(x / x.norm(dim=1).max(), y, strict=True)]


@cache
def cancer() -> Rows:
    """Standardised, with a constant for the intercept, divided by the largest norm."""
    x, y = load_breast_cancer(return_X_y=True)
    return as_rows(np.column_stack([StandardScaler().fit_transform(x), np.ones(N)]), y)


@cache
def digits(classes: int) -> Rows:
    x, y = load_digits(return_X_y=True)
    return as_rows(x[y < classes][:400], y[y < classes][:400])


def arrays(rows: Rows) -> tuple[Tensor, Tensor]:
    return torch.stack([x for x, _ in rows]).double(), torch.tensor([y for _, y in rows])


def gradient(model: CertifiedModel, rows: Rows | tuple[Tensor, Tensor], weight: Tensor | None = None) -> Tensor:
    """Of Guo et al.'s objective, by automatic differentiation."""
    x, y = arrays(rows) if isinstance(rows, list) else rows
    w = (model.weight if weight is None else weight).detach().clone().requires_grad_()
    wanted = y[:, None] if len(w) == 1 else torch.eye(len(w))[y]
    losses = binary_cross_entropy_with_logits(x @ w.T, wanted.double(), reduction="sum")
    objective = losses + model.settings["regularisation"] * len(y) / 2 * (w**2).sum() + (model.noise * w).sum()
    return torch.autograd.grad(objective, w)[0]


def refit(model: CertifiedModel, rows: Rows) -> Tensor:
    """The exact minimiser with the model's own b: a few more Newton steps, with a Hessian of our own."""
    x, y = arrays(rows)
    w, ridge = model.weight.detach().clone(), model.settings["regularisation"] * len(y)
    for _ in range(4):
        p = torch.sigmoid(x @ w[0])
        hessian = (x * (p * (1 - p))[:, None]).T @ x + ridge * torch.eye(x.shape[1], dtype=x.dtype)
        w[0] -= torch.linalg.solve(hessian, gradient(model, rows, w)[0])
    return w


def test_training_reaches_the_minimum_and_says_how_closely() -> None:
    for rows in (cancer(), digits(10)):
        model = CertifiedNewton().train(rows, seed=0)
        left = gradient(model, rows).norm()
        assert left < 1e-12
        assert model.certificate.spent > 0
        assert model.certificate.spent == pytest.approx(float(left), abs=1e-13)
        assert model.certificate.holds


def test_without_noise_it_is_scikit_learns_logistic_regression() -> None:
    """C = 1 / (λ n), no intercept."""
    x, y = arrays(cancer())
    model = CertifiedNewton(noise=1e-9).train(cancer(), seed=0)
    reference = LogisticRegression(C=1 / (1e-2 * N), fit_intercept=False, solver="newton-cholesky", tol=1e-12).fit(x, y)
    np.testing.assert_allclose(model.weight.detach().numpy(), reference.coef_, atol=1e-7)
    np.testing.assert_allclose(model(x).softmax(1).detach().numpy(), reference.predict_proba(x), atol=1e-7)


def test_the_noise_is_gaussian_with_the_given_deviation() -> None:
    draws = torch.cat(
        [CertifiedNewton(noise=3.0).train(digits(10)[:50], seed=seed).noise.ravel() for seed in range(20)]
    )
    assert float(draws.std()) == pytest.approx(3.0, rel=0.03)
    assert abs(float(draws.mean())) < 0.1


def test_the_bound_holds_for_every_single_removal() -> None:
    """Guo et al., the data-dependent bound, on all 569 examples; the figures are for next to no b."""
    rows, method = cancer(), CertifiedNewton(noise=1e-9, epsilon=1)
    trained = method.train(rows, seed=0)
    trained.budget = math.inf
    residuals, bounds, steps, (x, y) = [], [], [], arrays(rows)
    for i in range(N):
        unlearned, kept = method(trained, rows[:i] + rows[i + 1 :], [rows[i]], seed=0), torch.arange(N) != i
        residuals.append(float(gradient(unlearned, (x[kept], y[kept])).norm()))
        bounds.append(unlearned.spent - trained.spent)
        steps.append(float((unlearned.weight - trained.weight).detach().norm()))
    assert all(residual <= bound for residual, bound in zip(residuals, bounds, strict=True))
    assert max(residuals) == pytest.approx(2.77e-4, rel=0.01)
    assert max(bounds) == pytest.approx(1.82e-2, rel=0.01)
    assert max(bounds) <= 4 / 4 / (1e-2**2 * (N - 1))
    # Strong convexity: the residual over λ n bounds the distance to retraining.
    worst = int(np.argmax(residuals))
    retain = rows[:worst] + rows[worst + 1 :]
    unlearned = method(trained, retain, [rows[worst]], seed=0)
    distance = float((unlearned.weight.detach() - refit(trained, retain)).norm())
    assert distance <= residuals[worst] / (1e-2 * (N - 1))
    assert distance == pytest.approx(3.25e-5, rel=0.02)
    assert distance < steps[worst] / 1000


@pytest.mark.parametrize("size", [1, 10, 50, 100])
@pytest.mark.parametrize("seed", range(3))
def test_the_step_is_newtons_and_the_spending_is_the_papers_bound(seed: int, size: int) -> None:
    rows, method = cancer(), CertifiedNewton()
    trained = method.train(rows, seed=seed)
    trained.budget = math.inf
    order = np.random.default_rng(seed).permutation(N).tolist()
    forget, retain = [rows[i] for i in order[:size]], [rows[i] for i in order[size:]]
    unlearned = method(trained, retain, forget, seed=7)

    (x, y), (gone, labels) = arrays(retain), arrays(forget)
    w = trained.weight[0].detach()
    delta = gone.T @ (torch.sigmoid(gone @ w) - labels) + size * 1e-2 * w
    p = torch.sigmoid(x @ w)
    hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-2 * len(y) * torch.eye(31, dtype=x.dtype)
    step = torch.linalg.solve(hessian, delta)
    torch.testing.assert_close(unlearned.weight[0], w + step, rtol=0, atol=1e-12)
    bound = float(0.25 * matrix_norm(x, 2) * step.norm() * (x @ step).norm())
    assert unlearned.spent - trained.spent == pytest.approx(bound, rel=1e-9)

    residual = float(gradient(unlearned, retain).norm())
    assert residual <= bound
    exact = refit(trained, retain)
    assert (unlearned.weight - exact).norm() <= residual / (1e-2 * len(y)) + 1e-12
    assert (unlearned.weight - exact).norm() < (trained.weight - exact).norm() / 30


def test_spending_accumulates_and_stays_above_what_is_left() -> None:
    for seed in range(3):
        rows, method = cancer(), CertifiedNewton(noise=20)
        model = method.train(rows, seed=seed)
        for _ in range(40):
            forget, rows = rows[:2], rows[2:]
            after = method(model, rows, forget, seed=seed)
            assert after.spent > model.spent
            assert float(gradient(after, rows).norm()) <= after.spent
            assert torch.equal(after.noise, model.noise)
            model = after
        assert model.certificate.holds
        assert model.certificate.retrainings == 0
        assert model.certificate.spent < model.certificate.budget == method.budget


def test_an_exhausted_budget_retrains_with_another_noise_and_says_so() -> None:
    rows, method = cancer(), CertifiedNewton(noise=0.05)
    model = method.train(rows, seed=0)
    for _ in range(60):
        forget, rows = rows[:4], rows[4:]
        after = method(model, rows, forget, seed=0)
        assert after.certificate.holds
        if after.retrainings > model.retrainings:
            assert not torch.isclose(after.noise, model.noise).any()
            assert float(gradient(after, rows).norm()) < 1e-12
            assert after.spent < 1e-12
        model = after
    assert 1 < model.certificate.retrainings < 60


def test_several_classes_are_one_problem_in_the_stacked_weights() -> None:
    rows, method = digits(4), CertifiedNewton(noise=10)
    trained = method.train(rows, seed=0)
    assert trained.weight.shape == trained.noise.shape == (4, 64)
    forget, retain = rows[:10], rows[10:]
    unlearned = method(trained, retain, forget, seed=0)
    singles = []
    for label in range(4):
        relabelled = [(x, int(y == label)) for x, y in rows]
        single = method.train(relabelled, seed=0)
        single.noise.copy_(trained.noise[label : label + 1])
        single.weight.data = trained.weight[label : label + 1].detach().clone()
        single.spent = trained.spent
        after = method(single, relabelled[10:], relabelled[:10], seed=0)
        torch.testing.assert_close(after.weight[0], unlearned.weight[label], rtol=0, atol=1e-12)
        singles.append(after.spent - trained.spent)
    assert unlearned.spent - trained.spent == pytest.approx(math.hypot(*singles), rel=1e-9)
    assert float(gradient(unlearned, retain).norm()) <= unlearned.spent


def test_logits_are_0_and_z_or_one_a_class() -> None:
    x, y = arrays(cancer())
    model = CertifiedNewton(noise=0.1).train(cancer(), seed=0)
    logits = model(x.float())
    assert logits.shape == (N, 2)
    torch.testing.assert_close(logits, torch.stack([torch.zeros(N), x @ model.weight[0]], 1), atol=1e-5, rtol=0)
    assert float((logits.argmax(1) == y).double().mean()) > 0.93
    x, y = arrays(digits(10))
    logits = CertifiedNewton(noise=0.1).train(digits(10), seed=0)(x)
    assert logits.shape == (400, 10)
    assert float((logits.argmax(1) == y).double().mean()) > 0.85


def test_a_class_that_vanishes_keeps_its_row() -> None:
    rows, method = digits(4), CertifiedNewton(noise=10)
    forget, retain = [r for r in rows if r[1] == 3], [r for r in rows if r[1] != 3]
    trained = method.train(rows, seed=0)
    trained.budget = math.inf
    unlearned = method(trained, retain, forget, seed=0)
    assert unlearned.weight.shape == (4, 64)
    assert 1e-6 < float(gradient(unlearned, retain).norm()) <= unlearned.spent
    assert CertifiedNewton(classes=4).train(retain, seed=0).weight.shape == (4, 64)


def test_the_budget_is_sigma_epsilon_over_c() -> None:
    method = CertifiedNewton(noise=10, epsilon=0.5, delta=1e-5)
    assert method.c == pytest.approx(4.882, abs=1e-3)
    assert 1.5 * math.exp(-(method.c**2) / 2) == pytest.approx(1e-5)
    assert method.budget == pytest.approx(10 * 0.5 / 4.882, rel=1e-3)
    certificate = method.train(cancer()[:50], seed=0).certificate
    assert (certificate.epsilon, certificate.delta, certificate.budget) == (0.5, 1e-5, method.budget)
    assert certificate.holds


@pytest.mark.parametrize("delta", [1e-8, 1e-5, 1e-2, 0.3])
@pytest.mark.parametrize("epsilon", [1e-3, 0.1, 1.0, None])
def test_at_the_budget_the_exact_delta_of_the_gaussian_is_within_delta(epsilon: float | None, delta: float) -> None:
    """Balle and Wang 2018, theorem 8: two Gaussians, the means `budget` apart."""
    limit = CertifiedNewton(delta=delta, epsilon=1e-9)
    largest = 2 * limit.c * (limit.c + NormalDist().inv_cdf(delta))
    method = CertifiedNewton(delta=delta, epsilon=epsilon or largest * (1 - 1e-9))
    shift, phi = method.budget / method.noise, NormalDist().cdf
    exact = phi(shift / 2 - method.epsilon / shift) - math.exp(method.epsilon) * phi(
        -shift / 2 - method.epsilon / shift
    )
    assert exact <= delta
    with pytest.raises(ValueError, match="epsilon is positive and at most"):
        CertifiedNewton(delta=delta, epsilon=largest * 1.001)


def test_duplicates_are_forgotten_one_by_one() -> None:
    rows, method = cancer()[:60], CertifiedNewton(noise=10)
    doubled = rows + rows[:5]
    trained = method.train(doubled, seed=0)
    trained.budget = math.inf
    unlearned = method(trained, rows, rows[:5], seed=0)
    assert 1e-6 < float(gradient(unlearned, rows).norm()) <= unlearned.spent


def test_input_is_untouched_and_the_model_survives_storage() -> None:
    rows, method = cancer(), CertifiedNewton()
    model = method.train(rows, seed=0)
    before, state = deepcopy(model), torch.get_rng_state()
    expected = method(model, rows[3:], rows[:3], seed=0)
    assert torch.equal(model.weight, before.weight)
    assert model.certificate == before.certificate
    assert torch.equal(torch.get_rng_state(), state)
    assert expected.weight.requires_grad
    stored = method(pickle.loads(pickle.dumps(model)), rows[3:], rows[:3], seed=0)
    assert torch.equal(stored.weight, expected.weight)
    assert stored.certificate == expected.certificate
    unchanged = method(model, rows, [], seed=0)
    assert unchanged is not model
    assert torch.equal(unchanged.weight, model.weight)
    assert unchanged.certificate == model.certificate


def test_data_and_weights_that_the_certificate_is_not_about_are_refused() -> None:
    rows, method = cancer(), CertifiedNewton()
    model = method.train(rows, seed=0)
    moved = deepcopy(model)
    with torch.no_grad():
        moved.weight += 1e-4
    for wrong, retain in ((model, rows[4:]), (model, rows), (moved, rows[3:]), (deepcopy(model).float(), rows[3:])):
        with pytest.raises(
            ValueError, match=r"They are not what the model was trained on, or its weights were changed"
        ):
            method(wrong, retain, rows[:3], seed=0)
    with pytest.raises(ValueError, match="was trained with"):
        CertifiedNewton(epsilon=0.5)(model, rows[3:], rows[:3], seed=0)
    with pytest.raises(ValueError, match="retain set is empty"):
        method(model, [], rows, seed=0)


def test_rows_longer_than_one_and_foreign_labels_are_refused() -> None:
    rows, method = cancer(), CertifiedNewton()
    long = [(2 * x, y) for x, y in rows]
    with pytest.raises(ValueError, match="norm at most 1, and the longest here has 2: divide"):
        method.train(long, seed=0)
    model = method.train(rows, seed=0)
    with pytest.raises(ValueError, match="norm at most 1"):
        method(model, rows[1:], long[:1] + long[-1:], seed=0)
    with pytest.raises(ValueError, match="labels are numbers"):
        method(model, rows[1:], [(rows[0][0], 2)], seed=0)
    with pytest.raises(ValueError, match="labels are numbers"):
        method.train([(x, y - 1) for x, y in rows], seed=0)


def test_other_models_are_refused_in_one_sentence() -> None:
    for model in (nn.Linear(31, 2), "a name"):
        with pytest.raises(
            Unsupported, match=r"CertifiedNewton (needs a model from its own train|trains by gradients)"
        ):
            CertifiedNewton()(model, cancer()[1:], cancer()[:1], seed=0)
    frozen = CertifiedNewton().train(cancer(), seed=0).requires_grad_(False)
    with pytest.raises(Unsupported, match="frozen"):
        CertifiedNewton()(frozen, cancer()[1:], cancer()[:1], seed=0)


@pytest.mark.parametrize(
    "wrong", [{"regularisation": 0}, {"noise": 0}, {"delta": 1}, {"epsilon": 0}, {"epsilon": 7}, {"classes": 1}]
)
def test_bad_settings_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CertifiedNewton(**wrong)
