"""Audit of a sequence of requests: forgetting and utility after each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from pytest_unlearn.claims.common.evidence import build_evidence, resolve_all
from pytest_unlearn.claims.common.provenance import provenance
from pytest_unlearn.claims.common.verdict import Decision
from pytest_unlearn.claims.sequence.adversary import Adversary, chosen
from pytest_unlearn.claims.sequence.steps import (
    RequestStep,
    StepAudit,
    accumulation_curves,
    certificate_of,
    correct,
    next_step,
    settle,
    steps_table,
)
from pytest_unlearn.core.evidence import Evidence, IntArray, Verdict
from pytest_unlearn.core.settings import CONFIDENCE, MAX_DROP, MAX_MIA_AUC, REQUIRE_CONTROLS
from pytest_unlearn.models.predict import Output, OutputKind, read_as
from pytest_unlearn.task import UnlearningTask
from pytest_unlearn.training.signatures import check_unlearner

BASELINES = ("original", "retrained")


def audit_sequence(
    unlearner: Any,
    task: UnlearningTask,
    requests: Iterable[Any] | Adversary,
    max_mia_auc: float = MAX_MIA_AUC,
    max_drop: float = MAX_DROP,
    *,
    rounds: int | None = None,
    size: int | None = None,
    baseline: str = "retrained",
    require_controls: bool = REQUIRE_CONTROLS,
    confidence: float = CONFIDENCE,
    output: Output = None,
    output_kind: OutputKind | None = None,
) -> Evidence:
    """Audit whether a method forgets request after request, run on its own results.

    After each request all that was asked for so far is audited together, as `audit_forgotten` does, against models
    retrained without it, and each request within it as a tripwire, which can make it FAIL; and utility as
    `audit_utility` does. Originals, references and what the method made come from the task's cache.

    Args:
        unlearner: `unlearner(model, retain, forget, *, seed) -> model`; retain is what is left after the request.
        task: with a recipe and a number of references; each request costs as many trainings. Its own forget set is not
            part of the sequence.
        requests: index arrays (positions in train), none in two of them; or an adversary that chooses the next request
            from the current model, `adversary(model, asked_so_far, task, seed) -> positions`, such as
            `adaptive_adversary`, of which the first `size` are asked for.
        max_mia_auc: largest tolerated membership-inference AUC of the union after every request, between 0.5 and 1;
            1 - max_mia_auc is the smallest.
        max_drop: largest tolerated drop in test accuracy after every request, from 0 and below 1.
        rounds: how many requests an adversary makes.
        size: of how many examples each.
        baseline: of the drop: "retrained" (without the union), or "original".
        require_controls: whether a missing control makes the verdict INCONCLUSIVE at best.
        confidence: of every one-sided bound.
        output: which entry of a dict or tuple output holds the logits.
        output_kind: "logits", "probabilities" or "log-probabilities"; told by range and sum if it is not given.

    Returns:
        Evidence of the worst step. PASS needs forgetting and utility to PASS after every request, so that the first
        one must be large enough to be certified; FAIL is corrected for all of them (Holm). Figures show each step, the
        distance of the outputs from the references' (error accumulation; that of an exact method stays within theirs),
        and the budget of methods whose models have a `certificate` with numbers `spent` and `budget`.

    Raises:
        ValueError: requests that are empty, overlap, or leave nothing to compare with (see `Split`), or a task without
            a recipe.

    Source: Gupta et al. 2021, "Adaptive machine unlearning"; Guo et al. 2020, section 3 (budgets over a sequence).
    """
    output = read_as(output, output_kind)
    _check(unlearner, task, baseline)
    given = {"max_mia_auc": max_mia_auc, "max_drop": max_drop, "confidence": confidence}
    sources, values = resolve_all(**given, require_controls=require_controls)
    ask = chosen(requests, task, rounds, size)
    keywords = {**dict(zip(sources, values, strict=True)), "baseline": baseline, "output": output}
    steps: list[RequestStep] = []
    model = task.original
    while (request := ask(model, [step.request for step in steps], task.seed + len(steps))) is not None:
        steps.append(next_step(unlearner, task, model, steps, request, keywords))
        model = steps[-1].model
    findings = correct(steps, keywords)
    worst = settle(findings)
    last, evidence = steps[-1].task, worst.evidence
    claim = replace(
        evidence.claim, name="sequence", quantity=f"{evidence.claim.quantity} after a request", sources=sources
    )
    decision = Decision(
        verdict=worst.verdict,
        finding=worst,
        limits=claim,
        label=evidence.label if worst.verdict is Verdict.FAIL else "",
        reasons=(_scope(steps, callable(requests)), *_reasons(worst, findings), *_budget(steps, callable(requests))),
        advice=evidence.advice if worst.verdict is not Verdict.PASS else (),
        needed=evidence.needed,
    )
    return build_evidence(
        claim,
        decision,
        findings,
        controls=evidence.controls,
        provenance=provenance(
            model,
            (last.forget, last.retain, last.controls, last.test),
            last,
            original=True,
            retrained=True,
            requests=[step.request.tolist() for step in steps],
            adaptive=callable(requests),
            baseline=baseline,
            require_controls=keywords["require_controls"],
        ),
        figures=(steps_table(steps), accumulation_curves(steps)),
        most_exposed=evidence.most_exposed,
    )


def _check(unlearner: Any, task: UnlearningTask, baseline: str) -> None:
    if not isinstance(task, UnlearningTask) or task.recipe is None:
        raise ValueError(
            "audit_sequence retrains without what each request adds: pass an UnlearningTask with a recipe=."
        )
    if not isinstance(task.references, int):
        raise ValueError(
            "audit_sequence needs references of its own after each request: give the task a number of references, not "
            "a list of models, which were retrained without another request."
        )
    check_unlearner(unlearner)
    if baseline not in BASELINES:
        raise ValueError(f'baseline must be "original" or "retrained", not {baseline!r}.')


def _scope(steps: Sequence[RequestStep], adaptive: bool) -> str:
    sizes: list[IntArray] = [step.request for step in steps]
    many = f"{len(sizes)} request{'s' if len(sizes) > 1 else ''}"
    who = ", each chosen from the model before it" if adaptive else ""
    return f"{many} of {sum(map(len, sizes))} examples in all{who}; the union is audited after each"


def _reasons(worst: StepAudit, findings: Sequence[StepAudit]) -> list[str]:
    if worst.verdict is Verdict.PASS:
        return []
    said = [f"{worst.name}: {reason}" for reason in worst.evidence.reasons]
    if worst.uncorrected:
        said.insert(0, f"{worst.name} is {worst.evidence.verdict} by itself, but not with Holm's correction over steps")
    others = [one.name for one in findings if one.verdict is worst.verdict and one is not worst]
    return said + ([f"{worst.verdict} as well: {', '.join(others)}"] if others else [])


def _budget(steps: Sequence[RequestStep], adaptive: bool) -> list[str]:
    """Summarise what certificates state, and what they leave out."""
    certified = [(number, given) for number, step in enumerate(steps, start=1) if (given := certificate_of(step.model))]
    said = []
    spent = [number for number, given in certified if given.spent > given.budget]
    if spent:
        said.append(f"the certificate's budget is exceeded after request {spent[0]}")
    if certified and adaptive:
        said.append("certificates hold for requests that do not depend on the models, and these do")
    return said
