"""Controls of the audit: original, references and never-trained examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeVar

import numpy as np

from pytest_unlearn.attacks.signals import correctness, hinge_margin
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.verdict import Decision, F, Finding, Objection, doubt, invalid
from pytest_unlearn.core.evidence import Answers, ControlResult, Estimate, FloatArray, Side, Verdict
from pytest_unlearn.core.numbers import portion, portion_at_most
from pytest_unlearn.statistics import holm, normal_quantile, p_value, paired_difference

TRAINED_SHARE = 0.5  # a model that undoes more than half of the references' errors on the controls has seen them
STRANGE_SHARE = 0.1  # one that undoes a tenth has, where they surely look more like its training data than the request
DOUBTFUL_SHARE = 0.25  # one that undoes a quarter may have, or was given more data than the references
LARGE_REQUEST = 0.25  # of the training data: what is left makes references less accurate on everything
UNKNOWN_CLASS = 0.1  # of a class that is removed, retrained models get so small a share right
NOISIER = 2.5  # times as much noise, beside what references explain, as they leave of each other, at most
LEAST_UNEXPLAINED, FEWEST_TO_COMPARE, FEWEST_OF_A_CLASS = 0.02, 2, 30
FOLLOWING_SHARE = 0.5  # of the rank correlation that references have with each other
T = TypeVar("T")
Statistic = Callable[[Any], FloatArray]  # of what a model answers about a set: one number an example


CHANCE = 0.5  # the AUC of an attack that recognises nothing
SURE = 0.01  # how rarely a model with nothing left may be taken to show what its original does not
TOO_WEAKLY = {
    "examples": "but too weakly for so few examples to show that it is gone",
    "runs": "but too weakly for so few runs to show that it is gone",
}
ACQUITTED = 0.95  # how often a model with nothing left has to pass a claim for it to be testable


@dataclass(frozen=True, slots=True)
class PowerCheck:
    """The positive control, and how much of what it shows is left in the model.

    `shares` bounds the share left by each attack that recognises the original with certainty, and `allowed` says how
    much PASS allows by it: `most`, or where so few examples would not acquit a model with nothing left, the least share
    that they would acquit it of. An attack that would not even tell it from the original is left out. Unless a signed
    attack is `strong`, allowing `most`, PASS allows `most` by every one of them.
    `not_testable` says why original and request cannot prove the claim of any model, empty where they can, and where
    the model shows more than one with nothing left. `times` says how many times as many examples (or runs) would let
    the attack that recognises the original best acquit a model with nothing left at `most`; infinite where none does.
    """

    control: ControlResult
    shares: Mapping[str, Estimate]
    allowed: Mapping[str, float]
    most: float
    strong: bool
    not_testable: str = ""
    times: float = math.inf

    @property
    def share_left(self) -> tuple[str, Estimate] | None:
        """The attack that has most against PASS; None where none recognises anything."""
        held = {name: one for name, one in self.shares.items() if self._allowed(name) == self.most}
        beyond = self._beyond()
        return max((beyond or held or self.shares).items(), key=lambda one: one[1].high, default=None)

    @property
    def recorded(self) -> dict[str, Any]:
        """What the evidence records of it."""
        return {"share_left": self.share_left[1] if self.share_left else None, "not_testable": self.not_testable}

    def _beyond(self) -> dict[str, Estimate]:
        """Return the shares that withhold PASS: those of what is allowed, all where nothing is strong."""
        return {name: share for name, share in self.shares.items() if share.high > self._allowed(name)}

    def _allowed(self, name: str) -> float:
        return self.allowed.get(name, math.inf if self.strong else self.most)

    def objections(self, *steps: str, few: Sequence[str] = ()) -> list[Objection]:
        """Return what the share left has against PASS, and its `steps`.

        `few` is the advice where examples are lacking.
        """
        if self.share_left is None or not self._beyond():
            return []
        name, share = self.share_left
        most = self._allowed(name)
        if self.not_testable and self.control.holds:
            # What a model with nothing left would not show either, no other model shows: examples are what is lacking.
            return [Objection((f"not testable here: {self.not_testable}",), (*few,) or (advice.TOO_WEAK,))]
        reason = (
            f"not enough is gone: {portion_at_most(share.high)} of what the original shows may be left (by {name}, "
            f"where the estimate is {portion(share.value)}), and PASS allows {most:.0%}"
        )
        more = () if share.value >= most else (*few,) or (advice.MORE_FOR_SHARE,)
        return [Objection((reason,), (*more, *steps))]


def power_check(
    original: Sequence[F],
    audited: Sequence[F],
    share_of: Callable[[F, F], Estimate],
    most: float,
    *,
    limit: float = math.inf,
    chance: float = CHANCE,
    errors: Mapping[str, float] = MappingProxyType({}),
    two_sided: bool = False,
    what: str = "the forget set is",
    where: str = "in the original model",
    name: str = "original",
    of: Literal["examples", "runs"] = "examples",
    explained: bool = False,
) -> PowerCheck:
    """Check that deciding findings show the original, and bound what they still show.

    Args:
        original: the findings on the original.
        audited: those on the audited model, of the same names.
        share_of: bounds the share left from an audited finding and the original's.
        most: the share that may be left.
        limit: how far from chance the claim lets a finding lie.
        chance: what a finding shows of a model that knows nothing.
        errors: by finding, its standard error for a model that knows nothing; by default the original's.
        two_sided: whether the original may lie on either side of chance.
        what: what was looked for, with its verb.
        where: where it was looked for.
        name: of the control.
        of: what more of would make it sharper.
        explained: whether the control's summary ends with that of the finding.
    """
    able = [f for f in original if f.deciding and not f.one_sided and not f.problem]

    def certain(finding: F) -> float:
        low, high = finding.estimate.low - chance, chance - finding.estimate.high
        return max(low, high) if two_sided else low

    shown = [f for f in able if certain(f) > 0]
    best = max(shown or able or [f for f in original if f.deciding], key=certain)
    theirs = {f.name: f for f in audited}
    # A deviation, which sees what cancels in a mean, shows no original by itself, but may object.
    apart = [f for f in original if f.deciding and f.one_sided and not f.problem and certain(f) > 0]
    compared = [f for f in (*shown, *apart) if f.name in theirs and not theirs[f.name].problem]
    shares = {f.name: share_of(theirs[f.name], f) for f in compared}
    z = normal_quantile(best.estimate.confidence)
    reach = z + normal_quantile(1 - (1 - ACQUITTED) / max(1, 2 * len(able)))  # on both sides of chance
    required = [f for f in audited if f.role != "tripwire"]
    around = z + normal_quantile(1 - (1 - ACQUITTED) / max(1, 2 * len(required)))
    allowed, times = {}, []
    for f in compared:
        effect = abs(f.estimate.value - chance)
        error = (effect - certain(f)) / z
        least = _least_share(effect, error, max(error, errors.get(f.name, 0.0)), reach)
        times += [(reach * error / (effect * most)) ** 2 * (1 + most**2)] * (f in shown)
        if least < 1:
            allowed[f.name] = max(most, least)
        elif f.one_sided:
            del shares[f.name]
    holds = bool(shown)
    summary = f"{what} {'recognised' if holds else 'not recognised with certainty'} {where}"
    reason = f"{summary}: {best.problem or best.summary}" if explained else summary
    control = ControlResult(name=name, holds=holds, attack=best.name, estimate=best.estimate, summary=reason)
    untestable = reason
    if holds:
        untestable = f"{summary}, {TOO_WEAKLY[of]}"
    strong = any(allowed.get(f.name) == most for f in shown)
    if strong:
        untestable = ""
    widest = {f.name: max(limit, around * errors[f.name]) if f.name in errors else limit for f in required}
    if not untestable and any(limit < wide for wide in widest.values()):
        untestable = f"so few {of} do not surely certify this limit, even of a model with nothing left"
    within = all(_within(f, chance, widest[f.name]) for f in required)
    if not within or surely_beyond(audited, chance, sides=("high", "low") if two_sided else ("high",)):
        untestable = ""
    if any(shares[f].high > share for f, share in allowed.items()):
        untestable = ""
    if not strong:
        allowed = {name: share for name, share in allowed.items() if name not in {f.name for f in shown}}
    return PowerCheck(control, shares, allowed, most, strong, untestable, min(times, default=math.inf))


def _least_share(effect: float, error: float, null_error: float, reach: float) -> float:
    """Return the least share that a model with nothing left would be shown to be within.

    `reach` is in standard errors; `null_error` is that model's, and never that of the audited model, which could have
    any. Infinite where it would not be told from the original.
    """
    square = effect**2 - (reach * error) ** 2
    return reach * null_error / math.sqrt(square) if square > 0 else math.inf


def _within(finding: Finding, chance: float, limit: float) -> bool:
    estimate = finding.estimate
    low = estimate.value if finding.one_sided else estimate.low
    return estimate.high - chance <= limit and chance - low <= limit


def surely_beyond(findings: Sequence[Finding], chance: float = CHANCE, *, sides: Sequence[Side]) -> bool:
    """Tell whether a model surely shows more than one that knows nothing.

    On the high side what its original may not show, which no original excuses; on the low side that controls look more
    like training data than the forget set does.
    """
    signed = [f for f in findings if f.role != "tripwire" and not f.one_sided and not f.problem]
    chances = [p_value(f.measure, chance, side) for f in signed for side in sides]
    return bool(chances) and bool((holm(np.array(chances)) <= SURE).any())


def negative_control(
    number: int,
    judged: Decision[F],
    fails: str = "is told apart from the controls although it never saw the forget set",
    holds: str = "is not told apart",
    *,
    failed: bool = False,
) -> ControlResult:
    """Check that a reference judged by the others neither FAILs nor `failed`."""
    failed = failed or judged.verdict is Verdict.FAIL
    return ControlResult(
        name=f"retrained {number}",
        holds=not failed,
        attack=judged.finding.name,
        estimate=judged.finding.estimate,
        summary=f"retrained {number} {fails if failed else holds}",
    )


def family_confidence(confidence: float, count: int) -> float:
    """Return the confidence of each of `count` negative controls.

    With it all of them hold together at `confidence` (Bonferroni): more references make no honest audit INVALID.
    """
    return 1.0 - (1.0 - confidence) / max(1, count)


def without(answers: Sequence[T], number: int) -> list[T]:
    """Return all but one: what a reference is judged by."""
    return [*answers[:number], *answers[number + 1 :]]


def controls_look_trained(
    target: Answers,
    references: Sequence[Answers],
    confidence: float,
    *,
    bootstrapped: bool,
    informed: Answers | None = None,
    below: bool = False,
) -> list[Objection]:
    """Explain why controls seem trained on: a doubt, or INVALID where it is sure.

    A model trained on its controls as well as on the forget set treats both alike and would pass.
    It gives itself away by being right on controls where retrained models are wrong. Accuracy is all that shows it: a
    model that was also made worse, by noise, evades this check and is left to `assert_matches_retrained`.
    `bootstrapped` references are less accurate than an honest model, so that only a strong sign counts. Of classes that
    references do not know nothing is sure: to be right on those takes no more than to know the class. `informed` is the
    original where a large request leaves references so little data that the rest of it explains the difference.
    `below` says that controls surely look more like training data than the forget set does, beside the references: more
    data than these had explains a better model, and not that. Honest models undo no error surely (at most -1% over 40
    seeds of digits, those that were trained on the controls at least 16%).
    """
    ours = correctness(target.controls)
    theirs = np.array([correctness(reference.controls) for reference in references])
    least = TRAINED_SHARE if bootstrapped else STRANGE_SHARE if below else DOUBTFUL_SHARE
    if not _undoes(ours, theirs, least, confidence):
        return []
    compared = f"the model is right on {ours.mean():.1%} of the controls, retrained models on {theirs.mean():.1%}"
    if informed is not None:
        better = correctness(informed.controls)
        if _undoes(better, theirs, least, confidence) and not _undoes(ours, better[None], least, confidence):
            return [
                doubt(
                    f"{compared} and the original on {better.mean():.1%}: with so large a request these have far less "
                    "data, and this model still uses what the forget set taught the original about all examples",
                    advice.KNOWS_MORE,
                )
            ]
    labels, right = target.controls.labels, theirs.mean(axis=0)
    taught = (np.bincount(labels, weights=right) / np.maximum(np.bincount(labels), 1))[labels] > UNKNOWN_CLASS
    enough = least if below else TRAINED_SHARE
    sure = taught.any() and _undoes(ours[taught], theirs[:, taught], enough, confidence)
    trained = "seems to have been trained on them" if sure else "may have been trained on them"
    reason = f"{compared}: it {trained}, and then they cannot stand for examples it never saw"
    return [(invalid if sure else doubt)(reason, advice.CONTROLS_TRAINED)]


def _undoes(ours: FloatArray, theirs: FloatArray, share: float, confidence: float) -> bool:
    """Tell whether a model surely undoes more than a share of the references' errors."""
    return paired_difference(ours, theirs).at(confidence).low > share * (1 - float(theirs.mean()))


