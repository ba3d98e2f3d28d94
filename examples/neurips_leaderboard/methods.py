"""What the leaderboard compares: every method, with the settings to choose among on the development draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from sklearn.linear_model import RidgeClassifier
from sklearn.naive_bayes import GaussianNB

from examples.neurips_leaderboard.world import RECIPE, World, build
from pytest_unlearn import EstimatorRecipe
from unlearners import UNLEARNERS

Settings = dict[str, Any]


def grid(**choices: list[Any]) -> tuple[Settings, ...]:
    """Every combination."""
    return tuple(dict(zip(choices, values, strict=True)) for values in product(*choices.values()))


@dataclass(frozen=True)
class Method:
    """One row: a name in UNLEARNERS, how to make it, and what to choose among.

    Attributes:
        name: in UNLEARNERS.
        family: the heading it stands under.
        choices: settings tried on the development draw; the first where there is no choice.
        arguments: what its constructor needs from the world, which is not a setting.
        recipe: how its original and its references are trained, where it needs a model of its own kind.
        flat: whether that model takes rows of features, with length at most 1, instead of images.
    """

    name: str
    family: str
    choices: tuple[Settings, ...] = ({},)
    arguments: Callable[[World], Settings] = field(default=lambda _: {})
    recipe: Callable[[Any], Any] | None = None
    flat: bool = False

    def make(self, world: World, settings: Settings) -> Any:
        """The unlearner."""
        return UNLEARNERS[self.name](**self.arguments(world), **settings)

    def trained_by(self, unlearner: Any) -> Any:
        """The recipe of the model that this method is given."""
        return RECIPE if self.recipe is None else self.recipe(unlearner)


def _train(unlearner: Any) -> Any:
    return unlearner.train


EXACT, INFLUENCE, APPROXIMATE = "exact and certified", "influence", "approximate"
CLASSES, CHALLENGE, DECOY = "class removal", "NeurIPS 2023", "decoys"

METHODS = (
    Method("retrain", EXACT, arguments=lambda _: {"recipe": RECIPE}),
    Method("sisa", EXACT, arguments=lambda _: {"recipe": RECIPE}, recipe=_train),
    Method("ridge-downdate", EXACT, recipe=lambda _: EstimatorRecipe(RidgeClassifier(alpha=0.01)), flat=True),
    Method("gaussian-nb-downdate", EXACT, recipe=lambda _: EstimatorRecipe(GaussianNB()), flat=True),
    Method("certified-newton", EXACT, recipe=_train, flat=True),
    Method("descent-to-delete", EXACT, recipe=_train, flat=True),
    Method("langevin", EXACT, recipe=_train, flat=True),
    Method("noisy-fine-tune", EXACT),
    Method("dare", EXACT, recipe=_train, flat=True),
    Method("unlearnable-extra-trees", EXACT, arguments=lambda _: {"trees": 10}, recipe=_train, flat=True),
    Method("influence-function", INFLUENCE, grid(damping=[0.01, 0.1, 1.0])),
    Method("puma", INFLUENCE, grid(damping=[0.01, 0.1, 1.0])),
    Method("wood-fisher", INFLUENCE),
    Method("warnecke-first-order", INFLUENCE, grid(rate=[2e-5, 1e-4, 5e-4])),
    Method("warnecke-second-order", INFLUENCE, grid(damping=[1e-3, 1e-2], scale=[200.0], iterations=[100])),
    Method("amnesiac", APPROXIMATE, arguments=lambda _: {"build": build, "epochs": 10}, recipe=_train),
    Method("fine-tune", APPROXIMATE, grid(epochs=[5, 10], lr=[0.05, 0.1, 0.2])),
    Method("l2-anchored-fine-tune", APPROXIMATE, grid(epochs=[10], lr=[0.1, 0.2], anchor=[1e-3, 1e-2, 0.1])),
    Method("l1-sparse", APPROXIMATE, grid(epochs=[10], lr=[0.05, 0.1], gamma=[1e-4, 5e-4, 2e-3])),
    Method("cf-k", APPROXIMATE, grid(k=[1, 2, 3], lr=[0.1, 0.2])),
    Method("eu-k", APPROXIMATE, grid(k=[1, 2, 3, 4], lr=[0.1])),
    Method("gradient-ascent", APPROXIMATE, grid(epochs=[5], lr=[3e-4, 1e-3, 1.5e-3, 3e-3])),
    Method("neggrad-plus", APPROXIMATE, grid(alpha=[0.9, 0.95, 0.99], lr=[3e-3, 0.01])),
    Method("random-labels", APPROXIMATE, grid(epochs=[3, 5], lr=[1e-4, 3e-4, 1e-3])),
    Method("salun", APPROXIMATE, grid(epochs=[2, 5, 10], lr=[0.013, 0.03])),
    Method("fisher-forgetting", APPROXIMATE, grid(alpha=[1e-7, 1e-6, 1e-5, 1e-4])),
    Method("scrub", APPROXIMATE, grid(weight_decay=[5e-4], lr=[1e-4, 2e-4, 5e-4], forget_epochs=[2, 3])),
    Method(
        "scrub-rewind",
        APPROXIMATE,
        grid(weight_decay=[5e-4], lr=[1e-4, 2e-4, 5e-4], forget_epochs=[2, 3]),
        arguments=lambda world: {"validation": world.unseen},
    ),
    Method("incompetent-teacher", APPROXIMATE, grid(epochs=[1, 3], lr=[1e-4, 3e-4], retain_share=[0.3, 1.0])),
    Method("ssd", APPROXIMATE, grid(alpha=[1.02, 1.1, 1.2, 2.0, 10.0])),
    Method("lfssd", APPROXIMATE, grid(alpha=[1.005, 1.02, 1.05, 1.2, 10.0])),
    Method("assd", APPROXIMATE),
    Method("jit", APPROXIMATE),
    Method("lotus", APPROXIMATE, arguments=lambda world: {"validation": world.unseen}),
    Method("rum", APPROXIMATE),
    Method("boundary-shrink", APPROXIMATE, grid(epochs=[5], lr=[1e-5, 3e-5, 1e-4])),
    Method("boundary-expand", APPROXIMATE, grid(epochs=[5], lr=[1e-5, 3e-5, 1e-4])),
    Method("unsir", CLASSES),
    Method("linear-filtration", CLASSES),
    Method("fanchuan", CHALLENGE, grid(uniform_lr=[1e-3, 5e-3], forget_lr=[3e-4, 1e-3], lr=[4e-3, 2e-2])),
    Method("msg", CHALLENGE, grid(epochs=[5], share=[0.3, 0.6, 0.9], lr=[1e-2, 0.03])),
    Method("seif", CHALLENGE, grid(epochs=[4, 8], std=[0.3, 0.6], lr=[1e-2])),
    Method("prmq", CHALLENGE, grid(epochs=[6], share=[0.9, 0.95, 0.99], lr=[1e-2])),
    Method("conv-transpose", CHALLENGE, grid(epochs=[3, 6], lr=[1e-2, 0.05])),
    Method("kde", CHALLENGE, grid(epochs=[6], lr=[1e-3, 1e-2], warm_up_lr=[9e-4, 1e-2])),
    Method("repeated-noise", CHALLENGE, grid(lr=[2e-3, 1e-2], std=[0.04, 0.1])),
    Method("no-op", DECOY),
    Method("exact-input-mask", DECOY),
    Method("nearest-neighbour-refusal", DECOY),
    Method("last-layer-mask", DECOY),
    Method("logit-noise", DECOY),
    Method("temperature-flattening", DECOY),
    Method("label-flip", DECOY),
    Method(
        "controls-leaking-retrain", DECOY, arguments=lambda world: {"recipe": RECIPE, "controls": world.split.held_out}
    ),
)
