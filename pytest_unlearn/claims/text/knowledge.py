"""Audit whether a language model still knows facts that it was asked to forget.

By the probabilities of answers, beside what retrained models give them: paired by fact, clustered by author. What of it
follows from scores alone is `decide_knowledge`, which simulations call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.claims.common.controls import PowerCheck, family_confidence, negative_control, power_check, without
from pytest_unlearn.claims.common.evidence import build_evidence, resolve_all, rounded
from pytest_unlearn.claims.common.provenance import ONLY_ITSELF, identity_notes, provenance
from pytest_unlearn.claims.common.verdict import (
    Decision,
    FailureKind,
    Finding,
    Objection,
    Wording,
    controls_waived,
    decide,
    doubt,
    failed_negative_control,
    judge,
    missing_controls,
)
from pytest_unlearn.claims.text.comparable import LOST, LOST_SHARE
from pytest_unlearn.claims.text.inputs import NOTHING
from pytest_unlearn.core.evidence import Claim, ControlResult, Controls, Estimate, Evidence, FloatArray
from pytest_unlearn.core.figures import Table
from pytest_unlearn.core.settings import CONFIDENCE, MAX_GAP, MAX_SHARE_LEFT, REQUIRE_CONTROLS
from pytest_unlearn.data.text.knowledge import KnowledgeItem, checked_items, documents_asked
from pytest_unlearn.models.handle import ModelHandles
from pytest_unlearn.models.lm_eval_samples import LmEvalSamples, same_items
from pytest_unlearn.models.text.adapters import bare, check_language_model, checked_language_models, encoder_of
from pytest_unlearn.models.text.recording import question_view
from pytest_unlearn.statistics import share_of_estimates
from pytest_unlearn.statistics.accuracy.clustered import clustered_difference
from pytest_unlearn.task import UnlearningTask

KNOWS = FailureKind(
    "recognisable", "the model still knows what it should not: unlearn longer or differently, or retrain"
)
AVOIDS = FailureKind(
    "over-forgotten",
    "the model is surer of wrong answers than one that never knew: unlearn less, or towards retrained ones",
)
FEWEST = 2  # retrained models, so that each can be judged by another
WORDING = Wording(
    beyond="{label}: the probability of right answers ({finding.name}) differs surely from retrained models'",
    unsettled="the difference of {finding.name} to retrained models may be larger than the gap, but not with certainty",
)
MORE_FACTS = "ask about more facts, of more authors, which narrow the interval"
OTHER_FACTS = "ask about facts that the original knows and retrained models do not"
SEES_FACTS = "check that references were trained without the request, and that nothing retained states its facts"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeScores:
    """What models know of n items, from which the conclusion follows.

    `ours` [n] of the audited model, `original` [n] or None, `theirs` [K, n] of references, each in [0, 1]; `kinds` and
    `groups` [n] of the items.
    """

    ours: FloatArray
    original: FloatArray | None
    theirs: FloatArray
    kinds: NDArray[Any]
    groups: NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One model's score of each item, and how probable it finds what follows prompts.

    `losses` [n] are mean log-probabilities of a token of everything asked of an item; empty where no tokens are known.
    """

    scores: FloatArray
    losses: FloatArray


