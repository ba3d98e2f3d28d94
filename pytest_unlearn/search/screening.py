"""One request tried: run the method on it, and screen the result, first by a pool, then by one retrained model.

The pool serves every request and costs nothing more, but it knows other examples of a class, a cluster or a user that a
retrained model has lost too. Only where it sees something is a model retrained without the request, and asked as well.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from pytest_unlearn.attacks.registry import Pairing
from pytest_unlearn.claims.common.controls import uncorrelated_with_references
from pytest_unlearn.claims.common.findings import AttackFinding, evaluate_attacks, is_coarse, judge_attacks, labels_only
from pytest_unlearn.claims.common.verdict import Judgement
from pytest_unlearn.core.evidence import Answers, Estimate, FloatArray, IntArray, Outputs, Verdict
from pytest_unlearn.core.recorder import Entry, severity
from pytest_unlearn.models.predict import evaluate
from pytest_unlearn.search.dataset_stats import Facts
from pytest_unlearn.search.families import resolve
from pytest_unlearn.search.request import ForgetRequest
from pytest_unlearn.statistics import can_certify
from pytest_unlearn.task import UnlearningTask, View

Whose = Literal["fresh", "searched", "retrained"]


@dataclass(frozen=True)
class Stage:
    """A look at a request.

    `whose` model is looked at: a fresh one of the method's, the one that it left in the search, or a retrained one.
    """

    first_seed: int
    references: int
    half: int
    whose: Whose = "fresh"


SEARCH = Stage(first_seed=0, references=2, half=0)
CONFIRMATION = Stage(first_seed=70_000, references=4, half=1)  # seeds far from all others, and from what people audit
SAME_MODEL = replace(CONFIRMATION, whose="searched")
HONEST = replace(SEARCH, whose="retrained")
HONEST_AGAIN = replace(CONFIRMATION, whose="retrained")
REPLICATE = replace(SEARCH, first_seed=80_000)


Logits = tuple[FloatArray, FloatArray]  # on the forget set, and on the held-out set
SCREENING_SEED = 9000  # far from the seeds of references, of the pool, and of confirmations
FIRST_METHOD_SEED, METHOD_SEEDS = 200_000, 100_000  # of the method in a search
ENOUGH = 3  # requests that the search is shown to see in the original, after which the pool is believed
ASTRAY = "no power on this model"  # how `uncorrelated_with_references` begins


@dataclass(frozen=True)
class Trial:
    """What one request came to: how many examples it names, and what a look at the model that it left says.

    `suspicious` says that the request is seen in the model; while searching, both by the pool and by a retrained model.
    `attack` and `estimate` are of the last of the two that was asked. `powerful` says whether the look could have told:
    the same screening recognises the request in the original model. `doubt` says why the method's answers cannot be
    judged although others' can, and `kinds` in which ways. `obstacle` says why nothing can be asked of any method here.
    `excess` is what the worst request is the worst by. `trainings` counts the models that were made for it, from the
    cache or not.
    """

    request: ForgetRequest
    examples: int
    suspicious: bool = False
    powerful: bool = False
    attack: str = ""
    estimate: Estimate | None = None
    excess: float = -math.inf
    quantity: str = "AUC"
    doubt: str = ""
    kinds: frozenset[str] = frozenset()
    obstacle: str = ""
    trainings: int = 1

    @property
    def invalid(self) -> bool:
        """Whether the method's answers are none."""
        return "invalid" in self.kinds

    def __str__(self) -> str:
        seen = self.obstacle or ("suspicious" if self.suspicious else "not suspicious")
        value = "" if self.estimate is None else f" {self.estimate.value:.3f}"
        return f"{self.request!r}: {self.attack}{value}{', ' if self.attack else ''}{seen}"


def trial_of(plain: Trial, entry: Entry, trainings: int) -> Trial:
    """A trial of the request of `plain` that went as this evidence says."""
    verdict, estimate = entry["verdict"], entry["estimate"]
    unread = [reason for reason in entry["reasons"] if verdict == "INVALID" or reason.startswith(ASTRAY)]
    kinds = {"INVALID": "invalid", "INCONCLUSIVE": "astray"}
    finite = all(estimate[name] is not None for name in ("value", "low", "high"))
    return replace(
        plain,
        suspicious=verdict == "FAIL",
        powerful=verdict in ("PASS", "FAIL"),
        attack=entry["decided_by"],
        estimate=Estimate(**estimate) if finite else None,
        excess=severity(entry)[1],
        quantity=entry["claim"]["quantity"],
        doubt=unread[0] if unread and verdict in kinds else "",
        kinds=frozenset([kinds[verdict]] if unread and verdict in kinds else []),
        trainings=trainings,
    )


@dataclass(frozen=True)
class Screening:
    """What a screening came to; `doubts` says by kind why the answers cannot be judged."""

    judgement: Judgement[AttackFinding]
    doubts: Mapping[str, str]
    coarse: bool

    @property
    def fails(self) -> bool:
        """Whether the request is seen."""
        return self.judgement.verdict is Verdict.FAIL