def uncorrelated_with_references(
    target: Any,
    references: Sequence[Any],
    share: float = FOLLOWING_SHARE,
    where: str = "the controls",
    *,
    statistic: Statistic = hinge_margin,
    what: str = "margins",
) -> str:
    """Explain why the attack may have no power on this very model; empty if it has.

    The positive control shows power on the original's outputs. A model whose outputs on the controls do not follow
    those of comparable models (logit columns or saved rows out of order, outputs drowned in noise) would pass whatever
    it remembers. `references` are retrained models, or the original where there are none; `share` of the correlation
    that they have among themselves is expected; `where` says on what. `statistic` is compared, which is called `what`.
    """
    margins = [statistic(answers.controls) for answers in references]
    if not margins:
        return ""
    usual = [
        rank_correlation(margin, np.mean(without(margins, k), axis=0))
        for k, margin in enumerate(margins)
        if len(margins) > 1
    ]
    ours = rank_correlation(statistic(target.controls), np.mean(margins, axis=0))
    expected = float(np.median(usual)) if usual else 1.0
    if ours >= share * expected:
        return ""
    return (
        f"no power on this model: on {where} its {what} follow those of comparable models with a rank correlation "
        f"of {ours:.2f}, where these have {expected:.2f} among themselves"
    )


def noisier_than_references(
    target: Any, references: Sequence[Any], *, statistic: Statistic = hinge_margin, what: str = "margins"
) -> str:
    """Explain that noise may hide memory from the attack; empty if it does not.

    What references leave unexplained of a model's margins on the controls divides whatever it remembers. Noise that is
    drawn once for each input doubles it long before the model stops to follow the references, and noise on some classes
    doubles it there. Where these follow each other to a fiftieth of the variance, a fiftieth is taken for what they
    leave. `statistic` is compared, which is called `what`.
    """
    margins = [statistic(answers.controls) for answers in references]
    if len(margins) < FEWEST_TO_COMPARE:
        return ""
    own = statistic(target.controls)
    labels = getattr(target.controls, "labels", np.zeros(len(own), dtype=np.int64))  # documents have none
    counts = np.bincount(labels)
    classes = np.flatnonzero(counts >= FEWEST_OF_A_CLASS)
    parts = [("the controls", np.ones(len(labels), dtype=bool))]
    parts += [(f"the controls of class {label}", labels == label) for label in classes if (counts > 0).sum() > 1]
    surely = max(2.0, normal_quantile(1 - SURE / len(parts)))  # standard errors of a rank correlation
    for where, part in parts:
        some = [margin[part] for margin in margins]
        usual = [_unexplained(margin, without(some, k)) for k, margin in enumerate(some)]
        ours, theirs = _unexplained(own[part], some), max(*usual, LEAST_UNEXPLAINED)
        least = math.sqrt(max(0.0, 1 - theirs) / (1 - theirs + NOISIER * theirs))
        if math.sqrt(1 - ours) + surely / math.sqrt(part.sum()) < least:
            return (
                f"no power on this model: on {where} its {what} leave {ours:.0%} of their variance unexplained by "
                f"comparable models, which leave at most {theirs:.0%} of each other's: noise that may hide what it "
                "remembers"
            )
    return ""


def _unexplained(margin: FloatArray, others: Sequence[FloatArray]) -> float:
    return 1.0 - max(0.0, rank_correlation(margin, np.mean(others, axis=0))) ** 2


def rank_correlation(one: FloatArray, other: FloatArray) -> float:
    """Return Spearman's rank correlation; 0 where one side is constant."""
    from scipy.stats import spearmanr

    return float(spearmanr(one, other).statistic) if np.ptp(one) and np.ptp(other) else 0.0


def distinct(answers: Sequence[T], statistic: Statistic = hinge_margin) -> list[T]:
    """Drop exact repetitions: references that agree in everything count once."""
    kept: list[T] = []
    for candidate in answers:
        if not any(same_answers(candidate, other, statistic) for other in kept):
            kept.append(candidate)
    return kept


def same_answers(one: Any, other: Any, statistic: Statistic = hinge_margin) -> bool:
    """Tell whether two models order both sets alike, as under another scale."""
    from scipy.stats import rankdata

    margins = [np.r_[statistic(answers.forget), statistic(answers.controls)] for answers in (one, other)]
    return bool(np.array_equal(*map(rankdata, margins)))
