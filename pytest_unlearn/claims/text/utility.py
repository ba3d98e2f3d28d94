"""Audit whether a language model still predicts other documents as it has to.

Paired by document: the same ones are asked of the model and of its baseline.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pytest_unlearn.attacks.text.signals import mean_log_probability
from pytest_unlearn.claims.common.evidence import build_evidence, resolve_all
from pytest_unlearn.claims.common.provenance import provenance
from pytest_unlearn.claims.common.verdict import FailureKind, Finding, Wording, decide, judge
from pytest_unlearn.claims.text.inputs import NOTHING
from pytest_unlearn.core.evidence import Claim, ControlResult, Controls, Estimate, Evidence, FloatArray, IntArray
from pytest_unlearn.core.settings import CONFIDENCE, MAX_DROP
from pytest_unlearn.data.text.split import document_view
from pytest_unlearn.data.view import View
from pytest_unlearn.models.handle import ModelHandles
from pytest_unlearn.models.text.adapters import bare, check_language_model, checked_language_models, encoder_of
from pytest_unlearn.statistics import Measure
from pytest_unlearn.statistics.accuracy.clustered import clustered_difference

WORSE = FailureKind("worse", "repair the model on retain, or use a method that changes less")
NAME = "token probability"


def audit_text_utility(
    model: Any,
    documents: Any,
    max_drop: float = MAX_DROP,
    *,
    baseline: Any = "original",
    tokenizer: Any = None,
    confidence: float = CONFIDENCE,
    max_length: int | None = None,
) -> Evidence:
    """Audit whether a language model predicts documents as well as a baseline.

    A paired non-inferiority claim, by document (by person, where the task's `control_groups` say whose controls are).

    Args:
        model: the unlearned model, of any kind `audit_text_forgotten` takes.
        documents: the test view of an `UnlearningTask` of a `TextSplit`, or another of its views; or a list of
            documents, such as neighbours of the request, with a model as `baseline=`.
        max_drop: the largest tolerated drop in the probability of a token, as a share, from 0 and below 1: 1 -
            exp(-x), where the model loses x nats a token more than its baseline, averaged over documents. At .02
            perplexity may rise by 2%. A perfect method's drop against "retrained" is 0.
        baseline: "original", "retrained" (the mean of the references), or a model or list of models.
        tokenizer: as in `audit_text_forgotten`.
        confidence: of the one-sided bound.
        max_length: as in `audit_text_forgotten`.

    Returns:
        Evidence; its estimate is the drop. PASS needs the upper bound within max_drop; FAIL, against several retrained
        models, a drop that one more of them would not show by the chance of its training.

    Raises:
        TypeError: no language model, or no documents.
        ValueError: bare documents without a model as `baseline=`, or a task without such models.

    Source: paired non-inferiority by Student's t over documents or groups; see `statistics/accuracy/clustered.py`.
    """
    sources, (limit, confidence) = resolve_all(max_drop=max_drop, confidence=confidence)
    check_language_model(model)
    view = document_view(documents, "documents")
    name, find = _baseline(view, baseline)
    encoder = encoder_of(model, view.task, tokenizer, max_length)
    handles = (view.task.models if view.task is not None else ModelHandles(NOTHING)).for_audit()

    def scores(one: Any) -> FloatArray:
        return mean_log_probability(handles.of(bare(one)).token_scores((view,), encoder)[0])

    ours = scores(model)  # one that cannot be audited costs no training
    theirs = np.array([scores(one) for one in find()])
    groups = _groups(view)
    claim = Claim(name="text_utility", quantity="drop in the probability of a token", highest=limit, sources=sources)
    finding = utility_finding(ours, theirs, groups, confidence)
    judged = judge([finding], claim, confidence, wording=Wording(beyond="", unsettled=""))
    held = _baselines(theirs, groups, name, confidence)
    reason = f"the model loses {-ours.mean():.3f} nats a token, the {name} {-theirs.mean():.3f}"
    decision = decide(judged, notes=(reason, *_varies(held, limit)), advice=_settles(held, limit))
    return build_evidence(
        claim,
        decision,
        [finding],
        controls=held,
        provenance=provenance(
            bare(model),
            (view,),
            view.task,
            models=handles,
            original=baseline == "original" if isinstance(baseline, str) else False,
            retrained=baseline == "retrained" if isinstance(baseline, str) else False,
            baseline=name,
            max_length=encoder.max_length,
            encoded=encoder.encoded((view,)).digest,
            outputs=hashlib.sha256(ours.tobytes()).hexdigest(),
            references=len(theirs),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbabilityDrop:
    """A gain in nats a token as a drop in the probability of one: 1 - exp(gain)."""

    gain: Measure

    @property
    def value(self) -> float:
        """The drop, 0 between equals."""
        return _drop(self.gain.value)

    def at(self, confidence: float) -> Estimate:
        """Bound the drop."""
        gain = self.gain.at(confidence)
        return replace(gain, value=_drop(gain.value), low=_drop(gain.high), high=_drop(gain.low))


def utility_finding(ours: FloatArray, theirs: FloatArray, groups: IntArray, confidence: float) -> Finding:
    """Measure the drop; a FAIL has to be beyond one more model of several.

    Such a model varies by its training as they do.
    """
    measure, tested = (
        ProbabilityDrop(gain=clustered_difference(ours, theirs, groups, further=further, bounded=False))
        for further in (False, len(theirs) > 1)
    )
    return Finding(name=NAME, measure=measure, estimate=measure.at(confidence), failures={"high": WORSE}, tested=tested)


def _most(held: Controls) -> float:
    """Return how far retrained models may drop below each other; minus infinity for a lone baseline."""
    bounds = [one.estimate.high for one in held.retrained]
    return max(bounds) if len(bounds) > 1 else -math.inf


def _varies(held: Controls, limit: float) -> tuple[str, ...]:
    most = _most(held)
    return (f"retrained models drop by up to {most:.3f} below each other, at this confidence",) if most > limit else ()


def _settles(held: Controls, limit: float) -> tuple[str, ...]:
    """Say what narrows the interval: more documents, or more trainings where these vary more than is allowed."""
    most = _most(held)
    if most <= limit:
        return ("give more documents, which narrow the interval",)
    step = (
        f"retraining itself does not keep to this limit: choose a max_drop above {most:.2f}, within which retrained "
        "models are of each other, or train them so that they differ less"
    )
    return (step,)


def _drop(gain: float) -> float:
    return -math.expm1(gain) if gain < 700 else -math.inf


def _groups(view: View) -> IntArray:
    """Return whose each document is: by the split's groups, else each its own."""
    split = None if view.task is None else view.task.split
    known = None if split is None else split.groups if view.examples is split.train else split.control_groups
    if known is None or len(known) != len(view.examples):
        return np.arange(len(view), dtype=np.int64)
    return known[view.indices]


def _baselines(theirs: FloatArray, groups: IntArray, name: str, confidence: float) -> Controls:
    """Measure each baseline against the others, a lone one against itself."""
    rows = []
    for k, row in enumerate(theirs):
        rest = np.delete(theirs, k, axis=0)
        measure = ProbabilityDrop(gain=clustered_difference(row, rest if len(rest) else row, groups, bounded=False))
        rows.append(
            ControlResult(
                name=f"{name} {k}" if len(rest) else name,
                holds=True,
                attack=NAME,
                estimate=measure.at(confidence),
                summary=f"{-row.mean():.3f} nats a token",
            )
        )
    return Controls(original=rows[0]) if name != "retrained" else Controls(retrained=tuple(rows))


def _baseline(view: View, baseline: Any) -> tuple[str, Any]:
    """Return what a baseline is called, and what finds its models once they are needed."""
    task = view.task
    if isinstance(baseline, str):
        if baseline not in ("original", "retrained"):
            raise ValueError(f'baseline must be "original", "retrained", or a model, not {baseline!r}.')
        if task is None:
            raise ValueError(
                "baseline= is missing. A bare list of documents knows no other models: pass baseline= (the model to "
                "compare with, or a list of retrained ones), or pass a view of a task."
            )
        if baseline == "original":
            if not task.has_original:
                raise ValueError("this task has no original: give it a recipe, or original=.")
            return baseline, lambda: [task.original]
        if not task.has_references:
            raise ValueError("this task has no retrained references: give it a recipe, or references=[models].")
        return baseline, lambda: task.retrained
    several = isinstance(baseline, Sequence)
    models = checked_language_models(baseline if several else [baseline], "baseline")
    if not models:
        raise ValueError("baseline= is an empty list: pass a model to compare with, or several.")
    return "retrained" if several else "baseline", lambda: models
