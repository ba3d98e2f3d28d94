"""List every attack by name: those of every audit, and those run when named.

PASS needs every attack of the deciding set within the limit; a tripwire is reported and can only make a verdict FAIL.
All attacks are stated on the AUC scale, where 0.5 is the target, and none is ever flipped after seeing its value. What
costs more than arrays (further queries, classifiers, the retain set) is run when it is named.

`audit_forgotten(..., attacks=("RMIA", "gradient norm"))` adds attacks by name, `attacks="all"` whatever can be asked
of the model; an `Attack` of your own, or one made here with other arguments, may stand in place of a name.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from pytest_unlearn.attacks import signals, thresholds
from pytest_unlearn.attacks.attack import (
    Access,
    Signal,
    auc_of_scores,
    cross_fitted_auc,
    cross_fitted_gap,
    gap_of_scores,
)
from pytest_unlearn.attacks.attack import Attack as Attack
from pytest_unlearn.attacks.attack import Pairing as Pairing
from pytest_unlearn.attacks.learned import learned_attack, starting_kit_attack
from pytest_unlearn.attacks.lira import AUGMENTATIONS, ENOUGH, augmented_lira, offline_lira
from pytest_unlearn.attacks.online import Shadows, online_ratio
from pytest_unlearn.attacks.quantile_regression import INPUTS, quantile_regression
from pytest_unlearn.attacks.rmia import offline_rmia
from pytest_unlearn.attacks.shadow_models import shadow_models
from pytest_unlearn.attacks.subgroups import SIDES
from pytest_unlearn.attacks.update_leakage import learned_update_leakage, update_leakage
from pytest_unlearn.models.queries import Augmentations, BoundaryDistance, gradient_norm, inputs
from pytest_unlearn.models.query import Query

LEAST_EXAMPLES = 20  # a side, to fit anything on four fifths of them
REFERENCES: tuple[Access, ...] = ("outputs", "references")
SHARED = "one evaluation of each reference, shared with all others"
_by_auc = partial(Attack, measure=auc_of_scores)
_against_references = partial(_by_auc, access=REFERENCES, cost=SHARED, least_references=1, calibrated=True)


def _residuals(name: str, signal: Signal) -> tuple[Attack, Attack]:
    declare = partial(_against_references, source="ours, after Carlini et al. 2022")
    return (
        declare(name=f"{name} residual", score=partial(thresholds.reference_residual, signal)),
        declare(name=f"{name} deviation", score=partial(thresholds.residual_deviation, signal), signed=False),
    )


def _single(name: str, signal: Signal, source: str) -> Attack:
    return _by_auc(name=name, score=partial(thresholds.single_model, signal), source=source)


CONFIDENCE = _single("confidence", signals.logit_scaled_confidence, "Yeom et al. 2018; Carlini et al. 2022")
MARGIN = _single("margin", signals.hinge_margin, "Carlini et al. 2022")
ENTROPY = _single("entropy", signals.negative_entropy, "Salem et al. 2019")
MODIFIED_ENTROPY = _single("modified entropy", signals.negative_modified_entropy, "Song & Mittal 2021")
LABEL_ONLY = Attack(
    name="label only",
    score=partial(thresholds.single_model, signals.correctness),
    measure=gap_of_scores,
    access=("labels",),
    source="Yeom et al. 2018, the gap attack",
)
DIFFERENCE = _against_references(
    name="confidence difference",
    score=partial(thresholds.relative_difference, signals.logit_scaled_confidence),
    source="Carlini et al. 2022, offline LiRA with one variance for all",
)
LIRA = _against_references(
    name="LiRA",
    score=partial(offline_lira, signals.logit_scaled_confidence),
    least_references=ENOUGH,
    source="Carlini et al. 2022, offline",
)
RMIA = _against_references(
    name="RMIA", score=offline_rmia, least_references=2, calibrated=False, source="Zarifzadeh et al. 2024, offline"
)
UPDATE_LEAKAGE = _by_auc(
    name="update leakage",
    score=update_leakage,
    sides=("high",),
    access=("outputs", "original", "references"),
    least_references=1,
    cost="one evaluation of the original and of each reference, shared with all others",
    source="Chen et al. 2021",
)
CONFIDENCE_RESIDUALS = _residuals("confidence", signals.logit_scaled_confidence)
MARGIN_RESIDUALS = _residuals("margin", signals.hinge_margin)


OF_A_PART = _by_auc(
    name="confidence residual, relative",
    score=partial(thresholds.relative_residual, signals.logit_scaled_confidence),
    access=REFERENCES,
    cost=SHARED,
    source="ours, after Carlini et al. 2022",
)


def online_attacks(shadows: Shadows, *, classes: int) -> tuple[Attack, ...]:
    """Make the attacks that know models trained with the request, as `shadows`."""
    declare = partial(
        _against_references,
        cost="the shadow models' trainings, and one evaluation of each",
        source="ours, after Carlini et al. 2022, online; Zarifzadeh et al. 2024",
    )
    named = {"confidence": signals.logit_scaled_confidence, "margin": signals.hinge_margin}
    return tuple(
        declare(name=f"{name}, online", score=partial(online_ratio, signal, shadows))
        for name, signal in list(named.items())[: 1 if classes == 2 else 2]
    )


def deciding_set(*, references: bool, classes: int, shadows: Shadows | None = None) -> tuple[Attack, ...]:
    """Return the attacks that PASS depends on.

    For two classes margin and confidence coincide and count once. With `shadows` online attacks take the place of the
    residuals, which are sharper; deviations stay.
    """
    if not references:
        return (CONFIDENCE, MODIFIED_ENTROPY)
    residuals = CONFIDENCE_RESIDUALS if classes == 2 else (*CONFIDENCE_RESIDUALS, *MARGIN_RESIDUALS)
    if shadows is None:
        return residuals
    return (*online_attacks(shadows, classes=classes), *(attack for attack in residuals if not attack.signed))


def tripwires(*, references: int, classes: int, original: bool = False) -> tuple[Attack, ...]:
    """Return the attacks that can only make a verdict FAIL.

    Label-only moves to the deciding set when most pairs tie. LiRA differs from the confidence difference only where an
    example's own variance can be estimated.
    """
    if not references:
        return (ENTROPY, LABEL_ONLY) if classes == 2 else (MARGIN, ENTROPY, LABEL_ONLY)
    by_references = (DIFFERENCE, *((LIRA,) if references >= LIRA.least_references else ()), RMIA)
    both = (UPDATE_LEAKAGE,) if original else ()
    return (*by_references, *both, CONFIDENCE, ENTROPY, MODIFIED_ENTROPY, LABEL_ONLY)


def label_only_attacks(
    augmentations: Augmentations = Augmentations(),  # noqa: B008 - frozen
    boundary: BoundaryDistance = BoundaryDistance(),  # noqa: B008 - frozen
) -> tuple[Attack, Attack]:
    """Make the attacks for an attacker who sees labels alone."""
    access: tuple[Access, ...] = ("labels", "further queries")
    stability = _by_auc(
        name="augmentation stability",
        score=partial(thresholds.single_model, signals.augmentation_stability),
        access=access,
        queries=(Query(name=AUGMENTATIONS, ask=augmentations),),
        cost=f"{augmentations.queries} further labels an example of every model",
        source="Choquette-Choo et al. 2021",
    )
    distance = _by_auc(
        name="boundary distance",
        score=partial(thresholds.calibrated, signals.boundary_distance),
        access=access,
        queries=(Query(name="boundary distance", ask=boundary),),
        cost="some 400 further labels an example of every model",
        calibrated=True,
        source="Choquette-Choo et al. 2021; Chen, Jordan & Wainwright 2020",
    )
    return stability, distance


def lira_with_augmentations(augmentations: Augmentations = Augmentations()) -> Attack:  # noqa: B008 - frozen
    """Make offline LiRA over several queries an example."""
    return _by_auc(
        name="LiRA, augmented",
        score=augmented_lira,
        access=("outputs", "references", "further queries"),
        least_references=1,
        queries=(Query(name=AUGMENTATIONS, ask=augmentations),),
        cost=f"{augmentations.queries} further outputs an example of every model",
        calibrated=True,
        source="Carlini et al. 2022, section VI.C",
    )


GRADIENT_NORM = _by_auc(
    name="gradient norm",
    score=partial(thresholds.calibrated, signals.negative_gradient_norm),
    access=("weights",),
    queries=(Query(name="gradient norm", ask=gradient_norm),),
    cost="one gradient an example of every model",
    calibrated=True,
    source="Nasr, Shokri & Houmansadr 2019",
)
QUANTILE_REGRESSION = _by_auc(
    name="quantile regression",
    score=partial(quantile_regression, signals.logit_scaled_confidence),
    least_examples=LEAST_EXAMPLES,
    access=("outputs", "inputs"),
    queries=(Query(name=INPUTS, ask=inputs),),
    cost="ten forests on the controls",
    calibrated=True,
    source="Bertran et al. 2023",
)
LEARNED = Attack(
    name="learned, all signals",
    score=learned_attack,
    least_examples=LEAST_EXAMPLES,
    measure=cross_fitted_auc,
    access=("outputs", "references"),
    cost="five logistic regressions",
    calibrated=True,
    source="ours, after Nasr et al. 2019",
)
STARTING_KIT = Attack(
    name="starting kit",
    score=starting_kit_attack,
    least_examples=LEAST_EXAMPLES,
    measure=cross_fitted_gap,
    cost="five logistic regressions a model",
    source="NeurIPS 2023 machine unlearning challenge",
)
SHADOW_MODELS = _by_auc(
    name="shadow models",
    score=shadow_models,
    access=("outputs", "references", "retain set"),
    least_references=2,
    cost="the references' outputs on retain; a logistic regression a class and reference",
    source="Shokri et al. 2017",
)
LEARNED_UPDATE_LEAKAGE = _by_auc(
    name="update leakage, learned",
    score=learned_update_leakage,
    sides=("high",),
    least_examples=LEAST_EXAMPLES,
    access=("outputs", "original", "references"),
    least_references=1,
    cost="five logistic regressions a model",
    source="Chen et al. 2021",
)
ALWAYS = (
    *(*CONFIDENCE_RESIDUALS, *MARGIN_RESIDUALS, DIFFERENCE, LIRA, RMIA, UPDATE_LEAKAGE),
    *(CONFIDENCE, MARGIN, ENTROPY, MODIFIED_ENTROPY, LABEL_ONLY),
)
NAMED = (
    *(LEARNED, QUANTILE_REGRESSION, GRADIENT_NORM, *label_only_attacks(), lira_with_augmentations()),
    *(SHADOW_MODELS, STARTING_KIT, LEARNED_UPDATE_LEAKAGE),
)


def attacks_by_name(attacks: str | Iterable[str | Attack]) -> tuple[Attack, ...]:
    """Resolve what is added to the attacks of every audit.

    "standard" stands for none, "all" for all; else names, or attacks themselves.

    Raises:
        ValueError: for an unknown name, or two attacks of one name.
    """
    if attacks == "standard":
        return ()
    if not isinstance(attacks, (str, Iterable)):
        raise ValueError(
            f'attacks= takes "standard", "all", "online", or a list of names and attacks, not {attacks!r}.'
        )
    if not isinstance(attacks, str):
        attacks = list(attacks)
    if not attacks:
        raise ValueError("attacks=[] adds none, and the standard attacks run on every model: leave it out.")
    chosen = NAMED if attacks == "all" else [attacks] if isinstance(attacks, str) else list(attacks)
    by_name = {attack.name: attack for attack in (*ALWAYS, *NAMED)}
    unknown = [one for one in chosen if not isinstance(one, Attack) and one not in by_name]
    if unknown:
        raise ValueError(
            f'there is no attack {unknown[0]!r}: attacks= takes "standard", "all", "online", or names among '
            f"{', '.join(attack.name for attack in NAMED)}."
        )
    always = {attack.name for attack in ALWAYS}
    found = tuple(one if isinstance(one, Attack) else by_name[one] for one in chosen)
    found = tuple(one for one in found if not (one.name in always and one is by_name[one.name]))
    names = [one.name for one in found]
    always |= {f"{words} {kind}" for words in SIDES.values() for kind in ("class", "slice")}
    repeated = sorted({name for name in names if names.count(name) > 1 or name in always})
    if repeated:
        raise ValueError(f"attacks= holds two attacks called {repeated[0]!r}: give each its own name.")
    return found