class Bench:
    """Where requests are tried: a task, a method, and what is known of the training examples.

    Half of the controls serves the search; the other half has no part in choosing a request.
    """

    def __init__(self, task: UnlearningTask, unlearner: Any, limit: float, confidence: float) -> None:
        self.task, self.unlearner, self.limit, self.confidence = task, unlearner, limit, confidence
        self.facts = Facts(task)
        self._seen_in_the_original = 0
        self._method_seeds: dict[ForgetRequest, int] = {}
        self._left: tuple[ForgetRequest, Any] | None = None  # of the last search

    @cached_property
    def halves(self) -> tuple[IntArray, IntArray]:
        """Positions in the held-out set, class by class in turn: for the search, and kept fresh."""
        order = np.random.default_rng(self.task.seed).permutation(len(self.facts.held_out))
        order = order[np.argsort(self.facts.held_out.labels[order], kind="stable")]
        return np.sort(order[0::2]), np.sort(order[1::2])

    def controls(self, half: int) -> View:
        """The controls of the search (0), or those that no search has seen (1)."""
        held_out = self.facts.held_out
        return View("controls", held_out.examples, held_out.indices[self.halves[half]])

    def control_groups(self, half: int) -> IntArray | None:
        """Whose those controls are, if that is known."""
        return None if self.facts.held_out_groups is None else self.facts.held_out_groups[self.halves[half]]

    def steps(self, request: ForgetRequest) -> tuple[IntArray, ...]:
        """Positions in train of what is asked for, one request after the other."""
        return resolve(request, self.facts)

    def obstacle(self, steps: Sequence[IntArray]) -> str:
        """Why nothing can be asked of any method here: nothing would be left, or a class has too few controls."""
        forget = np.unique(np.concatenate(steps))
        if len(forget) == self.facts.count:
            return "nothing would be left to train on"
        for half in (0, 1) if self.task.split.match == "class" else ():
            lacking = np.setdiff1d(self.facts.labels[forget], self.controls(half).labels)
            if len(lacking):
                return f"class {lacking[0]} has too few controls to be looked at twice"
        return ""

    def why_not_trained(self, steps: Sequence[IntArray]) -> str:
        """Why the recipe gives no usable model on what is left: what it cannot do is no fault of the method."""
        try:
            self._answers(self._retrained(np.unique(np.concatenate(steps))), np.unique(np.concatenate(steps)))
        except Exception as error:
            return f"{type(error).__name__}: {str(error).split(chr(10))[0]}"
        return ""

    def untested(self, request: ForgetRequest, obstacle: str) -> Trial:
        """A trial of a request of which nothing is known yet, or nothing can be."""
        forget = np.unique(np.concatenate(self.steps(request)))
        return Trial(request, len(forget), obstacle=obstacle)

    def crashed(self, request: ForgetRequest, error: BaseException) -> Trial:
        """A trial in which the method, or the test of what it left, raised."""
        plain = self.untested(request, "")
        return replace(
            plain, suspicious=True, powerful=True, attack=type(error).__name__, trainings=len(plain.request.parts) or 1
        )

    def model(self, request: ForgetRequest, stage: Stage) -> Any:
        """The model to look at: what the method leaves, what it left in the search, or a retrained one.

        In a search, every other request is put to the method under the task's seed, which models are released with,
        and the others each under another: a method that is right under some seeds only is found out.
        """
        steps = self.steps(request)
        if stage.whose == "retrained":
            return self._retrained(np.unique(np.concatenate(steps)), which=1)
        if stage.whose == "searched" and self._left is not None and self._left[0] == request:
            return self._left[1]
        searching = stage.whose == "searched" or stage == SEARCH
        own = self._method_seeds.setdefault(request, _method_seed(request) if len(self._method_seeds) % 2 else 0)
        seed = self.task.seed + (own if searching else stage.first_seed)
        model = unlearn_in_steps(self.task, self.unlearner, steps, seed)
        if searching:
            self._left = request, model
        return model

    def screened(self, request: ForgetRequest, model: Any, stage: Stage = SEARCH) -> Trial:
        """Screen a model by the deciding attacks alone.

        Tripwires are left to the confirmation: they compare raw AUCs, which the pool's smaller training sets shift.
        """
        steps = self.steps(request)
        forget = np.unique(np.concatenate(steps))
        pool = self.facts.pool.references(forget)
        seen = self.screen(model, forget, pool)
        known = self.screen(self.task.original, forget, pool, coarse=seen.coarse)
        powerful, doubts, trainings = known.fails, dict(seen.doubts), len(steps)
        if seen.fails or (powerful and self._seen_in_the_original < ENOUGH):
            # What the search can see is what both see: the same is asked of the original, until that is established.
            exact = [self._answers(self._retrained(forget, which=stage.first_seed), forget)]
            trainings += 1
            seen = self.screen(model, forget, exact) if seen.fails else seen
            powerful = powerful and self.screen(self.task.original, forget, exact, coarse=seen.coarse).fails
            self._seen_in_the_original += powerful
        finding = seen.judgement.finding
        doubts = doubts if powerful and not seen.fails else {}
        return Trial(
            request, len(forget), seen.fails, powerful, finding.attack.name, finding.estimate,
            max(finding.estimate.low - 0.5, 0.5 - finding.estimate.high),
            doubt=next(iter(doubts.values()), ""), kinds=frozenset(doubts), trainings=trainings,
        )  # fmt: skip

    def _retrained(self, forget: IntArray, which: int = 0) -> Any:
        """A model retrained without `forget`."""
        retain = np.setdiff1d(np.arange(self.facts.count), forget)
        return self.task.train_on([retain], first_seed=self.task.seed + SCREENING_SEED + which)[0]

    def _answers(self, model: Any, forget: IntArray) -> Logits:
        """What a model answers on `forget`, and on the held-out set."""
        mine = View("forget", self.task.split.train, forget, self.task)
        return self._ask(model, mine).logits, self._ask(model, self.facts.held_out).logits

    def screen(
        self,
        model: Any,
        forget: IntArray,
        comparable: Sequence[tuple[FloatArray, FloatArray]],
        coarse: bool = False,
    ) -> Screening:
        """Judge a model that should have forgotten `forget` by others' logits on it and on the held-out set.

        With `coarse`, only its labels are looked at.
        """
        labels = self.facts.labels[forget]
        controls = self.controls(0)
        kept = np.isin(controls.labels, labels) if self.task.split.match == "class" else np.ones(len(controls), bool)
        mine = View("forget", self.task.split.train, forget, self.task)
        everywhere = Answers(forget=self._ask(model, mine), controls=self._ask(model, controls))
        if coarse:
            everywhere = labels_only(everywhere)
        target = _among(everywhere, kept)
        all_references = [
            Answers(
                forget=Outputs(logits=seen, labels=target.forget.labels),
                controls=Outputs(logits=unseen[self.halves[0]], labels=everywhere.controls.labels),
            )
            for seen, unseen in comparable
        ]
        references = [_among(reference, kept) for reference in all_references]
        matched = self.task.split.match == "class"
        strata = (target.forget.labels, target.controls.labels) if matched else (None, None)
        groups = self.facts.groups[forget] if self.facts.groups is not None else None
        owned = self.control_groups(0)
        pairing = Pairing(
            forget_strata=strata[0], control_strata=strata[1],
            forget_groups=groups, control_groups=owned[kept] if owned is not None else None,
        )  # fmt: skip
        findings = [
            f for f in evaluate_attacks(target, references, pairing, self.confidence, standard=False) if f.deciding
        ]
        able = can_certify(self.limit, self.confidence, len(forget), int(kept.sum()), **pairing.labels)
        judgement = judge_attacks(findings, self.limit, self.confidence, able)
        invalid = judgement.reason if judgement.verdict is Verdict.INVALID else ""
        doubts = {
            "invalid": invalid,
            "astray": "" if invalid else uncorrelated_with_references(target, references),
            "astray everywhere": uncorrelated_with_references(everywhere, all_references),
        }
        # Where nothing is answered at all, it is not for labels alone that nothing is seen.
        return Screening(judgement, {k: why for k, why in doubts.items() if why}, is_coarse(findings) and not invalid)

    def _ask(self, model: Any, view: View) -> Outputs:
        return evaluate(model, view, classes=self.task.split.classes, device=self.task.device)


def _method_seed(request: ForgetRequest) -> int:
    """A seed that follows from the request alone."""
    return FIRST_METHOD_SEED + zlib.crc32(repr(request).encode()) % METHOD_SEEDS


def _among(answers: Answers, kept: Any) -> Answers:
    """The same with some of the controls only."""
    controls = Outputs(logits=answers.controls.logits[kept], labels=answers.controls.labels[kept])
    return Answers(forget=answers.forget, controls=controls)


def unlearn_in_steps(task: UnlearningTask, unlearner: Any, steps: Sequence[Sequence[int] | IntArray], seed: int) -> Any:
    """The model that a method leaves after one request after the other, each with what is still retained."""
    model, gone = task.original, np.zeros(len(task.split.train), dtype=bool)
    for positions in steps:
        step = np.unique(np.asarray(positions, dtype=np.int64))
        asked = step[~gone[step]]  # what an earlier request took cannot be asked for again
        if not len(asked):
            continue
        gone[step] = True
        retain = View("retain", task.split.train, np.flatnonzero(~gone).astype(np.int64), task)
        model = task.unlearn_from(model, unlearner, retain, View("forget", task.split.train, asked, task), seed=seed)
    return model
