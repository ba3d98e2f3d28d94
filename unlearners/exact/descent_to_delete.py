"""Continue the training for a few steps, and publish with noise."""

import math
from dataclasses import asdict, dataclass

import torch
from torch import Generator, Tensor, nn

from unlearners._core.curvature import trainable
from unlearners._core.isolation import Examples, Unsupported, isolated
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Data, noise_number, seeded
from unlearners.exact.logistic import LogisticModel, count_labels, targets, unit_rows


class SecretiveModel(LogisticModel):
    """Hold logistic regression with a public `weight` and a secret `state`.

    size: the number of examples at the last training from scratch, from which the noise is reckoned.
    examples: how many are left of them.
    publications: how often weights were published since training.
    """

    state: Tensor

    def __init__(self, state: Tensor, settings: dict[str, float | None], size: int) -> None:
        super().__init__(torch.zeros_like(state))
        self.register_buffer("state", state)
        self.settings, self.size, self.examples, self.publications = settings, size, size, 0

    def published(self) -> LogisticModel:
        """Make a model with the public weights alone, to give away."""
        return LogisticModel(self.weight.detach().clone())


@dataclass(frozen=True, kw_only=True)
class DescentToDelete(NetworkMethod):
    """Continue perturbed gradient descent after a deletion.

    Source: Neel, Roth and Sharifi-Malvajerdi 2021. The objective is the mean logistic loss plus (λ / 2)|w|², squared.
    It is m-strongly convex and M-smooth, so that a projected gradient step of length 2 / (m + M) brings w closer to the
    optimum by γ = (M - m) / (M + m). A request continues on the retain set from the secret state; what is published is
    the state plus N(0, σ² I), with σ = 4 √2 L γ^I / (m n (1 - γ^I) (√(ln(1 / δ) + ε) - √(ln(1 / δ)))), I the iterations
    and n the training examples.

    Constants, for rows of norm at most 1: m = λ; with two classes M = λ + 1/4, and the loss is 1-Lipschitz; with
    K > 2 (softmax) M = λ + 1/2, and it is √2-Lipschitz. All optima lie in the ball of radius R = √(ln K / λ), onto
    which we project: ln K = F(0) ≥ F(w*) + (λ / 2)|w*|² ≥ λ |w*|². On it L is the loss's constant plus λ R.

    The state stays within 2 L γ^I / (m n (1 - γ^I)) of the optimum for what is left: a deletion moves the optimum
    by at most 2 L / (m n) while half of the examples are left. For a request of k examples that is k times as far,
    which takes ⌈ln(1 + k (γ^-I - 1)) / ln(1 / γ)⌉ iterations to make good: I for one example, and about
    ln(k) / ln(1 / γ) more for k, at the same noise. When more than half are gone, the model is trained from scratch.

    Certified: (epsilon, delta)-indistinguishable from training from scratch on what is left, with the same noise, for
    an observer of the published weights who knows neither state nor seeds, and requests that do not depend on what
    was published. The model answers with the published weights; give away `model.published()`, as the model itself
    holds the state. Certified is not useful: on a few hundred examples σ easily exceeds the weights, so look first
    (`method.noise`). There is no intercept (append a constant to x); a class that vanishes keeps its row.

    regularisation, iterations: λ and I; the paper gives no defaults, 1e-2 and 50 are ours.
    epsilon, delta: the guarantee, 1 and 1e-5.
    classes: how many, where the labels of the training set may not show all.
    """

    regularisation: float = 1e-2
    iterations: int = 50
    epsilon: float = 1.0
    delta: float = 1e-5
    classes: int | None = None

    def __post_init__(self) -> None:
        if not (0 < self.regularisation < math.inf and 0 < self.epsilon < math.inf and 0 < self.delta < 1):
            raise ValueError(f"regularisation and epsilon are positive, delta is between 0 and 1: {self}")
        if self.iterations < 1 or (self.classes is not None and self.classes < 2):
            raise ValueError(f"iterations is at least 1, classes at least 2: {self}")

    def smoothness(self, classes: int) -> float:
        """Return M, the largest curvature of the objective."""
        return self.regularisation + (1 / 4 if classes == 2 else 1 / 2)

    def contraction(self, classes: int) -> float:
        """Return γ, by how much a step shrinks the distance to the optimum."""
        m, M = self.regularisation, self.smoothness(classes)
        return (M - m) / (M + m)

    def radius(self, classes: int) -> float:
        """Return R, which no optimum exceeds in length."""
        return math.sqrt(math.log(classes) / self.regularisation)

    def lipschitz(self, classes: int) -> float:
        """Return L, the largest slope of an example's loss within the radius."""
        return (1 if classes == 2 else math.sqrt(2)) + self.regularisation * self.radius(classes)

    def sensitivity(self, size: int, classes: int) -> float:
        """Return 2 L / (m n), how far one deletion may move the optimum."""
        return 2 * self.lipschitz(classes) / (self.regularisation * size)

    def distance(self, size: int, classes: int) -> float:
        """Return how far the state may be from the optimum after every request."""
        shrunk = self.contraction(classes) ** self.iterations
        return self.sensitivity(size, classes) * shrunk / (1 - shrunk)

    def noise(self, size: int, classes: int) -> float:
        """Return σ, the noise on published weights, for n training examples."""
        share = math.sqrt(math.log(1 / self.delta) + self.epsilon) - math.sqrt(math.log(1 / self.delta))
        return 2 * math.sqrt(2) * self.distance(size, classes) / share

    def train(self, dataset: Examples, *, seed: int) -> SecretiveModel:
        """Train a state near the optimum, and publish weights."""
        with isolated(seed), torch.no_grad():
            x, y = unit_rows(dataset, "DescentToDelete")
            classes = count_labels(y, self.classes)
            state = x.new_zeros(1 if classes == 2 else classes, x.shape[1])
            model = SecretiveModel(state, asdict(self), len(y))
            self._fit(model, (x, y), seeded(seed))
            return model

    @torch.no_grad()
    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        if not isinstance(model, SecretiveModel):
            raise Unsupported(
                f"DescentToDelete needs a model from its own train(), not {type(model).__name__}: only there is a "
                "bound on the distance to the optimum; Retrain(recipe) works for any model."
            )
        if model.settings != asdict(self):
            raise ValueError(f"This model was trained with {model.settings}, and its guarantee is for those: {self}")
        if len(retain) + len(forget) != model.examples:
            raise ValueError(
                f"DescentToDelete needs retain and forget to be the {model.examples} examples that the model was "
                f"trained on, not {len(retain)} and {len(forget)}."
            )
        trainable(model)
        data, classes = unit_rows(retain, "DescentToDelete", model.weight.device), max(2, len(model.weight))
        count_labels(data[1], classes)
        model.publications += 1
        model.examples = len(retain)
        if 2 * len(retain) < model.size:
            model.size = len(retain)
            self._fit(model, data, order)
            return
        self._descend(model, data, self._iterations_for(len(forget), classes))
        self._publish(model, order)

    def _fit(self, model: SecretiveModel, data: Data, order: Generator) -> None:
        """Descend from zero to within reach of I iterations, and take those."""
        classes = max(2, len(model.weight))
        far = 2 * self.radius(classes) / self.sensitivity(model.size, classes)
        more = math.ceil(math.log(far) / -math.log(self.contraction(classes))) if far > 1 else 0
        model.state.zero_()
        self._descend(model, data, self.iterations + more)
        self._publish(model, order)

    def _iterations_for(self, removed: int, classes: int) -> int:
        gamma = self.contraction(classes)
        needed = math.log(1 + removed * (gamma**-self.iterations - 1)) / -math.log(gamma)
        # For one example this is I, but for rounding.
        return math.ceil(needed - 1e-9)

    def _descend(self, model: SecretiveModel, data: Data, iterations: int) -> None:
        (x, y), w, classes = data, model.state, max(2, len(model.weight))
        wanted = targets(y, len(w))
        length = 2 / (self.regularisation + self.smoothness(classes))
        for _ in range(iterations):
            logits = x @ w.T
            chances = torch.sigmoid(logits) if classes == 2 else torch.softmax(logits, 1)
            w.sub_(length * ((chances - wanted).T @ x / len(y) + self.regularisation * w))
            w.mul_(min(1.0, self.radius(classes) / max(float(w.norm()), 1e-300)))

    def _publish(self, model: SecretiveModel, order: Generator) -> None:
        # Every publication has a noise of its own, also where the seed is that of an earlier one.
        draw = noise_number(model.publications, model.state.shape, order)
        sigma = self.noise(model.size, max(2, len(model.weight)))
        model.weight.copy_(model.state + (sigma * draw).to(model.state.device))
