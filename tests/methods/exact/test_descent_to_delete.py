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
from torch.autograd.functional import hessian
from torch.nn.functional import cross_entropy

from unlearners import Unsupported
from unlearners.exact.descent_to_delete import DescentToDelete, SecretiveModel

Rows = list[tuple[Tensor, int]]
N, LAMBDA = 569, 1e-2


def as_rows(x: Any, y: Any) -> Rows:
    x = torch.as_tensor(x)
    return [(row, int(label)) for row, label in zip(x / x.norm(dim=1).max(), y, strict=True)]


@cache
def cancer() -> Rows:
    """Standardised, with a constant for the intercept, divided by the largest norm."""
    x, y = load_breast_cancer(return_X_y=True)
    return as_rows(np.column_stack([StandardScaler().fit_transform(x), np.ones(N)]), y)


@cache
def digits() -> Rows:
    x, y = load_digits(return_X_y=True)
    return as_rows(x[y < 4][:200], y[y < 4][:200])


def arrays(rows: Rows) -> tuple[Tensor, Tensor]:
    return torch.stack([x for x, _ in rows]), torch.tensor([y for _, y in rows])


def objective(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The mean loss plus half λ |w|²; a single row of weights is for class 1."""
    logits = x @ w.T
    if len(w) == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], 1)
    return cross_entropy(logits, y) + LAMBDA / 2 * (w**2).sum()


def gradient(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    w = w.detach().clone().requires_grad_()
    return torch.autograd.grad(objective(w, x, y), w)[0]


def optimum(rows: Rows, classes: int = 2) -> Tensor:
    """By Newton's method; that it has arrived is said by autograd."""
    x, y = arrays(rows)
    w = torch.zeros(1 if classes == 2 else classes, x.shape[1], dtype=x.dtype)
    for _ in range(9):
        p = torch.sigmoid(x @ w.T) if classes == 2 else torch.softmax(x @ w.T, 1)
        spread = torch.diag_embed(p) - p[:, :, None] * p[:, None]
        curvature = torch.einsum("nab,ni,nj->aibj", spread, x, x).reshape(w.numel(), w.numel()) / len(y)
        curvature += LAMBDA * torch.eye(w.numel(), dtype=x.dtype)
        w = w - torch.linalg.solve(curvature, gradient(w, x, y).ravel()).view_as(w)
    assert gradient(w, x, y).norm() < 1e-12
    return w


@cache
def optima() -> tuple[Tensor, Tensor]:
    """Of all 569 examples, and without each of them: Newton steps for all at once."""
    x, y = arrays(cancer())
    best = optimum(cancer())[0]
    w, keep = best.repeat(N, 1), 1 - torch.eye(N, dtype=x.dtype)
    for _ in range(4):
        p = torch.sigmoid(w @ x.T)
        slope = (keep * (p - y)) @ x / (N - 1) + LAMBDA * w
        curvature = torch.einsum("in,nj,nk->ijk", keep * p * (1 - p), x, x) / (N - 1) + LAMBDA * torch.eye(
            31, dtype=x.dtype
        )
        w = w - torch.linalg.solve(curvature, slope)
    return best, w


def distance(model: SecretiveModel, best: Tensor) -> float:
    return float((model.state - best).norm())


@pytest.mark.parametrize(
    ("iterations", "bound", "sigma"), [(5, 0.259, 15.9), (10, 0.176, 6.44), (25, 0.0556, 1.28), (50, 0.00812, 0.163)]
)
def test_constants_are_those_of_the_objective(iterations: int, bound: float, sigma: float) -> None:
    method = DescentToDelete(regularisation=LAMBDA, iterations=iterations)
    gamma, lipschitz = 0.25 / 0.27, 1 + math.sqrt(LAMBDA * math.log(2))
    share = math.sqrt(math.log(1e5) + 1) - math.sqrt(math.log(1e5))
    expected = 4 * math.sqrt(2) * lipschitz * gamma**iterations / (LAMBDA * N * (1 - gamma**iterations) * share)
    assert method.noise(N, 2) == pytest.approx(expected) == pytest.approx(sigma, rel=5e-3)
    assert method.sensitivity(N, 2) * gamma**iterations == pytest.approx(bound, rel=5e-3)
    assert method.distance(N, 2) == pytest.approx(
        sum(method.sensitivity(N, 2) * gamma ** (iterations * k) for k in range(1, 99))
    )


@pytest.mark.parametrize("classes", [2, 4])
def test_curvature_slope_and_radius_are_bounded_as_stated(classes: int) -> None:
    """λ ≤ curvature ≤ M everywhere, |slope| ≤ L in the ball, optima in the ball; M and L are nearly reached."""
    method = DescentToDelete()
    radius, shape = method.radius(classes), (1 if classes == 2 else classes, 3)
    curvatures, slopes = [], []
    for seed in range(20):
        draw = torch.Generator().manual_seed(seed)
        w, x = torch.randn(*shape, generator=draw, dtype=torch.float64), torch.randn(1, 3, generator=draw).double()
        w, x, y = w / w.norm() * radius * seed / 19, x / x.norm(), torch.tensor([seed % classes])
        # Two classes equally likely, the others not at all.
        flat = radius / 2 * torch.tensor([1.0, 1, -1, -1])[:, None] * x if classes == 4 else 0 * x
        # As sure as may be of another class.
        sure = torch.eye(4).double()[(y + 1) % 4] - torch.eye(4).double()[y] if classes == 4 else 1.0 - 2 * y[None]
        wrong = radius * sure.T / sure.double().norm() * x
        for point in (w, flat, wrong):
            curvature = hessian(lambda v, x=x, y=y: objective(v, x, y), point).reshape(w.numel(), w.numel())
            curvatures += torch.linalg.eigvalsh(curvature).tolist()
            slopes.append(float(gradient(point, x, y).norm()))
    assert min(curvatures) == pytest.approx(LAMBDA)
    assert 0.99 * method.smoothness(classes) < max(curvatures) <= method.smoothness(classes) + 1e-12
    assert 0.99 * method.lipschitz(classes) < max(slopes) <= method.lipschitz(classes)
    corners = as_rows(torch.eye(classes, dtype=torch.float64), range(classes))
    assert float(optimum(corners, classes).norm()) <= radius


def test_the_regulariser_is_squared() -> None:
    """After many iterations the state is scikit-learn's optimum, C = 1 / (λ n)."""
    x, y = arrays(cancer())
    model = DescentToDelete(iterations=400).train(cancer(), seed=0)
    reference = LogisticRegression(C=1 / (LAMBDA * N), fit_intercept=False, solver="newton-cholesky", tol=1e-12).fit(
        x, y
    )
    np.testing.assert_allclose(model.state.numpy(), reference.coef_, atol=1e-9)


@pytest.mark.parametrize("iterations", [5, 10, 25, 50])
def test_the_contraction_bound_holds_for_every_single_removal(iterations: int) -> None:
    """|state - w*| ≤ (2 L / (m n)) γ^I from the optimum; γ^I is the contraction from wherever one starts."""
    best, without = optima()
    assert float((without - best).norm(dim=1).max()) <= DescentToDelete().sensitivity(N, 2)
    rows, method = cancer(), DescentToDelete(iterations=iterations)
    gamma = method.contraction(2) ** iterations
    model = method.train(rows, seed=0)
    assert 0 < distance(model, best) <= method.sensitivity(N, 2) * gamma
    model.state.copy_(best)
    for i in range(0, N, 19):
        unlearned = method(model, rows[:i] + rows[i + 1 :], [rows[i]], seed=0)
        assert distance(unlearned, without[i]) <= gamma * float((best - without[i]).norm()) * (1 + 1e-9)
        assert distance(unlearned, without[i]) <= method.sensitivity(N, 2) * gamma


@pytest.mark.parametrize(("iterations", "largest"), [(5, 0.0572), (10, 0.0367), (25, 0.0101), (50, 0.00128)])
def test_the_largest_distance_over_all_removals_is_well_within_the_bound(iterations: int, largest: float) -> None:
    """All 569 at once, by the formula of the method; the method itself is compared on one of them."""
    (best, without), (x, y), method = optima(), arrays(cancer()), DescentToDelete(iterations=iterations)
    w, keep = best.repeat(N, 1), 1 - torch.eye(N, dtype=x.dtype)
    for _ in range(iterations):
        slope = (keep * (torch.sigmoid(w @ x.T) - y)) @ x / (N - 1) + LAMBDA * w
        w = w - 2 / (2 * LAMBDA + 0.25) * slope
    distances = (w - without).norm(dim=1)
    assert float(distances.max()) == pytest.approx(largest, rel=0.01)
    assert float(distances.max()) < method.sensitivity(N, 2) * method.contraction(2) ** iterations / 4
    model = method.train(cancer(), seed=0)
    model.state.copy_(best)
    torch.testing.assert_close(method(model, cancer()[1:], cancer()[:1], seed=0).state[0], w[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [1, 3, 20])
def test_over_a_sequence_of_requests_the_state_stays_within_the_distance(size: int) -> None:
    rows, method = cancer(), DescentToDelete(iterations=10)
    model = method.train(rows, seed=0)
    for step in range(12):
        forget, rows = rows[:size], rows[size:]
        model = method(model, rows, forget, seed=step)
        if step % 4 == 3:
            assert distance(model, optimum(rows)) <= method.distance(N, 2)
    assert model.size == N
    assert model.examples == N - 12 * size


def test_from_the_edge_of_the_bound_any_request_comes_back_within_it() -> None:
    """The worst that may be: a state as far from the optimum as allowed, in a bad direction."""
    rows, method = cancer(), DescentToDelete(iterations=5)
    model, allowed = method.train(rows, seed=0), method.distance(N, 2)
    flattest = torch.linalg.svd(arrays(rows)[0])[2][-1]
    for size in (1, 10, 100, 284):
        model.state.copy_(optimum(rows) + allowed * flattest)
        unlearned = method(model, rows[size:], rows[:size], seed=0)
        assert 0 < distance(unlearned, optimum(rows[size:])) <= allowed


def test_every_step_ends_in_the_ball() -> None:
    rows, method = cancer(), DescentToDelete(iterations=1)
    model = method.train(rows, seed=0)
    model.state.fill_(1e3)
    assert method(model, rows[1:], rows[:1], seed=0).state.norm() <= method.radius(2) * (1 + 1e-12)


def test_a_request_of_k_takes_the_iterations_that_make_good_k_times_the_distance() -> None:
    for iterations in (1, 5, 50):
        method = DescentToDelete(iterations=iterations)
        gamma, edge, step = method.contraction(2), method.distance(N, 2), method.sensitivity(N, 2)
        assert method._iterations_for(1, 2) == iterations
        for k in (2, 10, 250):
            needed = method._iterations_for(k, 2)
            assert gamma**needed * (edge + k * step) <= edge * (1 + 1e-9) < gamma ** (needed - 1) * (edge + k * step)
            assert needed <= iterations + math.ceil(math.log(k) / -math.log(gamma))


def test_when_more_than_half_are_gone_it_trains_from_scratch() -> None:
    rows, method = cancer(), DescentToDelete(iterations=10)
    model = method(method.train(rows, seed=0), rows[284:], rows[:284], seed=0)
    assert (model.size, model.examples) == (N, 285)
    model = method(model, rows[285:], rows[284:285], seed=0)
    assert (model.size, model.examples) == (284, 284)
    assert torch.equal(model.state, method.train(rows[285:], seed=0).state)
    assert distance(model, optimum(rows[285:])) <= method.distance(284, 2)


def test_what_is_published_is_the_state_plus_gaussian_noise_of_that_deviation() -> None:
    rows, method = digits(), DescentToDelete(iterations=30)
    model = method.train(rows, seed=0)
    for draw in (
        [method.train(rows, seed=seed) for seed in range(6)],
        [method(model, rows[2:], rows[:2], seed=seed) for seed in range(6)],
    ):
        noise = torch.stack([(m.weight - m.state).detach() for m in draw])
        assert float(noise.std()) == pytest.approx(method.noise(200, 4), rel=0.05)
        assert all(torch.equal(m.state, draw[0].state) for m in draw)
        assert not torch.isclose(noise[0], noise[1]).any()


def test_a_seed_that_comes_again_does_not_bring_the_same_noise() -> None:
    """The difference of two published models would be that of their states."""
    rows, method = cancer(), DescentToDelete(iterations=30)
    models = [method.train(rows, seed=0)]
    for step in range(3):
        models.append(method(models[-1], rows[step + 1 :], [rows[step]], seed=0))
    noises = [(m.weight - m.state).detach() for m in models]
    assert not any(torch.isclose(a, b).any() for i, a in enumerate(noises) for b in noises[:i])


def test_the_model_answers_with_the_published_weights_and_gives_them_away_without_the_state() -> None:
    rows = cancer()
    x, _ = arrays(rows)
    model = DescentToDelete().train(rows, seed=0)
    published = model.published()
    assert list(published.state_dict()) == ["weight"]
    assert not any(torch.equal(t, model.state) for t in vars(published).values() if isinstance(t, Tensor))
    assert torch.equal(published(x), model(x))
    torch.testing.assert_close(model(x), torch.stack([torch.zeros(N), x @ model.weight[0]], 1), check_dtype=False)
    assert published.weight.data_ptr() != model.weight.data_ptr()


@pytest.mark.parametrize("delta", [1e-8, 1e-5, 1e-2, 0.3])
@pytest.mark.parametrize("epsilon", [1e-3, 0.1, 1.0, 5.0])
def test_the_noise_suffices_for_twice_the_distance(epsilon: float, delta: float) -> None:
    """Unlearned and retrained states are each that far from the optimum; exact delta by Balle and Wang 2018."""
    method, phi = DescentToDelete(epsilon=epsilon, delta=delta), NormalDist().cdf
    shift = 2 * method.distance(N, 2) / method.noise(N, 2)
    exact = phi(shift / 2 - epsilon / shift) - math.exp(epsilon) * phi(-shift / 2 - epsilon / shift)
    assert exact <= delta


def test_several_classes_are_softmax() -> None:
    rows, method = digits(), DescentToDelete(iterations=20)
    model = method.train(rows, seed=0)
    for size in (1, 5, 40):
        unlearned = method(model, rows[size:], rows[:size], seed=0)
        assert distance(unlearned, optimum(rows[size:], 4)) <= method.distance(200, 4)
        assert distance(unlearned, optimum(rows[size:], 4)) < distance(model, optimum(rows[size:], 4))
    assert model.weight.shape == (4, 64)
    kept = [row for row in rows if row[1] != 3]
    unlearned = method(model, kept, [row for row in rows if row[1] == 3], seed=0)
    assert distance(unlearned, optimum(kept, 4)) <= method.distance(200, 4)
    assert DescentToDelete(classes=4).train(kept, seed=0).weight.shape == (4, 64)


def test_input_is_untouched_and_the_model_survives_storage() -> None:
    rows, method = cancer(), DescentToDelete()
    model = method.train(rows, seed=0)
    before, state = deepcopy(model), torch.get_rng_state()
    expected = method(model, rows[3:], rows[:3], seed=0)
    assert all(map(torch.equal, model.state_dict().values(), before.state_dict().values()))
    assert (model.examples, model.publications) == (before.examples, before.publications)
    assert torch.equal(torch.get_rng_state(), state)
    assert expected.weight.requires_grad
    stored = method(pickle.loads(pickle.dumps(model)), rows[3:], rows[:3], seed=0)
    assert all(map(torch.equal, stored.state_dict().values(), expected.state_dict().values()))
    unchanged = method(model, rows, [], seed=0)
    assert unchanged is not model
    assert all(map(torch.equal, unchanged.state_dict().values(), model.state_dict().values()))


def test_what_the_guarantee_is_not_about_is_refused() -> None:
    rows, method = cancer(), DescentToDelete()
    model, long = method.train(rows, seed=0), [(2 * x, y) for x, y in rows]
    with pytest.raises(ValueError, match="to be the 569 examples that the model was trained on, not 569 and 3"):
        method(model, rows, rows[:3], seed=0)
    with pytest.raises(ValueError, match="was trained with"):
        DescentToDelete(epsilon=0.5)(model, rows[3:], rows[:3], seed=0)
    with pytest.raises(ValueError, match="norm at most 1, and the longest here has 2"):
        method.train(long, seed=0)
    with pytest.raises(ValueError, match="norm at most 1"):
        method(model, long[1:], long[:1], seed=0)
    with pytest.raises(ValueError, match="labels are numbers"):
        method(model, [(x, y + 1) for x, y in rows[1:]], rows[:1], seed=0)
    with pytest.raises(ValueError, match="retain set is empty"):
        method(model, [], rows, seed=0)


def test_other_models_are_refused_in_one_sentence() -> None:
    for model in (nn.Linear(31, 2), "a name"):
        with pytest.raises(
            Unsupported, match=r"DescentToDelete (needs a model from its own train|trains by gradients)"
        ):
            DescentToDelete()(model, cancer()[1:], cancer()[:1], seed=0)
    frozen = DescentToDelete().train(cancer(), seed=0).requires_grad_(False)
    with pytest.raises(Unsupported, match="frozen"):
        DescentToDelete()(frozen, cancer()[1:], cancer()[:1], seed=0)


@pytest.mark.parametrize(
    "wrong", [{"regularisation": 0}, {"iterations": 0}, {"delta": 1}, {"epsilon": 0}, {"classes": 1}]
)
def test_bad_settings_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DescentToDelete(**wrong)
