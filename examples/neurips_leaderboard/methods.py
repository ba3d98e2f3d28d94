"""What the leaderboard compares: every method, with the ranges that its settings are drawn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sklearn.linear_model import RidgeClassifier
from sklearn.naive_bayes import GaussianNB

from examples.neurips_leaderboard.world import RECIPE, World, build
from pytest_unlearn import EstimatorRecipe
from unlearners import UNLEARNERS, FineTune, NegGradPlus
from unlearners.tune import Range, around, one_of, weight

Settings = dict[str, Any]


@dataclass(frozen=True)
class Method:
    """One row: a name in UNLEARNERS, how to make it, and what its settings are chosen from.

    Attributes:
        name: in UNLEARNERS.
        family: the heading it stands under.
        arguments: what its constructor needs from the world, which is not a setting.
        recipe: how its original and its references are trained, where it needs a model of its own kind.
        flat: whether that model takes rows of features, with length at most 1, instead of images.
        tuned: whether settings are chosen by `unlearners.tune` on three draws; else it has its defaults.
        space: what it draws settings from; by default the method's fields.
        spelt: from the settings to the constructor's arguments, where they are not the same.
    """

    name: str
    family: str
    arguments: Callable[[World], Settings] = field(default=lambda _: {})
    recipe: Callable[[Any], Any] | None = None
    flat: bool = False
    tuned: bool = False
    space: Mapping[str, Range] | None = None
    spelt: Callable[[Settings], Settings] = field(default=dict)

    def make(self, world: World, settings: Settings) -> Any:
        """The unlearner."""
        return UNLEARNERS[self.name](**self.arguments(world), **self.spelt(settings))

    def trained_by(self, unlearner: Any) -> Any:
        """The recipe of the model that this method is given."""
        return RECIPE if self.recipe is None else self.recipe(unlearner)


def _train(unlearner: Any) -> Any:
    return unlearner.train


def _three_times(settings: Settings) -> Settings:
    """RUM's NegGrad+ on each third, with one weight and learning rate: by default those chosen for it alone."""
    if not settings:
        return {}
    return {"methods": (NegGradPlus(epochs=5, momentum=0.9, anchor=0.0, **settings),) * 3}


def _in_sequence(settings: Settings) -> Settings:
    """Fine-tuning after each of four requests: what costs a request more than one at once."""
    return {"method": FineTune(**settings)}


