"""Certify removal by a Newton step, hidden in noise of the training."""

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist

import torch
from torch import Generator, Tensor, nn
from torch.linalg import matrix_norm, solve

from unlearners._core.curvature import trainable
from unlearners._core.isolation import Examples, Unsupported, isolated
from unlearners._core.method import NetworkMethod
from unlearners._core.training import noise_number, seeded
from unlearners.exact.logistic import LogisticModel, count_labels, targets, unit_rows

# The Lipschitz constant of the logistic loss's second derivative, as Guo et al. take it (the best is 1 / (6 √3)).
GAMMA = 1 / 4


@dataclass(frozen=True)
class Certificate:
    """Hold (epsilon, delta)-certified removal while `spent` is within `budget`.

    spent: a bound on the norm of the gradient that is left at the weights, where retraining would leave none.
    retrainings: how often the budget was exhausted, and spending began anew.
    """

    epsilon: float
    delta: float
    spent: float
    budget: float
    retrainings: int

    @property
    def holds(self) -> bool:
        """Whether the guarantee stands."""
        return self.spent <= self.budget


class CertifiedModel(LogisticModel):
    """Hold logistic regression with its certificate and its secret noise b."""

    noise: Tensor

    def __init__(self, noise: Tensor, settings: dict[str, float | None], budget: float) -> None:
        super().__init__(torch.zeros_like(noise))
        self.register_buffer("noise", noise)
        self.settings, self.budget = settings, budget
        self.spent, self.retrainings = math.inf, 0

    @property
    def certificate(self) -> Certificate:
        """What is guaranteed at this moment."""
        epsilon, delta = (float(self.settings[name] or 0) for name in ("epsilon", "delta"))
        return Certificate(epsilon, delta, self.spent, self.budget, self.retrainings)


