"""Say what each claim of a suite can come to, and what to paste instead."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.certify import POWER, Certifiable, Shadowed, certify
from pytest_unlearn.cli.plan.asked import Asked
from pytest_unlearn.cli.plan.power import Design
from pytest_unlearn.core.settings import MAX_MIA_AUC

PLAIN = (0.65, 0.75, 0.9)  # AUCs of an original: hardly, plainly and glaringly recognised


@dataclass(frozen=True)
class Outlook:
    """What a claim can come to, in `lines`.

    And whether it is `hopeless`, or a perfect method `likely` passes.
    """

    lines: tuple[str, ...] = ()
    hopeless: bool = False
    likely: bool = True


def of(
    asked: Asked,
    planned: Design,
    *,
    simulable: bool,
    training: float | None = None,
    original: float | None = None,
    runs_limit: float = MAX_MIA_AUC,
) -> Outlook:
    """Say what a claim can come to on this request.

    Args:
        asked: the claim at its settings.
        planned: the request.
        simulable: whether there is a recipe that requests of this size can be simulated by.
        training: the seconds that one training takes, where that is known.
        original: the original's AUC by the attack that shows it least, where it was asked.
        runs_limit: what a claim about the method would be held to, for a claim without a limit on AUCs.
    """
    values = {name: setting.value for name, setting in asked.settings.items()}
    shadowed = None if asked.online else planned.shadowed
    planned = planned.online() if asked.online else planned
    if asked.planned == "runs":
        return Outlook()  # see algorithm.outlook
    if asked.planned == "search":
        return Outlook(tuple(_search(asked)))
    reduction = values.get("min_reduction")
    most = values["max_share_left"] if reduction is None else round(1 - reduction, 12)
    limit, confidence = values.get("max_mia_auc"), values["confidence"]
    size = planned.request
    said = certify(size, limit=limit, confidence=confidence, original=original, most=most, runs_limit=runs_limit)
    steps = _steps(said, simulable and not size.documents, training, shadowed)
    if reduction is not None:
        chance = said.share_power
        hopeless = planned.request.share_power(0.99, most, said.confidence) < 0.5
        return Outlook(
            (*_share_claim(asked, said, hopeless), *(steps if chance < POWER else ())), hopeless, chance >= POWER
        )
    likely = said.power >= POWER and (original is None or said.share_power >= POWER)
    parts = () if said.hopeless or size.documents else tuple(_parts(planned, said))  # measured on classifiers
    lines = (*_limit(asked, said), *_shares(said), *parts, *(() if likely else steps))
    return Outlook(lines, said.hopeless, likely)


def _head(asked: Asked, name: str, shown: str) -> str:
    setting, confidence = asked.settings[name], asked.settings["confidence"]
    where = "in the release, " if asked.release else ""
    unseen = " (the test computes it, which is not seen)" if name in asked.computed else ""
    return (
        f"{where}{shown} {setting.value:g} ({setting.source}){unseen} at confidence {confidence.value:g} "
        f"({confidence.source})"
    )


def _limit(asked: Asked, said: Certifiable) -> Iterator[str]:
    """Yield whether an AUC limit can be certified, and how likely a perfect method passes it."""
    head, most, unit = _head(asked, "max_mia_auc", "limit"), said.most, said.request.unit
    smallest = f"{math.ceil(said.smallest_limit * 1000) / 1000:g}"
    if said.hopeless:
        yield (
            f"{head}: hopeless, it cannot be certified by {said.request.units:,} {unit}, however well the model forgot"
        )
    else:
        plainly = said.request.least_original(most, said.confidence)
        yield f"{head}: can be certified, if the scores come to an AUC of 0.5 (they can certify {smallest} at best)"
        yield (
            f"chance that a perfect method passes: about {said.power:.0%}, if the original is recognised as plainly "
            + (f"as with an AUC of {plainly:.2f} or more" if plainly is not None else "as none can be")
            + f" (PASS also asks that at most {most:.0%} of it is left)"
        )
        if not said.assumed:
            both = min(said.power, said.share_power)
            yield f"with this original, recognised with an AUC of {said.original:.2f}: about {both:.0%}"
    if said.needed is None:
        yield f"no number of {unit} makes it likely with {said.request.n_controls:,} controls: hold out more controls"
    elif said.power < POWER and said.needed_to_pass is not None:
        yield f"it takes {advice.together(said)}"


def _share_claim(asked: Asked, said: Certifiable, hopeless: bool) -> Iterator[str]:
    """Yield how likely a perfect method shows that enough is gone, by how plain the memory was."""
    chances = [(auc, said.request.share_power(auc, said.most, said.confidence)) for auc in (0.65, 0.75, 0.8, 0.9)]
    shown = ", ".join(f"{chance:.0%} of the time if the original's AUC is {auc:g}" for auc, chance in chances)
    if not said.assumed:
        shown = f"{said.share_power:.0%} of the time, as this original is recognised with an AUC of {said.original:.2f}"
    head = _head(asked, "min_reduction", "reduction")
    why = f"hopeless with {said.request.units:,} {said.request.unit}: " if hopeless else ""
    yield f"{head}: {why}a perfect method passes {shown}"
    if said.needed_to_pass is not None and said.share_power < POWER:
        yield f"it takes {advice.together(said)}"


def _search(asked: Asked) -> Iterator[str]:
    from pytest_unlearn.search.survives import REQUESTS

    limit = asked.settings["max_mia_auc"]
    budget = f"{REQUESTS}" if "budget" not in asked.computed | set(asked.given) else asked.given.get("budget")
    tried = f"up to {budget} requests" if budget is not None else "requests within the budget that the test computes"
    yield (
        f"assert_survives: {tried} of its own, drawn in many sizes, at limit {limit.value:g} ({limit.source}); each "
        "takes a run of the method, and references retrained without it where it looks bad"
    )


def _steps(said: Certifiable, simulable: bool, training: float | None, shadowed: Shadowed | None) -> tuple[str, ...]:
    steps = advice.small_request(said, original=True, simulable=simulable, training=training, shadowed=shadowed)
    return ("what this request can be asked instead:", *(f"  {step}" for step in steps))


def _shares(said: Certifiable) -> Iterator[str]:
    """Yield how little of what the original shows a perfect method can be shown to leave."""
    shares = [(auc, said.request.certified_share(auc, said.confidence)) for auc in PLAIN]
    shown = [f"{share:.0%} if the original's AUC is {auc:g}" for auc, share in shares if share is not None]
    if shown:
        yield (
            f"a perfect method is shown, with a chance of {POWER:.0%}, to leave at most {', '.join(shown)} (PASS needs "
            f"{said.most:.0%})"
        )


def _parts(planned: Design, said: Certifiable) -> Iterator[str]:
    """Yield which remembered part of the request would be found (docs/parts.md)."""
    assert said.limit is not None
    parts = [(auc, planned.found_from(auc, said.limit, said.confidence)) for auc in PLAIN[1:]]
    shown = [f"from {part:.0%} of it on if the original's AUC is {auc:g}" for auc, part in parts if part is not None]
    if shown:
        yield f"a random part that is still remembered FAILs, with a chance of {POWER:.0%}, {', '.join(shown)}"