EXACT, INFLUENCE, APPROXIMATE = "exact and certified", "influence", "approximate"
CLASSES, CHALLENGE, DECOY = "class removal", "NeurIPS 2023", "decoys"
DISOBEDIENCE = {
    "lr": around(5e-4, 5),
    "weight_decay": one_of(0.0, 5e-4, 0.1),
    "forget_epochs": one_of(2, 3),
    "alpha": around(0.5, 5),
}
ASCENT = {"alpha": weight(0.25, 0.5), "lr": around(0.025, 2)}
REPEATED_ASCENT = {"alpha": weight(0.1, 0.5), "lr": around(0.02, 3)}  # of a third of the forget set at a time
ROUNDS = {"epochs": one_of(3, 6)}
REPAIR = {"epochs": one_of(5, 10, 20), "lr": around(0.1, 10)}

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
    Method("influence-function", INFLUENCE, tuned=True, space={"damping": around(0.1, 100)}),
    Method("puma", INFLUENCE, tuned=True, space={"damping": around(0.1, 100), "rate": around(1.0, 10)}),
    Method("wood-fisher", INFLUENCE, tuned=True, space={"step": around(100.0, 300)}),
    Method("warnecke-first-order", INFLUENCE, tuned=True),
    Method(
        "warnecke-second-order",
        INFLUENCE,
        spelt=lambda settings: {"iterations": 100, **settings},
        tuned=True,
        space={"damping": around(1e-3, 100)},
    ),
    Method("amnesiac", APPROXIMATE, arguments=lambda _: {"build": build, "epochs": 10}, recipe=_train),
    Method("fine-tune", APPROXIMATE, tuned=True, space=REPAIR),
    Method("l2-anchored-fine-tune", APPROXIMATE, tuned=True, space={**REPAIR, "anchor": around(1e-2, 30)}),
    Method("l1-sparse", APPROXIMATE, tuned=True, space={"lr": around(0.05, 5), "gamma": around(5e-4, 10)}),
    Method("cf-k", APPROXIMATE, tuned=True, space={"k": one_of(1, 2, 3), **REPAIR}),
    Method("eu-k", APPROXIMATE, tuned=True, space={"k": one_of(1, 2, 3, 4), "lr": around(0.1, 4)}),
    Method("gradient-ascent", APPROXIMATE, tuned=True),
    Method("neggrad-plus", APPROXIMATE, tuned=True, space=ASCENT),
    Method("random-labels", APPROXIMATE, tuned=True),
    Method(
        "salun",
        APPROXIMATE,
        tuned=True,
        space={"lr": around(0.013, 5), "epochs": one_of(2, 5, 10), "share": one_of(0.3, 0.5, 0.9)},
    ),
    Method("fisher-forgetting", APPROXIMATE, tuned=True, space={"alpha": around(1e-6, 100)}),
    Method("scrub", APPROXIMATE, tuned=True, space=DISOBEDIENCE),
    Method(
        "scrub-rewind",
        APPROXIMATE,
        arguments=lambda world: {"validation": world.unseen},
        tuned=True,
        space=DISOBEDIENCE,
    ),
    Method(
        "incompetent-teacher",
        APPROXIMATE,
        tuned=True,
        space={"epochs": one_of(1, 3), "lr": around(3e-4, 10), "retain_share": one_of(0.3, 1.0)},
    ),
    Method("ssd", APPROXIMATE, tuned=True, space={"alpha": around(1.0, 4), "dampening": around(0.3, 10)}),
    Method("lfssd", APPROXIMATE, tuned=True, space={"alpha": around(1.0, 1.5), "dampening": around(0.3, 10)}),
    Method("assd", APPROXIMATE, tuned=True, space={"dampening": around(0.1, 30)}),
    Method("jit", APPROXIMATE, tuned=True, space={"lr": around(6e-5, 2), "std": around(0.1, 2)}),
    Method(
        "lotus",
        APPROXIMATE,
        arguments=lambda world: {"validation": world.unseen},
        tuned=True,
        space={"alpha": around(4.0, 8), "lr": around(1e-3, 10)},
    ),
    Method("rum", APPROXIMATE, tuned=True, space=REPEATED_ASCENT, spelt=_three_times),
    Method(
        "projected-gradient",
        APPROXIMATE,
        tuned=True,
        space={"kept": weight(0.01, 0.5), "lr": around(0.05, 10), "epochs": one_of(5, 20)},
    ),
    Method("projected-ascent", APPROXIMATE, tuned=True),
    Method("in-sequence", APPROXIMATE, tuned=True, space=REPAIR, spelt=_in_sequence),
    Method("boundary-shrink", APPROXIMATE, tuned=True),
    Method("boundary-expand", APPROXIMATE, tuned=True),
    Method("unsir", CLASSES),
    Method("linear-filtration", CLASSES),
    Method("subspace-removal", CLASSES),
    Method(
        "fanchuan",
        CHALLENGE,
        tuned=True,
        space={"uniform_lr": around(2e-3, 5), "forget_lr": around(3e-4, 10), "lr": around(0.01, 5)},
    ),
    Method("msg", CHALLENGE, tuned=True),
    Method("seif", CHALLENGE, tuned=True, space={"std": around(0.4, 3), "lr": around(5e-3, 10), **ROUNDS}),
    Method("prmq", CHALLENGE, tuned=True, space={"share": weight(0.01, 0.3), "lr": around(5e-3, 10), **ROUNDS}),
    Method("conv-transpose", CHALLENGE, tuned=True, space={"lr": around(0.02, 5), **ROUNDS}),
    Method("kde", CHALLENGE, tuned=True, space={"lr": around(5e-3, 10), "warm_up_lr": around(3e-3, 10), **ROUNDS}),
    Method("repeated-noise", CHALLENGE, tuned=True, space={"lr": around(5e-3, 5), "std": around(0.06, 3)}),
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
