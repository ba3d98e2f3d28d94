"""One request tried: run the method on it, and look at the result with references that one pool gives for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pytest_unlearn.attacks import Pairing
from pytest_unlearn.audits.examination import Judgement, examine, judge
from pytest_unlearn.evidence import Answers, Estimate, IntArray, Outputs
from pytest_unlearn.outputs import evaluate
from pytest_unlearn.statistics import can_certify
from pytest_unlearn.stress.facts import Facts
from pytest_unlearn.stress.families import resolve
from pytest_unlearn.stress.requests import ForgetRequest
from pytest_unlearn.task import UnlearningTask, View


@dataclass(frozen=True)
class Trial:
    """What one request came to: how many examples it names, and what the screening says of the model it left."""

    request: ForgetRequest
    examples: int
    verdict: str
    attack: str
    estimate: Estimate

    @property
    def suspicious(self) -> bool:
        """Whether the request has to be looked at with exact references."""
        return self.verdict == "FAIL"

    @property
    def excess(self) -> float:
        """How far from 0.5 the estimate is for certain: what the worst request is the worst by."""
        return max(self.estimate.low - 0.5, 0.5 - self.estimate.high)


class Bench:
    """Where requests are tried: a task, a method, and what is known of the training examples.

    Half of the controls (`screening`) serve the search; the other half (`fresh`) has no part in choosing a request.
    """

    def __init__(self, task: UnlearningTask, unlearner: Any, limit: float, confidence: float) -> None:
        self.task, self.unlearner, self.limit, self.confidence = task, unlearner, limit, confidence
        self.facts = Facts(task)

    @cached_property
    def halves(self) -> tuple[IntArray, IntArray]:
        """Positions in the held-out set, class by class in turn: for the search, and kept fresh."""
        order = np.random.default_rng(self.task.seed).permutation(len(self.facts.held_out))
        order = order[np.argsort(self.facts.held_out.labels[order], kind="stable")]
        return np.sort(order[0::2]), np.sort(order[1::2])

    @property
    def screening(self) -> View:
        """The controls of the search."""
        return self._controls(self.halves[0])

    @property
    def fresh(self) -> View:
        """The controls that no search has seen."""
        return self._controls(self.halves[1])

    def unlearn(self, steps: Sequence[IntArray], seed: int) -> Any:
        """The method run on one request after the other, each time with what is still retained."""
        model, gone = self.task.original, np.zeros(self.facts.count, dtype=bool)
        for step in steps:
            asked = step[~gone[step]]  # what an earlier request took cannot be asked for again
            if not len(asked):
                continue
            gone[step] = True
            retain = View("retain", self.task.split.train, np.flatnonzero(~gone).astype(np.int64), self.task)
            model = self.unlearner(model, retain, View("forget", self.task.split.train, asked, self.task), seed=seed)
        self.task.digest_of(self.task.original)
        return model

    def try_request(self, request: ForgetRequest) -> Trial:
        """Run the method on a request and screen the result by the deciding attacks alone.

        Tripwires are left to the confirmation: they compare raw AUCs, which the pool's smaller training sets shift.
        """
        steps = resolve(request, self.facts)
        forget = np.unique(np.concatenate(steps))
        judgement = self.screen(self.unlearn(steps, self.task.seed), forget)
        finding = judgement.finding
        return Trial(request, len(forget), judgement.verdict.value, finding.attack.name, finding.estimate)

    def screen(self, model: Any, forget: IntArray) -> Judgement:
        """Judge a model that should have forgotten `forget`, against the pool."""
        labels = self.facts.labels[forget]
        controls = self.screening
        kept = np.isin(controls.labels, labels) if self.task.split.match == "class" else np.ones(len(controls), bool)
        mine = View("forget", self.task.split.train, forget, self.task)
        target = Answers(forget=self._ask(model, mine), controls=_part(self._ask(model, controls), kept))
        columns = target.forget.labels, target.controls.labels
        rows = self.halves[0][kept]
        references = [
            Answers(
                forget=Outputs(logits=seen, labels=columns[0]),
                controls=Outputs(logits=unseen[rows], labels=columns[1]),
            )
            for seen, unseen in self.facts.pool.references(forget)
        ]
        strata = columns if self.task.split.match == "class" else (None, None)
        groups = self.facts.groups[forget] if self.facts.groups is not None else None
        pairing = Pairing(forget_strata=strata[0], control_strata=strata[1], forget_groups=groups)
        findings = [f for f in examine(target, references, pairing, self.confidence) if f.deciding]
        able = can_certify(
            self.limit, self.confidence, len(forget), len(rows),
            forget_strata=strata[0], control_strata=strata[1], forget_groups=groups,
        )  # fmt: skip
        return judge(findings, self.limit, self.confidence, able)

    def _ask(self, model: Any, view: View) -> Outputs:
        return evaluate(model, view, classes=self.task.split.classes, device=self.task.device)

    def _controls(self, positions: IntArray) -> View:
        controls = self.facts.held_out
        return View("controls", controls.examples, controls.indices[positions])


def _part(outputs: Outputs, kept: Any) -> Outputs:
    return Outputs(logits=outputs.logits[kept], labels=outputs.labels[kept])
