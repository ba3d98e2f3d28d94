"""Run a method on one request, and screen the model that it leaves.

It is screened by fold models, then by a retrained one. The fold models serve every request and cost nothing more, but
they know other examples of a class, a cluster or a user that a retrained model has lost too. Only where they see
something is a model retrained without the request.
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
from pytest_unlearn.claims.common.verdict import Decision
from pytest_unlearn.core.evidence import Answers, Estimate, FloatArray, IntArray, Outputs, Verdict
from pytest_unlearn.core.recorder import Entry, severity
from pytest_unlearn.models.predict import evaluate
from pytest_unlearn.search.dataset_stats import DatasetStats
from pytest_unlearn.search.families import resolve
from pytest_unlearn.search.request import ForgetRequest
from pytest_unlearn.statistics import can_certify
from pytest_unlearn.task import UnlearningTask, View

Whose = Literal["fresh", "searched", "retrained"]
Logits = tuple[FloatArray, FloatArray]  # on the forget set, and on the held-out set

SCREENING_SEED = 9000  # far from the seeds of references, of fold models, and of confirmations
FIRST_METHOD_SEED, METHOD_SEEDS = 200_000, 100_000  # of the method in a search
ENOUGH_SEEN = 3  # requests that the search is shown to see in the original, after which the fold models are believed
UNCORRELATED = "no power on this model"  # how the reason begins where answers do not follow the references'


@dataclass(frozen=True)
class Stage:
    """Seeds, references, half of the controls and model of one evaluation.

    `whose` model is a fresh one of the method's, the one that it left in the search, or a retrained one.
    """

    first_seed: int
    references: int
    half: int
    whose: Whose = "fresh"


SEARCH = Stage(first_seed=0, references=2, half=0)
CONFIRMATION = Stage(first_seed=70_000, references=4, half=1)  # seeds far from all others, and from what people audit
REPEAT_ON_SEARCHED_MODEL = replace(CONFIRMATION, whose="searched")
RETRAINED_CONTROL = replace(SEARCH, whose="retrained")
RETRAINED_CONFIRMATION = replace(CONFIRMATION, whose="retrained")
REPEAT_SEARCH = replace(SEARCH, first_seed=80_000)


@dataclass(frozen=True)
class RequestResult:
    """The outcome of one request: its size, and what an evaluation gave.

    `suspicious`: the request is seen in the model; while searching, both beside the fold models and beside a retrained
    one. `attack` and `estimate` are of the last of the two. `powerful`: the evaluation could have told, for it
    recognises the request in the original model. `doubt`: why the method's answers cannot be judged although others'
    can, and `kinds` in which ways. `obstacle`: why nothing can be asked of any method here. `excess`: what the worst
    request is the worst by. `trainings`: how many models were made for it, from the cache or not.
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
        """Whether the method's answers cannot be used."""
        return "invalid" in self.kinds

    @property
    def judged(self) -> bool:
        """Whether the evaluation could have told, and the answers can be judged."""
        return self.powerful and not self.doubt

    def __str__(self) -> str:
        seen = self.obstacle or ("suspicious" if self.suspicious else "not suspicious")
        value = "" if self.estimate is None else f" {self.estimate.value:.3f}"
        return f"{self.request!r}: {self.attack}{value}{', ' if self.attack else ''}{seen}"


def result_of_entry(plain: RequestResult, entry: Entry, trainings: int) -> RequestResult:
    """Read recorded evidence on a request into its `plain` result."""
    verdict, estimate = entry["verdict"], entry["estimate"]
    unread = [reason for reason in entry["reasons"] if verdict == "INVALID" or reason.startswith(UNCORRELATED)]
    kind = {"INVALID": "invalid", "INCONCLUSIVE": "uncorrelated"}.get(verdict, "") if unread else ""
    finite = all(estimate[name] is not None for name in ("value", "low", "high"))
    return replace(
        plain,
        suspicious=verdict == "FAIL",
        powerful=verdict in ("PASS", "FAIL"),
        attack=entry["decided_by"],
        estimate=Estimate(**estimate) if finite else None,
        excess=severity(entry)[1],
        quantity=entry["claim"]["quantity"],
        doubt=unread[0] if kind else "",
        kinds=frozenset([kind] if kind else []),
        trainings=trainings,
    )