@dataclass(frozen=True, kw_only=True)
class CertifiedNewton(NetworkMethod):
    """Remove examples from logistic regression with a certificate.

    Source: Guo et al. 2020, section 3. `train` minimises the sum of the losses plus (λ n / 2)|w|² + b·w, with b ~ N(0,
    σ² I) drawn once. A request takes the Newton step w + H⁻¹Δ, with H the Hessian on the retain set and Δ the gradient
    that the forget examples had contributed, λ w each included. The gradient that this leaves is at most γ |X|₂ |H⁻¹Δ|
    |X H⁻¹Δ|, γ = 1/4 and X the retained rows, which is added to what is spent (at first the gradient that training
    left, which is rounding). A request that would exceed the budget σ ε / c, c = √(2 ln(1.5 / δ)), is answered by
    training from scratch with a new b. `model.certificate` shows where one stands.

    Certified: (epsilon, delta)-indistinguishable from training from scratch on what is left, as long as the requests
    do not depend on the models, and b and the seeds are secret. The model has no intercept (append a constant
    to x), and rows have norm at most 1. K > 2 classes are K problems, one against the rest; they are one problem in the
    stacked weights with one stacked b, and norms are of the stack, so one budget covers all and nothing is lost to
    composition. A class that vanishes keeps its row.

    regularisation, noise: λ and σ. Guo et al. take λ from 2e-4 to 1e-3 and σ = 10, for tens of thousands of examples;
        1e-2 and 1 are ours, for hundreds. What a request spends falls like 1 / (λ² n).
    epsilon, delta: the guarantee. The paper's c is valid up to ε = 2 c (c + Φ⁻¹(δ)), 6 for the default delta; more
        is refused.
    classes: how many, where the labels of the training set may not show all.
    """

    regularisation: float = 1e-2
    noise: float = 1.0
    epsilon: float = 1.0
    delta: float = 1e-5
    classes: int | None = None

    def __post_init__(self) -> None:
        if not (0 < self.regularisation < math.inf and 0 < self.noise < math.inf and 0 < self.delta < 1):
            raise ValueError(f"regularisation and noise are positive, delta is between 0 and 1: {self}")
        if self.classes is not None and self.classes < 2:
            raise ValueError(f"classes is at least 2: {self}")
        # Up to here the Gaussian tail beyond c - ε / (2 c), which the exact delta is less than, is at most delta.
        largest = 2 * self.c * (self.c + NormalDist().inv_cdf(self.delta))
        if not 0 < self.epsilon <= largest:
            raise ValueError(f"epsilon is positive and at most {largest:.3g} for delta={self.delta}: {self}")

    @property
    def c(self) -> float:
        """How many standard deviations of the noise separate epsilon and delta."""
        return math.sqrt(2 * math.log(1.5 / self.delta))

    @property
    def budget(self) -> float:
        """The norm that the remaining gradient may have."""
        return self.noise * self.epsilon / self.c

    def train(self, dataset: Examples, *, seed: int) -> CertifiedModel:
        """Minimise the perturbed objective, and certify the result."""
        with isolated(seed), torch.no_grad():
            x, y = unit_rows(dataset, "CertifiedNewton")
            classes = count_labels(y, self.classes)
            rows = 1 if classes == 2 else classes
            model = CertifiedModel(x.new_zeros(rows, x.shape[1]), asdict(self), self.budget)
            self._fit(model, Problem(x, targets(y, rows), self.regularisation), seeded(seed))
            return model

    @torch.no_grad()
    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        if not isinstance(model, CertifiedModel):
            raise Unsupported(
                f"CertifiedNewton needs a model from its own train(), not {type(model).__name__}: without the noise in "
                "its objective nothing can be certified; Retrain(recipe) works for any model."
            )
        if model.settings != asdict(self):
            raise ValueError(f"This model was trained with {model.settings}, and its certificate is for those: {self}")
        trainable(model)
        kept, gone = (self._problem(model, dataset) for dataset in (retain, forget))
        weight = model.weight.double()
        given = gone.gradient(weight)
        left = (kept.gradient(weight) + given + model.noise).norm()
        if left > model.spent + 1e-10 * (len(kept.x) + len(gone.x) + model.noise.norm()):
            raise ValueError(
                f"CertifiedNewton: on retain and forget together the gradient has norm {left:.3g}, where at most "
                f"{model.spent:.3g} is certified. They are not what the model was trained on, or its weights were "
                "changed or rounded."
            )
        step = kept.newton(weight, given)
        bound = GAMMA * matrix_norm(kept.x, 2) * (step.norm(dim=1) * (kept.x @ step.T).norm(dim=0)).norm()
        if model.spent + float(bound) <= model.budget:
            model.weight.add_(step)
            model.spent += float(bound)
        else:
            model.retrainings += 1
            self._fit(model, kept, order)

    def _problem(self, model: CertifiedModel, dataset: Examples) -> "Problem":
        x, y = unit_rows(dataset, "CertifiedNewton", model.weight.device)
        rows = len(model.weight)
        count_labels(y, max(2, rows))
        return Problem(x, targets(y, rows), self.regularisation)

    def _fit(self, model: CertifiedModel, problem: "Problem", order: Generator) -> None:
        # Not the draw of an earlier training with the same seed.
        model.noise.copy_(self.noise * noise_number(model.retrainings, model.noise.shape, order))
        weight, left = problem.minimise(model.noise)
        model.weight.copy_(weight)
        model.spent = left


@dataclass(frozen=True)
class Problem:
    """Sum logistic losses plus (λ n / 2)|w|², for each row w of the weights."""

    x: Tensor
    targets: Tensor
    regularisation: float

    def gradient(self, weight: Tensor) -> Tensor:
        """Return the gradient, shaped like the weights."""
        errors = torch.sigmoid(self.x @ weight.T) - self.targets
        return errors.T @ self.x + self.regularisation * len(self.x) * weight

    def newton(self, weight: Tensor, gradient: Tensor) -> Tensor:
        """Return H⁻¹ times a gradient, H the Hessian at the weights."""
        chance = torch.sigmoid(self.x @ weight.T)
        ridge = self.regularisation * len(self.x) * torch.eye(self.x.shape[1], dtype=self.x.dtype, device=self.x.device)
        curvature = [(self.x * p[:, None]).T @ self.x + ridge for p in (chance * (1 - chance)).T]
        return torch.stack([solve(h, g) for h, g in zip(curvature, gradient, strict=True)])

    def minimise(self, noise: Tensor) -> tuple[Tensor, float]:
        """Minimise by Newton, with the linear term, until rounding; return the slope."""
        weight, size = torch.zeros_like(noise), 1.0
        gradient = self.gradient(weight) + noise
        while size > 1e-8:
            step = self.newton(weight, gradient)
            size = 1.0
            while size > 1e-8:
                moved = weight - size * step
                slope = self.gradient(moved) + noise
                if slope.norm() < gradient.norm():
                    weight, gradient = moved, slope
                    break
                size /= 2
        return weight, float(gradient.norm())