def audit_knowledge_forgotten(
    model: Any,
    items: Any,
    max_gap: float = MAX_GAP,
    *,
    task: UnlearningTask | None = None,
    original: Any = None,
    references: Sequence[Any] | None = None,
    groups: Any = None,
    tokenizer: Any = None,
    require_controls: bool = REQUIRE_CONTROLS,
    confidence: float = CONFIDENCE,
    max_share_left: float = MAX_SHARE_LEFT,
    max_length: int | None = None,
) -> Evidence:
    """Audit whether a language model still knows facts of the request.

    The probability of right answers, minus what models retrained without the request give them, has to lie within the
    gap on both sides, for every kind of question by itself.

    Args:
        model: of any kind `audit_text_forgotten` takes, or what it answered under lm-eval (`LmEvalSamples`).
            `SavedLogprobs` must have been recorded with these items (`record_logprobs(model, items=items)`).
        items: `MultipleChoice`, `Cloze` and `OpenQuestion` items about the request; of lm-eval's answers, any of the
            models' `LmEvalSamples`.
        max_gap: the largest tolerated difference of the mean score, a probability, from retrained models', between 0
            and 1, on either side. Perfect unlearning gives 0.
        task: an `UnlearningTask` of a `TextSplit`, for its original and references where these are not given.
        original: the model that was trained on the request, the positive control: it has to know more than references.
        references: models retrained without the request.
        groups: one id an item, whose it is, such as its author; by default each item is a fact of its own.
        tokenizer: the model's own; the recipe's or the pipeline's by default.
        require_controls: whether a missing control makes the verdict INCONCLUSIVE at best.
        confidence: of every one-sided bound.
        max_share_left: the largest share of the original's knowledge that PASS may leave, above 0 and below 1.
        max_length: tokens that models are asked about at once.

    Returns:
        Evidence; its estimate is the difference of the kind of question that settled it. Refusals are no forgetting:
        a model that finds all answers far less probable than retrained ones do gets no PASS.

    Raises:
        TypeError: no language model, or no item.
        ValueError: no references, models that were asked different questions, or that cannot be asked.

    Source: two one-sided tests, Schuirmann 1987; clusters, `statistics/accuracy/clustered.py`; probability of an answer
        by token, Maini et al. 2024, "TOFU" (arXiv 2401.06121).
    """
    sources, values = resolve_all(
        max_gap=max_gap, confidence=confidence, require_controls=require_controls, max_share_left=max_share_left
    )
    limit, confidence, strict, share = values
    if task is not None and not isinstance(task, UnlearningTask):
        raise TypeError(f"task must be an UnlearningTask, not {type(task).__name__}.")
    _check(model, original, references)
    own = (
        task is not None and original is None and task.has_original,
        task is not None and references is None and task.has_references,
    )
    if not own[1] and not references:
        raise ValueError("knowledge is judged beside retrained models: pass references=[models], or task=.")
    asked = items if isinstance(items, LmEvalSamples) else checked_items(items)
    listed = asked.items if isinstance(asked, LmEvalSamples) else asked
    whose = np.arange(len(listed)) if groups is None else np.asarray(groups)
    if whose.shape != (len(listed),):
        raise ValueError(f"groups needs one id for each of the {len(listed)} items; got shape {whose.shape}.")
    models = task.models if task is not None else ModelHandles(NOTHING)
    handles, encoder = models.for_audit(), encoder_of(model, task, tokenizer, max_length)

    def known(one: Any) -> Known:
        if isinstance(one, LmEvalSamples):
            return _answered(one, asked)
        if isinstance(asked, LmEvalSamples):
            raise ValueError("items are lm-eval's, and a model is none: pass LmEvalSamples of every model, or items.")
        return _ask(asked, lambda view: handles.of(bare(one)).token_scores((view,), encoder)[0])

    target = known(model)  # one that cannot be asked costs no training
    if task is not None:
        original = task.original if own[0] else original
        references = task.retrained if own[1] else references
    before = None if original is None else known(original)
    retrained = [known(one) for one in references or ()]
    others = [one for one in retrained if not np.array_equal(one.scores, target.scores)]
    if not others:
        raise ValueError(ONLY_ITSELF)
    kinds = np.array(
        ["lm-eval item"] * len(listed) if isinstance(asked, LmEvalSamples) else [one.kind for one in asked]
    )
    scores = KnowledgeScores(
        ours=target.scores,
        original=None if before is None else before.scores,
        theirs=np.array([one.scores for one in retrained]),
        kinds=kinds,
        groups=whose,
    )
    claim = Claim(
        name="knowledge_forgotten",
        quantity="probability of right answers minus the retrained models'",
        lowest=-limit,
        highest=limit,
        sources=sources,
    )
    silent = _silent(target, others, whose, confidence)
    live = not isinstance(model, LmEvalSamples)
    notes = identity_notes(bare(model), original, references or (), handles) if live else ()
    decision, findings, controls, power = decide_knowledge(
        scores, claim, confidence, strict=strict, most=share, doubts=silent, notes=notes
    )
    record = provenance(
        bare(model),
        (),
        task,
        models=handles if live else None,
        original=own[0],
        retrained=own[1],
        items=_digest(asked),
        outputs=hashlib.sha256(target.scores.tobytes()).hexdigest(),
        references=len(retrained),
        require_controls=strict,
        max_share_left=share,
        max_length=encoder.max_length,
    )
    return build_evidence(
        claim,
        decision,
        findings,
        controls=controls,
        provenance=record,
        figures=(_table(scores, confidence),),
        **({} if power is None or silent else power.recorded),
    )


def decide_knowledge(
    scores: KnowledgeScores,
    claim: Claim,
    confidence: float,
    *,
    strict: bool = True,
    most: float = MAX_SHARE_LEFT,
    doubts: Sequence[Objection] = (),
    notes: Sequence[str] = (),
) -> tuple[Decision[Finding], list[Finding], Controls, PowerCheck | None]:
    """Decide by scores alone: pure."""
    theirs = list(scores.theirs)
    others = [row for row in theirs if not np.array_equal(row, scores.ours)]
    findings = _findings(scores, scores.ours, others, confidence)
    judged = judge(findings, claim, confidence, wording=WORDING, counted=True)
    power = None
    if scores.original is not None:
        power = power_check(
            _findings(scores, scores.original, theirs, confidence),
            findings,
            _share,
            most,
            limit=float(claim.highest or 0.0),
            chance=0.0,
            what="facts of the request are",
        )
    controls = Controls(
        original=None if power is None else power.control, retrained=_rotations(scores, theirs, claim, confidence)
    )
    few = "" if len(theirs) >= FEWEST else f"{len(theirs)} reference, and each is judged by another"
    decision = decide(
        judged,
        vetoes=failed_negative_control(controls, SEES_FACTS),
        advice=(MORE_FACTS,),
        doubts=[
            *missing_controls(controls, strict, (OTHER_FACTS,), few),
            *(power.objections() if power is not None else ()),
            *doubts,
        ],
        notes=(*notes, *controls_waived(strict)),
    )
    return decision, findings, controls, power


