"""Compare one statistic on forget and on controls: raw, as difference, residual.

They see no difficulty of single examples, so a retrained model's AUC is not 0.5 but depends on the draw of the forget
set. Where references are at hand their scores are kept beside the model's, for a paired difference.

The difference to the references' mean, example by example, is offline LiRA with a fixed variance (Carlini et al. 2022);
with K references and within-example deviation d its AUC is Phi(d / sqrt(2 (1 + 1/K))). It can be hidden by rescaling
logits. The residual cannot: both statistics are mapped to normal scores among the controls, a line is fitted on the
controls, and the residual is what the line does not explain, the same for every monotone change of the model's
statistic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from pytest_unlearn.attacks.attack import Pairing, Signal, scores_of
from pytest_unlearn.attacks.coarsening import coarsened, noise_between
from pytest_unlearn.attacks.signals import correctness
from pytest_unlearn.core.evidence import Answers, FloatArray, Outputs, Scores
from pytest_unlearn.statistics import normal_scores, residual

_Pair = tuple[FloatArray, FloatArray]
_RESIDUALS: WeakKeyDictionary[Outputs, dict[tuple[Any, ...], tuple[_Pair, _Pair]]] = WeakKeyDictionary()
"""By a model's outputs: what a signal shows and what references leave of it, for a signed attack and its deviation."""

MOSTLY_TIED = 0.5  # the share of forget-control pairs of a class from which answers are coarse


def revealed(signal: Signal, model: Answers, expected: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Compute a signal on both sides, as coarse as the channel; all reveal labels.

    With what references make `expected` on the controls, it is as noisy as well.
    """
    forget, controls = signal(model.forget), signal(model.controls)
    if model.channel is None or signal is correctness:
        return forget, controls
    pattern = np.concatenate([signal(model.channel.forget), signal(model.channel.controls)])
    both, cut = np.concatenate([forget, controls]), len(forget)
    seen = coarsened(both, pattern)
    if expected is not None:
        noise = noise_between(seen[cut:], pattern[cut:], expected)
        if noise > 0:
            seen = coarsened(
                normal_scores(both, controls) + noise * np.random.default_rng(0).normal(size=len(both)), pattern
            )
    return seen[:cut], seen[cut:]


def single_model(signal: Signal, target: Answers, references: Sequence[Answers], pairing: Pairing) -> Scores:
    """Score by the raw statistic. Target: the references' value."""
    pairs = [revealed(signal, model) for model in (target, *references)]
    return scores_of(pairs, tie_share=pairing.tie_share(*pairs[0]))


def reference_difference(signal: Signal, target: Answers, references: Sequence[Answers], pairing: Pairing) -> Scores:
    """Score by the difference to the references' mean: AUC 0.5 if forgotten."""
    forget, controls = revealed(signal, target)
    return Scores(
        forget=forget - np.mean([signal(reference.forget) for reference in references], axis=0),
        controls=controls - np.mean([signal(reference.controls) for reference in references], axis=0),
        tie_share=pairing.tie_share(forget, controls),
    )


def reference_residual(signal: Signal, target: Answers, references: Sequence[Answers], pairing: Pairing) -> Scores:
    """Score by what references cannot explain: AUC 0.5 if forgotten."""
    computed = _RESIDUALS.setdefault(target.forget, {})
    asked = [side for one in (target, target.channel, *references) if one for side in (one.forget, one.controls)]
    key = (signal, pairing.exchangeable, target.channel is None, *map(ref, asked))
    if key not in computed:
        sides = ("forget", "controls")
        expected = [np.mean([signal(getattr(one, side)) for one in references], axis=0) for side in sides]
        shown = revealed(signal, target, expected[1])
        computed[key] = shown, residual(*shown, *expected, pooled=pairing.exchangeable)
    shown, left = computed[key]
    return Scores(forget=left[0], controls=left[1], tie_share=pairing.tie_share(*shown))


def relative_residual(signal: Signal, target: Answers, references: Sequence[Answers], pairing: Pairing) -> Scores:
    """Score by the residual, beside each reference's: AUC difference 0 if forgotten.

    A line fitted on all controls leaves something of the difficulty of a part that is harder or easier than they are.
    It leaves as much of it for each reference, if model and references are judged by as many: all but one. Where most
    pairs tie, residuals come in few blocks, which the slightest difference of two models puts in another order: there,
    and where no reference could judge another, the statistic itself is taken.
    """
    plain = single_model(signal, target, references, pairing)
    if len(references) < 2 or plain.tie_share > MOSTLY_TIED:
        return plain
    return _beside_references(partial(reference_residual, signal), target, references, pairing)


def relative_difference(signal: Signal, target: Answers, references: Sequence[Answers], pairing: Pairing) -> Scores:
    """Score by the difference, beside each reference's: AUC difference 0 if forgotten.

    Models vary more on hard examples than on easy ones, so that on a request that was chosen by difficulty a retrained
    model's difference to the references is not distributed as on the controls. A reference's is, as far as it goes.
    """
    if len(references) < 2:
        return reference_difference(signal, target, references, pairing)
    return _beside_references(partial(reference_difference, signal), target, references, pairing)


def _beside_references(
    score: Callable[[Answers, Sequence[Answers], Pairing], Scores],
    target: Answers,
    references: Sequence[Answers],
    pairing: Pairing,
) -> Scores:
    """Score the model and each reference alike, by all references but one."""
    judged = [(target, references[1:])]
    judged += [(one, [*references[:k], *references[k + 1 :]]) for k, one in enumerate(references)]
    found = [score(one, others, pairing) for one, others in judged]
    return scores_of([(one.forget, one.controls) for one in found], tie_share=found[0].tie_share)


def calibrated(signal: Signal, target: Answers, references: Sequence[Answers], pairing: Pairing) -> Scores:
    """Score by the residual; by the signal itself where there are no references."""
    if references:
        return reference_residual(signal, target, references, pairing)
    return single_model(signal, target, references, pairing)


def residual_deviation(signal: Signal, target: Answers, references: Sequence[Answers], pairing: Pairing) -> Scores:
    """Score by distance from the controls' line: AUC 0.5 if forgotten.

    Finds what a signed score averages away: half of the forget set remembered and half over-forgotten, or a forget
    set whose answers were copied from a reference.
    """
    signed = reference_residual(signal, target, references, pairing)
    return Scores(forget=np.abs(signed.forget), controls=np.abs(signed.controls), tie_share=signed.tie_share)
