"""Certify removal by projected noisy gradient descent (Langevin unlearning)."""

import math
from bisect import bisect_left
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Generator, Tensor, nn

from unlearners._core.curvature import trainable
from unlearners._core.isolation import Examples, Unsupported, isolated
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Data, seeded
from unlearners.exact.logistic import LogisticModel, count_labels, targets, unit_rows
from unlearners.exact.noisy_steps import absorbed, epsilon_of


class LangevinModel(LogisticModel):
    """Hold logistic regression with the record of how its weights were reached.

    phases: (noisy steps, examples they were on), from training on; it is all that the certificate needs.
    """

    def __init__(self, shape: tuple[int, int], settings: dict[str, float | None], device: torch.device) -> None:
        super().__init__(torch.zeros(*shape, dtype=torch.float64, device=device))
        self.settings = settings
        self.phases: list[tuple[int, int]] = []


@dataclass(frozen=True, kw_only=True)
class LangevinUnlearning(NetworkMethod):
    """Continue projected noisy gradient descent on what is left.

    Source: Chien, Wang, Chen and Li 2024, "Langevin unlearning: a new perspective of noisy gradient descent for machine
    unlearning". `train` takes noisy steps down the mean logistic loss plus (lambda / 2)|w|^2 from zero, w <- P(w - eta
    gradient + N(0, sigma^2 I)) with P the projection onto the ball that holds all optima. A request takes further ones
    on the retain set, as many as the guarantee needs. Noise from training hides already what it can: nothing is secret
    but the seeds.

    The steps are accounted for by privacy amplification by iteration (`absorbed`) rather than by the paper's
    log-Sobolev constants: a step of length 2 / (m + M) brings two points closer by c = (M - m) / (M + m), and gradients
    of losses on n examples and on those less k differ by at most 2 L k / n. The constants m, M, the radius and L are
    those of `DescentToDelete`, L without the regulariser's part, which cancels.

    Certified: (epsilon, delta)-indistinguishable from training from scratch on what is left, with as many noisy steps
    in all, for an observer of the last weights, requests that do not depend on the models, and secret seeds. A
    request for which more steps would be needed than training takes is answered by training from scratch. There is
    no intercept (append a constant to x); a class that vanishes keeps its row.

    regularisation, noise, steps: lambda, sigma, and the steps of `train`.
    epsilon, delta: the guarantee.
    classes: how many, where the labels of the training set may not show all.

    Defaults are ours, for hundreds of examples; the paper takes sigma from 0.03 on, and lambda from 1e-6 for tens of
    thousands.
    """

    regularisation: float = 1e-2
    noise: float = 0.05
    steps: int = 200
    epsilon: float = 1.0
    delta: float = 1e-5
    classes: int | None = None

    def __post_init__(self) -> None:
        if not (0 < self.regularisation < math.inf and 0 < self.noise < math.inf and 0 < self.epsilon < math.inf):
            raise ValueError(f"regularisation, noise and epsilon are positive: {self}")
        if not 0 < self.delta < 1 or self.steps < 1 or (self.classes is not None and self.classes < 2):
            raise ValueError(f"delta is between 0 and 1, steps at least 1, classes at least 2: {self}")

    def rate(self, classes: int) -> float:
        """Return eta, the length of a step."""
        return 2 / (2 * self.regularisation + (1 / 4 if classes == 2 else 1 / 2))

    def contraction(self, classes: int) -> float:
        """Return c, by how much a step brings two points closer."""
        return 1 - self.rate(classes) * self.regularisation

    def spent(self, phases: list[tuple[int, int]], left: int, steps: int, classes: int) -> float:
        """Return epsilon after further steps on what is left of the examples.

        phases: steps and examples so far. left: how many remain. steps: of this request, at least 1.
        """
        c, apart = self.contraction(classes), 0.0
        slope = 1.0 if classes == 2 else math.sqrt(2)
        for past, size in phases:
            shift = self.rate(classes) * 2 * slope * (size - left) / size
            apart = c**past * apart + shift * (1 - c**past) / (1 - c)
        return epsilon_of(absorbed(apart, c, 0.0, steps) / (2 * self.noise**2), self.delta)

    def train(self, dataset: Examples, *, seed: int) -> LangevinModel:
        """Take noisy steps from zero on the dataset."""
        with isolated(seed):
            x, y = unit_rows(dataset, "LangevinUnlearning")
            classes = count_labels(y, self.classes)
            shape = (1 if classes == 2 else classes, x.shape[1])
            model = LangevinModel(shape, asdict(self), x.device)
            self._descend(model, (x, y), self.steps, seed)
            return model

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        if not isinstance(model, LangevinModel):
            raise Unsupported(
                f"LangevinUnlearning needs a model from its own train(), not {type(model).__name__}: only noise from "
                "the training on hides what was there; Retrain(recipe) works for any model."
            )
        if model.settings != asdict(self):
            raise ValueError(f"LangevinUnlearning was given a model that was trained with {model.settings}, not {self}")
        trainable(model)
        x, y = unit_rows(retain, "LangevinUnlearning", model.weight.device)
        if len(y) + len(forget) != model.phases[-1][1]:
            raise ValueError("LangevinUnlearning: retain and forget together are not what the model was trained on.")
        classes = max(2, len(model.weight))
        needed = self.needed(model.phases, len(y), classes)
        if needed is None:
            with torch.no_grad():
                model.weight.zero_()
            model.phases = []
        self._descend(model, (x, y), needed or self.steps, order.initial_seed())

    def needed(self, phases: list[tuple[int, int]], left: int, classes: int) -> int | None:
        """Count the steps that the guarantee takes; None if more than training."""
        if self.spent(phases, left, self.steps, classes) > self.epsilon:
            return None
        steps = range(1, self.steps + 1)  # each spends less than the one before
        return steps[bisect_left(steps, True, key=lambda n: self.spent(phases, left, n, classes) <= self.epsilon)]

    @torch.no_grad()
    def _descend(self, model: LangevinModel, data: Data, steps: int, seed: int) -> None:
        # Each phase draws noise of its own, also where the seed is that of an earlier one.
        entropy = np.random.SeedSequence([int(seed), len(model.phases)]).generate_state(1, np.uint64)
        tape = seeded(int(entropy[0] >> 1))
        (x, y), w, classes = data, model.weight, max(2, len(model.weight))
        wanted, radius = targets(y, len(w)), math.sqrt(math.log(classes) / self.regularisation)
        for _ in range(steps):
            logits = x @ w.T
            chances = torch.sigmoid(logits) if classes == 2 else torch.softmax(logits, 1)
            slope: Tensor = (chances - wanted).T @ x / len(y) + self.regularisation * w
            noise = self.noise * torch.randn(w.shape, generator=tape, dtype=torch.float64)
            w.add_(noise.to(w) - self.rate(classes) * slope)
            w.mul_(min(1.0, radius / max(float(w.norm()), 1e-300)))
        model.phases = [*model.phases, (steps, len(y))]