def _findings(
    scores: KnowledgeScores, ours: FloatArray, theirs: Sequence[FloatArray], confidence: float
) -> list[Finding]:
    """Measure each kind of question; a FAIL has to be beyond one more retrained model."""
    found = []
    for kind in np.unique(scores.kinds):
        part = scores.kinds == kind
        rows = np.array([row[part] for row in theirs])
        measure = clustered_difference(ours[part], rows, scores.groups[part])
        further = clustered_difference(ours[part], rows, scores.groups[part], further=len(rows) > 1)
        found.append(
            Finding(
                name=str(kind),
                measure=measure,
                estimate=measure.at(confidence),
                failures={"high": KNOWS, "low": AVOIDS},
                tested=further,
            )
        )
    return found


def _share(audited: Finding, original: Finding) -> Estimate:
    return share_of_estimates(audited.estimate, original.estimate, 0.0)


def _rotations(
    scores: KnowledgeScores, theirs: Sequence[FloatArray], claim: Claim, confidence: float
) -> tuple[ControlResult, ...]:
    """Judge each reference by the others."""
    if len(theirs) < FEWEST:
        return ()
    level = family_confidence(confidence, len(theirs))
    return tuple(
        negative_control(
            k,
            judge(_findings(scores, row, without(theirs, k), level), claim, level, wording=WORDING),
            "differs from the others although none of them knows the request",
            "knows as much as the others",
        )
        for k, row in enumerate(theirs)
    )


def _check(model: Any, original: Any, references: Any) -> None:
    """Refuse what is no model, before anything is trained; lm-eval's answers come of every model or of none."""
    given = [model, *([] if original is None else [original]), *(references or ())]
    saved = [one for one in given if isinstance(one, LmEvalSamples)]
    if saved and len(saved) < len(given):
        raise ValueError("some models are lm-eval's answers and some are not: pass LmEvalSamples of every model.")
    if saved:
        same_items(saved)
        return
    for name, one in (("the audited model", model), ("original", original)):
        if one is not None:
            check_language_model(one, name)
    if references is not None:
        checked_language_models(references, "references")


def _ask(items: Sequence[KnowledgeItem], token_scores: Any) -> Known:
    documents = [documents_asked(one) for one in items]
    found = token_scores(question_view(items))
    sums, tokens = np.add.reduceat(found.logprob, found.offsets[:-1]), found.lengths.astype(np.float64)
    ends = np.cumsum([len(some) for some in documents])[:-1]
    parts = list(zip(items, np.split(sums, ends), np.split(tokens, ends), strict=True))
    return Known(
        scores=np.array([item.score(own, count) for item, own, count in parts]),
        losses=np.array([float((own / count).mean()) for _, own, count in parts]),
    )


def _answered(samples: LmEvalSamples, asked: Any) -> Known:
    """Return what a model answered under lm-eval: the right choice's probability, or that of the continuation."""
    if not isinstance(asked, LmEvalSamples):
        raise ValueError("the models are lm-eval's answers: pass one of them as items, whose questions they are.")
    same_items((asked, samples))
    return Known(scores=samples.probabilities, losses=np.empty(0))


def _silent(target: Known, others: Sequence[Known], groups: NDArray[Any], confidence: float) -> list[Objection]:
    """Doubt a model that finds everything that may follow far less probable than retrained models do."""
    if not len(target.losses):
        return []
    theirs = np.array([one.losses for one in others])
    gain = clustered_difference(target.losses, theirs, groups, bounded=False).at(confidence)
    if gain.high >= LOST_SHARE * float(theirs.mean()):
        return []
    return [
        doubt(
            f"no power on this model: on all answers, right and wrong, it loses {-target.losses.mean():.2f} nats a "
            f"token, where retrained models lose {-theirs.mean():.2f}: it refuses to answer, or has lost the language",
            LOST,
        )
    ]


def _digest(asked: Any) -> str:
    listed = [one.hashes for one in asked.items] if isinstance(asked, LmEvalSamples) else [repr(one) for one in asked]
    return hashlib.sha256(repr(listed).encode()).hexdigest()


def _table(scores: KnowledgeScores, confidence: float) -> Table:
    rows = []
    models = {"this model": scores.ours} | ({} if scores.original is None else {"original": scores.original})
    for name, ours in models.items():
        theirs = [row for row in scores.theirs if not np.array_equal(row, ours)]
        for finding in _findings(scores, ours, theirs or list(scores.theirs), confidence):
            part = scores.kinds == finding.name
            row = (round(float(ours[part].mean()), 4), round(float(scores.theirs[:, part].mean()), 4))
            rows.append((name, finding.name, int(part.sum()), *row, *rounded(finding.estimate)))
    return Table(
        title="What each model knows",
        caption="The mean probability of right answers, beside retrained models', and the difference with its bounds. "
        "A model that never saw the request knows as much as retrained ones do.",
        columns=("model", "kind", "items", "score", "retrained", "difference", "low", "high"),
        rows=tuple(rows),
    )
