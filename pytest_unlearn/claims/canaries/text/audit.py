"""Judge planted texts by their ranks among those that were equally likely.

The exact probability of as much exposure by chance is the one p-value that accuses, at a level fixed beforehand; it
sees a few canaries known by heart among many, which their mean rank does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.attacks.text.signals import mean_log_probability
from pytest_unlearn.claims.canaries.findings import FAILURES
from pytest_unlearn.claims.canaries.text.planting import TextCanaries, digest_of_documents
from pytest_unlearn.claims.common.controls import PowerCheck, family_confidence, negative_control, power_check
from pytest_unlearn.claims.common.evidence import build_evidence, rounded
from pytest_unlearn.claims.common.provenance import provenance
from pytest_unlearn.claims.common.verdict import (
    Decision,
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
from pytest_unlearn.claims.text.inputs import NOTHING
from pytest_unlearn.core.evidence import Claim, ControlResult, Controls, Estimate, Evidence, FloatArray, Verdict
from pytest_unlearn.core.figures import Table
from pytest_unlearn.data.text.documents import Documents
from pytest_unlearn.data.text.encoding import Encoder
from pytest_unlearn.models.handle import AuditHandles, ModelHandles
from pytest_unlearn.models.text.adapters import bare, check_language_model, checked_language_models, encoder_of
from pytest_unlearn.models.text.recording import canary_views
from pytest_unlearn.statistics import holm, share_of_estimates
from pytest_unlearn.statistics.accuracy.clustered import clustered_difference
from pytest_unlearn.statistics.verbatim.canary_ranks import CanaryRanks, ranks_among_rivals
from pytest_unlearn.task import UnlearningTask

RANKS = "ranks among equally likely texts"
QUANTITY = "mean share of equally likely texts that a canary outranks"
LIMIT = 0.75  # 20 canaries that were never seen stay within it 19 times in 20
CHANCE = 0.5
SURE = 0.001  # an exact p-value that accuses: one honest model in a thousand, at most
LOST = 0.25  # of a comparable model's loss: who loses so much more shows nothing of what is remembered
TIED = 0.5  # share of rivals with the very same score, from which an answer says nothing
WORDING = Wording(beyond="{label}: {finding.summary}")
NO_TEMPLATE = (
    "no references: the law of the draws stands in for the negative control, but nothing shows whether a filter that "
    "knows the canaries' template hides them"
)
MORE = "plant more text canaries, or more copies (repetitions=), before the next training"
SAW = "train references on canaries.documents without canaries.indices, with another seed than canaries were planted by"
KEPT = "give a model that has kept its language and answers texts like the canaries as it does others"


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedCanaries:
    """What one model shows: ranks, and how probable it finds other texts.

    `rivals` and `probes` are mean log-probabilities of a token, by canary and by document.
    """

    finding: Finding
    chance: float
    tied: float
    rivals: FloatArray
    probes: FloatArray
    digest: str

    @property
    def sure(self) -> bool:
        """Whether the exact test accuses it."""
        return self.chance <= SURE


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryQuestions:
    """Ask models about all candidates and the probes, and rank what was planted."""

    canaries: TextCanaries
    encoder: Encoder
    handles: AuditHandles
    confidence: float

    def of(self, model: Any) -> RankedCanaries:
        """Ask one model."""
        planted, size = self.canaries.planted, self.canaries.space
        scores, probes = self.handles.of(bare(model)).token_scores(canary_views(self.canaries), self.encoder)
        table = np.round(np.add.reduceat(scores.logprob, scores.offsets[:-1]), 6).reshape(-1, size)
        lines = np.arange(len(planted))
        own = table[lines, planted]
        others = np.ones(table.shape, dtype=bool)
        others[lines, planted] = False
        rivals = table[others].reshape(len(planted), size - 1)
        ranks = CanaryRanks(ranks=ranks_among_rivals(own, rivals), space=size)
        chance = ranks.exposure_p_value()
        first = int((ranks.ranks == 1).sum())
        said = f"{first} of {len(planted)} canaries are the most probable of {size}, as much by chance {chance:.2g}"
        estimate = ranks.at(self.confidence)
        lengths = scores.lengths.reshape(-1, size)
        return RankedCanaries(
            finding=Finding(name=RANKS, measure=ranks, estimate=estimate, failures=FAILURES, summary=said),
            chance=chance,
            tied=float((rivals == np.median(rivals, axis=1)[:, None]).mean()),
            rivals=np.array([row[kept].mean() for row, kept in zip(table / lengths, others, strict=True)]),
            probes=mean_log_probability(probes),
            digest=hashlib.sha256(table.tobytes()).hexdigest(),
        )


def judge_text_canaries(
    model: Any,
    canaries: TextCanaries,
    max_effect: float | None,
    *,
    original: Any,
    references: Sequence[Any] | None,
    task: UnlearningTask | None,
    tokenizer: Any,
    max_length: int | None,
    name: str,
    sources: Mapping[str, str],
    confidence: float,
    require_controls: bool,
    max_share_left: float,
) -> Evidence:
    """Judge a language model by text canaries, as `audit_canaries_forgotten` says."""
    claim = _claim(name, max_effect, sources)
    for said, one in {"the audited model": model, "original": original}.items():
        if one is not None or said == "the audited model":
            check_language_model(one, said)
    if references is not None:
        references = checked_language_models(references, "references")
    if task is not None:
        _check_task(canaries, task)
    models = task.models if task is not None else ModelHandles(NOTHING)
    encoder, handles = encoder_of(model, task, tokenizer, max_length), models.for_audit()
    ask = CanaryQuestions(canaries=canaries, encoder=encoder, handles=handles, confidence=confidence)
    target = ask.of(model)  # one that cannot be audited costs no training
    own = (False, False)
    if task is not None:
        own = (original is None and task.has_original, references is None and task.has_references)
        original = task.original if own[0] else original
        references = task.retrained if own[1] else references
    before = None if original is None else ask.of(original)
    retrained = [ask.of(one) for one in references or ()]
    judged = judge([target.finding], claim, confidence, wording=WORDING, counted=True)
    power = None if before is None else _power(before, target, max_share_left)
    controls = Controls(
        original=None if power is None else power.control, retrained=_negative(retrained, claim, confidence)
    )
    powerless = _powerless(target, before, retrained, confidence)
    decision = decide(
        judged,
        vetoes=[*failed_negative_control(controls, SAW), *_exact(target, judged)],
        advice=(MORE,),
        doubts=[
            *missing_controls(controls, require_controls, (MORE,)),
            *(power.objections() if power is not None else ()),
            *_doubts(target, confidence),
            *(doubt(why, KEPT) for why in powerless),
        ],
        notes=(target.finding.summary, *(() if retrained else (NO_TEMPLATE,)), *controls_waived(require_controls)),
    )
    return build_evidence(
        claim,
        decision,
        [target.finding],
        controls=controls,
        provenance=provenance(
            bare(model),
            (),
            task,
            models=handles,
            original=own[0],
            retrained=own[1],
            canaries={
                "kind": "text",
                "count": len(canaries),
                "repetitions": canaries.repetitions,
                "among": canaries.space,
                "train": canaries.digest,
            },
            outputs=target.digest,
            references=len(retrained),
            require_controls=require_controls,
            max_share_left=max_share_left,
            max_length=encoder.max_length,
        ),
        **({} if power is None or powerless else power.recorded),
        figures=(_table(canaries, {"this model": target, "original": before}, retrained),),
    )


def _claim(name: str, max_effect: float | None, sources: Mapping[str, str]) -> Claim:
    source, highest = ("default", LIMIT) if max_effect is None else ("call keyword", max_effect)
    if isinstance(highest, bool) or not isinstance(highest, (int, float)) or not CHANCE < highest < 1:
        raise ValueError(f"max_effect of text canaries must be a number above 0.5 and below 1; got {max_effect!r}.")
    return Claim(
        name=name,
        quantity=QUANTITY,
        lowest=round(1 - highest, 12),
        highest=float(highest),
        sources={"max_effect": source, **sources},
    )


def _check_task(canaries: TextCanaries, task: UnlearningTask) -> None:
    if not isinstance(task, UnlearningTask) or not isinstance(task.split.train, Documents):
        raise TypeError("task must be an UnlearningTask of a TextSplit on canaries.documents.")
    if digest_of_documents(task.split.train) != canaries.digest:
        raise ValueError(
            "this task was not built on these canaries: build it with "
            "TextSplit(canaries.documents, forget=canaries.indices, test=...)."
        )
    kept = np.setdiff1d(canaries.indices, task.split.forget_indices)
    if len(kept):
        raise ValueError(
            f"{len(kept)} copies of canaries are not in the task's request, the first at index {kept[0]}: hand all of "
            "canaries.indices to TextSplit(forget=...); models retrained by this task know the others."
        )


def _exact(target: RankedCanaries, judged: Decision[Finding]) -> list[Objection]:
    """Accuse by the exact p-value what the mean of all ranks does not accuse."""
    if judged.verdict is Verdict.FAIL or not target.sure:
        return []
    kind = FAILURES["high"]
    return [Objection((f"{kind.label}: {target.finding.summary}",), (kind.advice,), Verdict.FAIL, kind.label)]


def _doubts(target: RankedCanaries, confidence: float) -> list[Objection]:
    if target.sure or target.chance > 1 - confidence:
        return []
    return [doubt(f"some canaries may be known by heart: {target.finding.summary}", MORE)]


def _power(before: RankedCanaries, target: RankedCanaries, most: float) -> PowerCheck:
    def share(audited: Finding, original: Finding) -> Estimate:
        return share_of_estimates(audited.estimate, original.estimate, CHANCE)

    return power_check(
        [before.finding], [target.finding], share, most, chance=CHANCE, what="the canaries are", explained=True
    )


def _negative(models: Sequence[RankedCanaries], claim: Claim, confidence: float) -> tuple[ControlResult, ...]:
    """Check that references, which saw no canary, show no more than chance gives."""
    chances, level = holm(np.array([one.chance for one in models])) if models else (), confidence
    level = family_confidence(confidence, len(models))
    return tuple(
        negative_control(
            k,
            judge([one.finding], claim, level, wording=WORDING),
            f"shows the canaries although it should never have seen them: {one.finding.summary}",
            f"does not show them: {one.finding.summary}",
            failed=bool(chance <= SURE),
        )
        for k, (one, chance) in enumerate(zip(models, chances, strict=True))
    )


def _powerless(
    target: RankedCanaries, before: RankedCanaries | None, retrained: Sequence[RankedCanaries], confidence: float
) -> list[str]:
    """Say why ranks that chance explains show nothing of this very model."""
    found = []
    if target.tied > TIED:
        found.append(f"no power on this model: it finds {target.tied:.0%} of the rivals of a canary equally probable")
    others = list(retrained) or ([] if before is None else [before])
    asked = [("retained documents", target.probes, [one.probes for one in others])]
    if retrained:
        asked.append(("texts like the canaries", target.rivals, [one.rivals for one in retrained]))
    for what, ours, rows in asked:
        if rows:
            theirs = np.array(rows)
            gain = clustered_difference(ours, theirs, np.arange(len(ours)), bounded=False).at(confidence)
            if gain.high < LOST * float(theirs.mean()):
                found.append(
                    f"no power on this model: on {what} it loses {-ours.mean():.2f} nats a token, where comparable "
                    f"models lose {-theirs.mean():.2f}: what it remembers may be hidden behind that"
                )
    return found


def _table(
    canaries: TextCanaries, shown: Mapping[str, RankedCanaries | None], retrained: Sequence[RankedCanaries]
) -> Table:
    models = {name: one for name, one in shown.items() if one is not None}
    models |= {f"retrained {k}": one for k, one in enumerate(retrained)}
    return Table(
        title="What each model shows of the canaries",
        caption=f"{len(canaries)} texts, {canaries.repetitions} copies each, ranked among {canaries.space} that were "
        "equally likely. The last column is the exact probability of as much exposure in a model that never saw them.",
        columns=("model", "share outranked", "low", "high", "by chance"),
        rows=tuple((name, *rounded(one.finding.estimate), float(f"{one.chance:.3g}")) for name, one in models.items()),
    )
