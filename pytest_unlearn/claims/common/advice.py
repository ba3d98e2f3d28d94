"""Next steps where a claim is not settled, as lines to paste if there are any."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pytest_unlearn.claims.common.certify import (
    LEAST_REDUCTION,
    POWER,
    RUNS_POWER,
    WORTH_SHADOWS,
    WORTH_TRYING,
    Certifiable,
    Shadowed,
)
from pytest_unlearn.core.evidence import Estimate
from pytest_unlearn.core.numbers import portion
from pytest_unlearn.core.progress import duration
from pytest_unlearn.statistics import normal_quantile

HOPELESS = 0.002  # an estimate this close to its limit is settled by no affordable number of examples
BATCH = 20  # times as many examples as a request has: nobody waits for more requests than that


def needed_examples(estimate: Estimate, lowest: float | None, highest: float | None) -> int | None:
    """Count the forget examples that settle this with 80% power.

    Returns:
        The number if the estimate is true and controls grow alike; None when it lies too near the limit.
    """
    z = normal_quantile(estimate.confidence)
    error = (estimate.high - estimate.low) / (2 * z)
    gaps = [abs(limit - estimate.value) for limit in (lowest, highest) if limit is not None]
    if min(gaps) < HOPELESS or estimate.n_forget == 0:
        return None
    return math.ceil(estimate.n_forget * (error * (z + normal_quantile(POWER)) / min(gaps)) ** 2)


def small_slice(part: str, said: Certifiable) -> str:
    """Advise on a named part of the forget set that is too small for its limit."""
    few = f"{part} has {said.request.n_forget} {said.request.examples}"
    if said.needed is None:
        return f"{few}, and these controls are too few for any slice: name none, or hold out more controls"
    return (
        f"{few}, and about {said.needed:,} show a slice that is forgotten ({POWER:.0%} of the time): name larger "
        f"slices, or choose a limit that this one can certify{_limit_of(said)}"
    )


def small_request(
    said: Certifiable,
    *,
    original: bool,
    simulable: bool,
    remembers: bool = False,
    training: float | None = None,
    shadowed: Shadowed | None = None,
) -> list[str]:
    """Advise on a request that is too small for its limit, in lines to paste.

    Args:
        said: what can be said with it.
        original: whether there is one that is recognised, which a share of what it shows can be asked of.
        simulable: whether there is a recipe, by which requests of this size can be simulated.
        remembers: whether this very model seems to have kept more than may be left: lines that ask it again would only
            say so.
        training: the seconds that one training takes, where that is known.
        shadowed: what online attacks would take here; None where they cannot be run, or were.
    """
    if not said.too_small:
        return [_near_limit(said, reducible=original and not remembers)]
    steps = [] if remembers or not original else [*_reduced(said), *_wider(said), *_online(said, shadowed, training)]
    if simulable:
        steps += _runs(said, training)
    return [*(f"or {step}" if number else step for number, step in enumerate(steps)), *_batch(said, bool(steps))]


def instead(said: Certifiable, shadowed: Shadowed | None = None) -> list[str]:
    """Return the lines of `small_request` before anybody has looked at the models."""
    return small_request(said, original=True, simulable=True, shadowed=shadowed)


def keeps(share: Estimate) -> str:
    """Advise on a model that keeps too much of what its original showed."""
    like = "looks like the original" if share.high >= 1 else "keeps much of what the original showed"
    surely = f", and surely {math.floor(100 * share.low)}%" if share.low >= 0.01 else ""
    return (
        f"this model {like}: about {portion(share.value)} of that is left{surely}. Unlearn longer or differently, or "
        "retrain; retrained models seldom look so: of one that is, more forget examples decide"
    )


def _near_limit(said: Certifiable, *, reducible: bool) -> str:
    """Advise where a perfect method likely passes, and this model does not."""
    chance = min(said.power, said.share_power)
    often = f"about 1 in {round(1 / (1 - chance))}" if chance < 0.99 else "fewer than 1 in 100"
    asked = f", or assert_leakage_reduced with min_reduction={max(LEAST_REDUCTION, 1 - said.most):g}"  # none to paste
    return (
        f"a perfect method passes here {chance:.0%} of the time: this model lies near the limit. Unlearn longer or "
        f"differently, or retrain. If it was retrained ({often} ends so by chance), more forget examples decide"
        f"{asked if reducible and said.limit is not None else ''}"
    )


def _reduced(said: Certifiable) -> Iterator[str]:
    least = None if said.request.documents else said.reduction  # which no claim about documents asks
    asked = 1 - said.most if said.limit is None else 0.0
    if least is None or 0 < asked <= least:
        return
    seen = f"if the original is recognised as plainly as with an AUC of {said.original:.2g}"
    if not said.assumed:
        seen = f"where the original is recognised as here, with an AUC of {said.original:.2f}"
    yield (
        f"assert_leakage_reduced(unlearned_model, forget_loader, min_reduction={least:g}): a perfect method passes "
        f"{said.reduction_power(least):.0%} of the time {seen}; {NO_COST}; for the gate: "
        'unlearn_require = ["leakage_reduced", "utility"]'
    )


def _wider(said: Certifiable) -> Iterator[str]:
    limit = said.likely_limit
    if said.limit is None or said.power >= POWER or not said.limit < limit < 1 or said.share_power < WORTH_TRYING:
        return
    line = "assert_forgotten(unlearned_model, forget_loader"
    if said.request.documents:
        line = "assert_text_forgotten(unlearned_model, unlearning_task.forget"
    yield (
        f"{line}, max_mia_auc={limit:g}): the smallest limit that "
        f"{_size(said)} can certify ({POWER:.0%} of the time); {NO_COST}"
    )


def _online(said: Certifiable, shadowed: Shadowed | None, training: float | None) -> Iterator[str]:
    """Offer sharper attacks where they can be expected to help."""
    if shadowed is None or not shadowed.helps:
        return
    sharper = said.online(shadowed.controls)
    least = sharper.reduction
    if least is None or sharper.reduction_power(least) < said.reduction_power(least) + WORTH_SHADOWS:
        return
    yield (
        f"assert_leakage_reduced(unlearned_model, forget_loader, min_reduction={least:g}, "
        f'attacks="online"): sharper attacks, for {shadowed.models} trainings with halves of the request'
        f"{_cost(shadowed.models, training)}; a perfect "
        f"method then passes {sharper.reduction_power(least):.0%} of the time, where it does "
        f'{said.reduction_power(least):.0%} without; for the gate: unlearn_require = ["leakage_reduced", "utility"]'
    )


def _runs(said: Certifiable, training: float | None) -> Iterator[str]:
    if said.runs is None:
        return
    yield (
        f"assert_algorithm(unlearner, unlearning_task, max_mia_auc={said.runs_limit:g}, runs={said.runs}): judges the "
        f"method over simulated requests of this size, for {said.runs} trainings and as many runs of the method"
        f"{_cost(said.runs, training, ', and as long again where the method retrains')}; a perfect method then passes "
        f"{RUNS_POWER:.0%} of the time, {counted_on(said)}; {NEEDS_METHOD}; for the gate: "
        'unlearn_require = ["algorithm", "utility"]'
    )


def counted_on(said: Certifiable) -> str:
    """Say of which originals a number of runs is counted."""
    weak = f"if originals are recognised with a mean AUC of {said.runs_original:.2f}"
    if said.assumed:
        return f"{weak}, which is weakly"
    return f"{weak} (that of this request alone is {said.original:.2f})"


def _cost(trainings: int, seconds: float | None, more: str = "") -> str:
    """Say how long trainings take, in whole minutes, so that the same audit twice says the same."""
    if seconds is None:
        return ""
    whole = trainings * seconds
    about = "less than a minute" if whole < 60 else f"about {duration(max(90.0, whole))}"
    return f" ({about} for the trainings one at a time{more}, less with --unlearn-jobs)"


def _batch(said: Certifiable, others: bool) -> Iterator[str]:
    begin, share = "or " if others else "", said.needed_for_share
    if said.needed is None:
        yield (
            f"{said.request.n_controls:,} controls are too few for this limit, whatever the number of "
            f"{said.request.examples}: hold out more (reserve_controls, or a larger test set)"
        )
    elif share is not None and said.request.units < max(said.needed, share) <= BATCH * said.request.units:
        yield f"{begin}batch requests until there are {together(said)}"
    elif not others:
        yield TOO_WEAK


def together(said: Certifiable) -> str:
    """Say how many examples a PASS needs, with these controls and this original."""
    assert said.needed_to_pass is not None
    many = _many(said, said.needed_to_pass)
    seen = f"{'if' if said.assumed else 'as'} the original is recognised with an AUC of {said.original:.2f}"
    return f"about {many}: with these controls a perfect method then passes {POWER:.0%} of the time, {seen}"


def _many(said: Certifiable, units: int) -> str:
    examples = f"{said.examples(units):,} {said.request.examples}"
    return f"{units:,} units of deletion ({examples})" if said.request.units < said.request.n_forget else examples


def _limit_of(said: Certifiable) -> str:
    return f" (max_mia_auc={said.likely_limit:g})" if said.likely_limit < 1 else ""


def _size(said: Certifiable) -> str:
    return f"{said.request.units:,} {said.request.unit}"


NO_COST = "no model is trained for it"
NEEDS_METHOD = "the method is the fixture `unlearner`, with no fixture `unlearned_model` beside it"
IS_ORIGINAL = (
    "this is the original, or answers exactly as it does: hand over the unlearned model, or find out why the method "
    "changed nothing"
)
TOO_WEAK = "batch requests: so few examples, remembered so weakly, would not show of any model that they are gone"
MORE_FOR_SHARE = "batch requests: more forget examples would say how much is left more precisely"
NO_POWER = (
    "the attack cannot find the forget set even in the original model, so not finding it now proves nothing",
    "give references (a recipe) if there are none: they find what a population attack misses",
    "or ask for more: examples that the model memorised (mislabelled, rare) are what an attack can see",
)
NO_ORIGINAL = "pass the original model (original= or a recipe): without it nothing shows that the attack works here"
NO_REFERENCES = (
    "give at least two references (a recipe, or retrained models): without them nothing shows that honest models pass"
)
HOW_HARD = (
    "give references (a recipe, or retrained models), which say how hard the request is to a model that never saw it; "
    "or match by what it was chosen by (match=)"
)
CONTROLS_DIFFER = "choose controls from the same population as the forget set, best by reserve_controls before training"
NO_OVERLAP = (
    "hold out controls that are like the forget set, or compare with retrained models, which need no matching: give a "
    'recipe or references, and match="class"'
)
NO_BALANCE = (
    "match by what the request was chosen by (match= a column or a callable), hold out controls that are like it, or "
    'compare with retrained models, which need no matching: give a recipe or references, and match="class"'
)
KNOWN_WITHOUT_MODELS = (
    "match by what is known of examples without any model, or give references and leave match= out: retrained models "
    "say how hard an example is"
)
OUT_OF_ORDER = "check that logit columns are in the order of the labels, and saved rows in the order of the view"
SOME_RUNS = "look at the runs that stand out, one by one: audit_forgotten says what is wrong with a single model"
CONTROLS_TRAINED = "use controls that neither the method nor its tuning has seen"
KNOWS_MORE = (
    "retrain, or unlearn further: judge so large a request also by assert_matches_retrained on examples of test, whose "
    "accuracy shows what it is worth"
)
UNLIKE_REFERENCES = "train references by one recipe, under distinct seeds: one of them is unlike the others"
TRIAL_UNSETTLED = (
    "audit more examples at once, train more references (they narrow the band), or choose a limit that these certify",
)
LEAK = {
    "recognisable": "the forget set still looks like training data: unlearn longer or differently, or retrain",
    "over-forgotten": "behaving conspicuously badly on the forget set gives it away too: repair the model on retain",
    "conspicuous": "the model treats the forget set unlike unseen examples: part of it is remembered or masked",
}
SCORES_INVALID = (
    "let the model reveal logits or unrounded probabilities; scores that all tie can be judged by no attack"
)
