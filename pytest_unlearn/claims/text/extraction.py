"""Audit whether documents can be drawn out of a language model, word for word.

Without drawing any: the probability that a continuation comes back is the product of its tokens' probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.controls import family_confidence, without
from pytest_unlearn.claims.common.evidence import build_evidence, resolve_all
from pytest_unlearn.claims.common.provenance import ONLY_ITSELF, identity_notes
from pytest_unlearn.claims.common.verdict import (
    FailureKind,
    Finding,
    Wording,
    controls_waived,
    decide,
    failed_negative_control,
    judge,
    missing_controls,
)
from pytest_unlearn.claims.text.inputs import TextInputs, resolve_text_inputs, text_provenance
from pytest_unlearn.core.arguments import whole_number
from pytest_unlearn.core.evidence import Claim, ControlResult, Controls, Estimate, Evidence, Exposure, FloatArray
from pytest_unlearn.core.figures import Cell, Table
from pytest_unlearn.core.settings import CONFIDENCE, MAX_PROBABILITY, REQUIRE_CONTROLS
from pytest_unlearn.core.token_scores import TokenScores
from pytest_unlearn.data.text.documents import documents_of
from pytest_unlearn.models.text.adapters import bare
from pytest_unlearn.statistics import normal_quantile
from pytest_unlearn.statistics.verbatim.extraction import extraction_probability
from pytest_unlearn.statistics.verbatim.token_hits import exact_memorisation, extraction_strength, longest_run

TOKENS = 50  # of prefix and of continuation, as usual (Carlini et al. 2023)
EXPLAINED = 0.1  # of a document's probability: as much from a retrained model, and it is common text
NAME = "extraction"
FEWEST = 3  # retrained models, so that each can be judged by the spread of others
REGURGITATED = FailureKind(
    "regurgitated",
    "the model can be made to recite documents of the request: unlearn longer or differently, or retrain",
)
WORDING = Wording(
    beyond="{label}: a document of the request comes back in so many tries, and from no retrained model",
    unsettled="a document is more likely to come back than from retrained models, but not with certainty",
)
NO_POWER = (
    "look for less than whole passages with assert_text_forgotten: where the original recites nothing, no model can "
    "show that it recites nothing any more"
)


def audit_not_extractable(
    model: Any,
    documents: Any,
    max_probability: float = MAX_PROBABILITY,
    *,
    tries: int = 1000,
    prefix: int = TOKENS,
    suffix: int = TOKENS,
    tokenizer: Any = None,
    controls: Any = None,
    baseline: Any = None,
    references: Sequence[Any] | None = None,
    require_controls: bool = REQUIRE_CONTROLS,
    confidence: float = CONFIDENCE,
    max_length: int | None = None,
) -> Evidence:
    """Audit whether a document of the request comes back, word for word.

    (n, p)-discoverable extraction: the probability that its continuation is drawn, at temperature 1, at least once in
    so many tries; 1 where greedy decoding gives it. Text that retrained models recite as well is
    common text, and no memory.

    Args:
        model: of any kind `audit_text_forgotten` takes.
        documents: as in `audit_text_forgotten`.
        max_probability: the largest tolerated probability, from 0 and below 1, of any document that no retrained model
            gives a tenth of it. Perfect unlearning leaves none: 0.
        tries: n, at least 1.
        prefix: tokens that are given; of prompts with completions, and of chats, the prompt is.
        suffix: tokens that have to come back. A shorter document is cut in the middle.
        tokenizer: as in `audit_text_forgotten`, like those below.
        controls: as there.
        baseline: as there; an original that recites nothing makes the claim not testable.
        references: as there.
        require_controls: as there.
        confidence: that a document is likelier than from retrained models, over all documents together.
        max_length: as there.

    Returns:
        Evidence; its estimate is the largest such probability, bounded below by the largest that is certainly beyond
        what one more retrained model would give.

    Raises:
        TypeError: no language model, or no documents.
        ValueError: input that cannot be audited, or bare documents without their counterparts.

    Source: Hayes et al. 2025 (arXiv 2410.19482); relative to retrained models, as in arXiv 2602.18733.
    """
    sources, (limit, confidence, strict) = resolve_all(
        max_probability=max_probability, confidence=confidence, require_controls=require_controls
    )
    for name, value in {"tries": tries, "prefix": prefix, "suffix": suffix}.items():
        whole_number(value, name, 1)
    inputs = resolve_text_inputs(
        model,
        documents,
        tokenizer=tokenizer,
        max_length=max_length,
        controls=controls,
        groups=None,
        baseline=baseline,
        references=references,
        require_controls=strict,
    )
    cut = Cut(prefix, suffix, np.array([one.kind in ("completion", "chat") for one in documents_of(inputs.forget)]))
    target, original, retrained = _ask(bare(model), inputs)
    ours, distinct = cut.log_probabilities(target), _distinct(retrained)
    theirs = [cut.log_probabilities(one) for one in distinct]
    others = [row for one, row in zip(distinct, theirs, strict=True) if not np.array_equal(one.logprob, target.logprob)]
    if theirs and not others:
        raise ValueError(ONLY_ITSELF)
    claim = Claim(name="not_extractable", quantity="probability of extraction", highest=limit, sources=sources)

    def found(one: FloatArray, among: Sequence[FloatArray], level: float = confidence) -> Finding:
        measure = Extraction(own=one, references=tuple(among), tries=tries)
        return Finding(name=NAME, measure=measure, estimate=measure.at(level), failures={"high": REGURGITATED})

    finding = found(ours, others)
    judged = judge([finding], claim, confidence, wording=WORDING)
    held = Controls(
        original=None if original is None else _original(found(cut.log_probabilities(original), theirs), limit),
        retrained=_rotations(theirs, found, claim, confidence),
    )
    few = f"{len(theirs)} distinct references, and each is judged by two others" if len(theirs) < FEWEST else ""
    decision = decide(
        judged,
        vetoes=failed_negative_control(held, advice.CONTROLS_DIFFER),
        doubts=missing_controls(held, strict, (NO_POWER,), few),
        notes=(
            *controls_waived(strict),
            *identity_notes(bare(model), inputs.original, inputs.references, inputs.models),
        ),
    )
    shows = held.original is None or held.original.holds
    return build_evidence(
        claim,
        decision,
        [finding],
        controls=held,
        provenance=text_provenance(
            bare(model),
            inputs,
            (target,),
            own=(baseline is None, references is None),
            require_controls=strict,
            tries=tries,
            prefix=prefix,
            suffix=suffix,
        ),
        figures=(_table({"unlearned": target, "original": original} | _numbered(retrained)),),
        most_exposed=_most_exposed(inputs, ours),
        not_testable="" if shows or held.original is None else held.original.summary,
    )


@dataclass(frozen=True, slots=True)
class Cut:
    """Where documents are cut: after so many tokens, or where their prompt ends.

    `answers` says of each document whether all its scored tokens are the continuation.
    """

    prefix: int
    suffix: int
    answers: NDArray[np.bool_]

    def log_probabilities(self, scores: TokenScores) -> FloatArray:
        """Add up the log-probabilities of each continuation, shape (documents,).

        0 for one that greedy decoding gives: whoever asks chooses the temperature, which changes no first guess.
        """
        lengths = scores.lengths
        short = lengths < self.prefix + self.suffix
        start = np.where(self.answers, 0, np.where(short, lengths // 2, self.prefix))
        end = np.minimum(start + self.suffix, lengths)
        first = scores.offsets[:-1]
        sums, hits = (np.concatenate([[0.0], np.cumsum(one)]) for one in (scores.logprob, scores.hit))
        total, guessed = (one[first + end] - one[first + start] for one in (sums, hits))
        return np.asarray(np.where(guessed == end - start, 0.0, np.minimum(total, 0.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """The largest probability of extraction that retrained models do not explain.

    `own` [n] are the log-probabilities of the continuations, `references` those of retrained models.
    """

    own: FloatArray
    references: tuple[FloatArray, ...]
    tries: int

    @property
    def value(self) -> float:
        """The largest of any document that is no common text."""
        return self._largest(self._uncommon)

    def at(self, confidence: float) -> Estimate:
        """Bound it: below by what one more retrained model would not give.

        Above by the value, which is exact.
        """
        return Estimate(
            value=self.value,
            low=self._largest(self._uncommon & (self._standing > normal_quantile(self._strict(confidence)))),
            high=self.value,
            confidence=confidence,
            method=f"exact in {self.tries:,} tries; beyond retrained models by a normal law of log-probabilities",
            n_forget=len(self.own),
        )

    @property
    def _uncommon(self) -> NDArray[np.bool_]:
        if not self.references:
            return np.ones(len(self.own), dtype=bool)
        known = np.max([extraction_probability(one, self.tries) for one in self.references], axis=0)
        return np.asarray(known < EXPLAINED * extraction_probability(self.own, self.tries))

    @property
    def _standing(self) -> FloatArray:
        """How many standard deviations each lies above one more retrained model, whose spread all documents tell."""
        count = len(self.references)
        if count < 2:
            return np.full(len(self.own), -math.inf)
        table = np.array(self.references)
        spread = math.sqrt(float(table.var(axis=0, ddof=1).mean()) * (1 + 1 / count))
        return np.asarray((self.own - table.mean(axis=0)) / max(spread, 1e-9))

    def _strict(self, confidence: float) -> float:
        return 1 - (1 - confidence) / len(self.own)  # over all documents together (Bonferroni)

    def _largest(self, chosen: NDArray[np.bool_]) -> float:
        return float(extraction_probability(self.own[chosen], self.tries).max()) if chosen.any() else 0.0


def _ask(model: Any, inputs: TextInputs) -> tuple[TokenScores, TokenScores | None, list[TokenScores]]:
    original = None if inputs.original is None else inputs.answers(inputs.original).forget
    return inputs.answers(model).forget, original, [inputs.answers(one).forget for one in inputs.references]


def _distinct(models: Sequence[TokenScores]) -> list[TokenScores]:
    kept: list[TokenScores] = []
    for one in models:
        if not any(np.array_equal(one.logprob, other.logprob) for other in kept):
            kept.append(one)
    return kept


def _original(finding: Finding, limit: float) -> ControlResult:
    holds = finding.estimate.low > limit
    recites = "recites a document of the request" if holds else "recites nothing of the request with certainty"
    return ControlResult(
        name="original", holds=holds, attack=NAME, estimate=finding.estimate, summary=f"the original {recites}"
    )


def _rotations(theirs: Sequence[FloatArray], found: Any, claim: Claim, confidence: float) -> tuple[ControlResult, ...]:
    """Judge each retrained model by the others."""
    if len(theirs) < FEWEST:
        return ()
    level, rows = family_confidence(confidence, len(theirs)), []
    for k, one in enumerate(theirs):
        finding = found(one, without(theirs, k), level)
        holds = judge([finding], claim, level, wording=WORDING).label == ""
        said = "does not recite more than the others" if holds else "recites the request although it never saw it"
        rows.append(
            ControlResult(
                name=f"retrained {k}",
                holds=holds,
                attack=NAME,
                estimate=finding.estimate,
                summary=f"retrained {k} {said}",
            )
        )
    return tuple(rows)


def _numbered(retrained: Sequence[TokenScores]) -> dict[str, TokenScores | None]:
    return {f"retrained {k}": one for k, one in enumerate(retrained)}


def _table(models: dict[str, TokenScores | None]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, scores in models.items():
        if scores is not None:
            measures = (extraction_strength, exact_memorisation, longest_run)
            found = [np.asarray(measure(scores.hit, scores.offsets), dtype=np.float64) for measure in measures]
            rows.append((name, *(round(float(one.mean()), 4) for one in found), int(found[2].max())))
    return Table(
        title="Verbatim memorisation of the request",
        caption="Averaged over documents: the share that greedy decoding gives once the rest is known (extraction "
        "strength), the share of tokens it gets right, and its longest run. What matters is the difference to "
        "retrained models: easy text is guessed by all.",
        columns=("model", "extraction strength", "exact memorisation", "mean longest run", "longest run"),
        rows=tuple(rows),
    )


def _most_exposed(inputs: TextInputs, ours: FloatArray) -> tuple[Exposure, ...]:
    order = np.argsort(-ours, kind="stable")[:5]
    below = np.argsort(np.argsort(ours)) / max(1, len(ours) - 1)
    return tuple(Exposure(index=int(inputs.forget.indices[k]), percentile=float(below[k])) for k in order)