@dataclass(frozen=True)
class Screening:
    """The outcome of a screening, with `doubts` that bar a judgement, by kind."""

    judgement: Decision[AttackFinding]
    doubts: Mapping[str, str]
    coarse: bool

    @property
    def fails(self) -> bool:
        """Whether the request is seen."""
        return self.judgement.verdict is Verdict.FAIL


class RequestRunner:
    """A task and a method, on which any request is run and screened.

    Half of the controls serves the search; the other half has no part in choosing a request.
    """

    def __init__(self, task: UnlearningTask, unlearner: Any, limit: float, confidence: float) -> None:
        self.task, self.unlearner, self.limit, self.confidence = task, unlearner, limit, confidence
        self.stats = DatasetStats(task)
        self._seen_in_the_original = 0
        self._method_seeds: dict[ForgetRequest, int] = {}
        self._left: tuple[ForgetRequest, Any] | None = None  # of the last search

    @cached_property
    def halves(self) -> tuple[IntArray, IntArray]:
        """Positions in the held-out set, by class in turn: to search, and kept fresh."""
        order = np.random.default_rng(self.task.seed).permutation(len(self.stats.held_out))
        order = order[np.argsort(self.stats.held_out.labels[order], kind="stable")]
        return np.sort(order[0::2]), np.sort(order[1::2])

    def controls(self, half: int) -> View:
        """Return the controls of the search (0), or those that no search sees (1)."""
        held_out = self.stats.held_out
        return View("controls", held_out.examples, held_out.indices[self.halves[half]])

    def control_groups(self, half: int) -> IntArray | None:
        """Return those controls' groups, if the split has any."""
        return None if self.stats.held_out_groups is None else self.stats.held_out_groups[self.halves[half]]

    def steps(self, request: ForgetRequest) -> tuple[IntArray, ...]:
        """Resolve a request into steps, each the positions in train to delete."""
        return resolve(request, self.stats)

    def obstacle(self, steps: Sequence[IntArray]) -> str:
        """Say why nothing can be asked of any method: nothing left, or too few controls."""
        forget = np.unique(np.concatenate(steps))
        if len(forget) == self.stats.count:
            return "nothing would be left to train on"
        for half in (0, 1) if self.task.split.matching.by_class else ():
            lacking = np.setdiff1d(self.stats.labels[forget], self.controls(half).labels)
            if len(lacking):
                return f"class {lacking[0]} has too few controls to be looked at twice"
        return ""

    def why_not_trained(self, steps: Sequence[IntArray]) -> str:
        """Explain why the recipe gives no usable model on the rest, method aside."""
        forget = np.unique(np.concatenate(steps))
        try:
            self._logits(self._retrained(forget), forget)
        except Exception as error:
            return f"{type(error).__name__}: {str(error).split(chr(10))[0]}"
        return ""

    def blank_result(self, request: ForgetRequest, obstacle: str) -> RequestResult:
        """Start the result of a request that is not evaluated yet, or cannot be."""
        forget = np.unique(np.concatenate(self.steps(request)))
        return RequestResult(request, len(forget), obstacle=obstacle)

    def crashed_result(self, request: ForgetRequest, error: BaseException) -> RequestResult:
        """Make the result of a request on which the method or the test raised."""
        plain = self.blank_result(request, "")
        return replace(
            plain, suspicious=True, powerful=True, attack=type(error).__name__, trainings=len(plain.request.parts) or 1
        )

    def model(self, request: ForgetRequest, stage: Stage) -> Any:
        """Make the model to evaluate: fresh, of the search, or a retrained one.

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

    def screen_request(self, request: ForgetRequest, model: Any, stage: Stage = SEARCH) -> RequestResult:
        """Screen a model by the deciding attacks alone.

        Tripwires are left to the confirmation: they compare raw AUCs, which smaller training sets shift.
        """
        steps = self.steps(request)
        forget = np.unique(np.concatenate(steps))
        folds = self.stats.fold_models.references(forget)
        screening = self.screen(model, forget, folds)
        positive_control = self.screen(self.task.original, forget, folds, coarse=screening.coarse)
        powerful, doubts, trainings = positive_control.fails, screening.doubts, len(steps)
        if screening.fails or (powerful and self._seen_in_the_original < ENOUGH_SEEN):
            # What the search can see is what both see: the same is asked of the original, until that is established.
            exact = [self._logits(self._retrained(forget, which=stage.first_seed), forget)]
            trainings += 1
            screening = self.screen(model, forget, exact) if screening.fails else screening
            powerful = powerful and self.screen(self.task.original, forget, exact, coarse=screening.coarse).fails
            self._seen_in_the_original += powerful
        finding = screening.judgement.finding
        doubts = doubts if powerful and not screening.fails else {}
        return RequestResult(
            request, len(forget), screening.fails, powerful, finding.attack.name, finding.estimate,
            max(finding.estimate.low - 0.5, 0.5 - finding.estimate.high),
            doubt=next(iter(doubts.values()), ""), kinds=frozenset(doubts), trainings=trainings,
        )  # fmt: skip

    def _retrained(self, forget: IntArray, which: int = 0) -> Any:
        """Fetch or train a model without `forget`."""
        retain = np.setdiff1d(np.arange(self.stats.count), forget)
        return self.task.train_on([retain], first_seed=self.task.seed + SCREENING_SEED + which)[0]

    def _logits(self, model: Any, forget: IntArray) -> Logits:
        """Ask a model for its logits on `forget`, and on the held-out set."""
        return self._ask(model, self._forget(forget)).logits, self._ask(model, self.stats.held_out).logits

    def screen(self, model: Any, forget: IntArray, references: Sequence[Logits], coarse: bool = False) -> Screening:
        """Judge a model that should have forgotten `forget` beside references' logits.

        With `coarse`, only its labels are looked at.
        """
        controls, matched = self.controls(0), self.task.split.matching.by_class
        answers = Answers(forget=self._ask(model, self._forget(forget)), controls=self._ask(model, controls))
        if coarse:
            answers = labels_only(answers)
        labels = answers.forget.labels
        kept = np.isin(answers.controls.labels, labels) if matched else np.ones(len(controls), dtype=bool)
        target = _with_controls(answers, kept)
        all_references = [
            Answers(
                forget=Outputs(logits=on_forget, labels=labels),
                controls=Outputs(logits=held_out[self.halves[0]], labels=answers.controls.labels),
            )
            for on_forget, held_out in references
        ]
        matched_references = [_with_controls(reference, kept) for reference in all_references]
        groups, owners = self.stats.groups, self.control_groups(0)
        pairing = Pairing(
            forget_strata=labels if matched else None,
            control_strata=target.controls.labels if matched else None,
            forget_groups=None if groups is None else groups[forget],
            control_groups=None if owners is None else owners[kept],
        )
        findings = evaluate_attacks(target, matched_references, pairing, self.confidence, standard=False)
        findings = tuple(finding for finding in findings if finding.deciding)
        able = can_certify(self.limit, self.confidence, len(forget), int(kept.sum()), **pairing.labels)
        judgement = judge_attacks(findings, self.limit, self.confidence, able)
        invalid = "".join(judgement.reasons) if judgement.verdict is Verdict.INVALID else ""
        doubts = {
            "invalid": invalid,
            "uncorrelated": "" if invalid else uncorrelated_with_references(target, matched_references),
            "uncorrelated everywhere": uncorrelated_with_references(answers, all_references),
        }
        # Where nothing is answered at all, it is not for labels alone that nothing is seen.
        return Screening(judgement, {k: why for k, why in doubts.items() if why}, is_coarse(findings) and not invalid)

    def _forget(self, forget: IntArray) -> View:
        return View("forget", self.task.split.train, forget, self.task)

    def _ask(self, model: Any, view: View) -> Outputs:
        return evaluate(model, view, classes=self.task.split.classes, device=self.task.device)


def _method_seed(request: ForgetRequest) -> int:
    """Derive a seed from the request alone."""
    return FIRST_METHOD_SEED + zlib.crc32(repr(request).encode()) % METHOD_SEEDS


def _with_controls(answers: Answers, kept: Any) -> Answers:
    """Keep some of the controls only."""
    controls = answers.controls.take(kept)
    return Answers(forget=answers.forget, controls=controls)


def unlearn_in_steps(task: UnlearningTask, unlearner: Any, steps: Sequence[Sequence[int] | IntArray], seed: int) -> Any:
    """Run a method on one request after the other, each with what is still retained."""
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
