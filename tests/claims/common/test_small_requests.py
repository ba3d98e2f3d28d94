"""Small requests lead somewhere: lines to paste, that no model which remembers may pass; and numbers that agree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import pytest_unlearn
from pytest_unlearn import AuditFailure, SavedOutputs, audit_forgotten
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.advice import IS_ORIGINAL, small_request
from pytest_unlearn.claims.common.certify import ASSUMED, Certifiable, Shadowed, certify, request
from pytest_unlearn.cli.plan import outlook
from pytest_unlearn.cli.plan.asked import SETTINGS, Asked
from pytest_unlearn.cli.plan.power import design
from pytest_unlearn.core.evidence import Evidence, Verdict
from pytest_unlearn.core.settings import Setting
from pytest_unlearn.report import gate
from pytest_unlearn.report.gate import unproven
from pytest_unlearn.report.ledger import Ledger
from pytest_unlearn.report.on_method import next_step
from tests.worlds.simulated import World, split

SKILLED = {"difficulty": 0.5, "skill": 1.5}
LINE = re.compile(r"assert_(?:leakage_reduced|forgotten)\([^)]*\)")


def lines_of(evidence: Evidence) -> Iterator[str]:
    """The lines of advice that judge this model again."""
    for step in evidence.advice:
        yield from LINE.findall(step)


def pasted(line: str, model: Any, forget: Any) -> Verdict:
    """What a line of advice comes to in a test of this model."""
    try:
        found = eval(line, {**vars(pytest_unlearn), **ASSERTIONS, "unlearned_model": model, "forget_loader": forget})
    except AuditFailure as failure:
        return failure.evidence.verdict
    assert isinstance(found, Evidence)
    assert not list(unproven(found.to_json()))  # or the gate would block what the verdict lets pass
    return found.verdict


ASSERTIONS = {name: getattr(pytest_unlearn, name) for name in ("assert_forgotten", "assert_leakage_reduced")}


def half_of(world: World, boost: float, seed: int = 5) -> SavedOutputs:
    """A model that was trained on every second example of the request."""
    one, other = world.model(boost, seed=seed).parts, world.model(0.0, seed=seed).parts
    every_second = np.arange(len(one["forget"]))[:, None] % 2 == 0
    return SavedOutputs(forget=np.where(every_second, one["forget"], other["forget"]), test=one["test"])


def ensemble(world: World, boost: float) -> SavedOutputs:
    """The original and a retrained model, averaged."""
    one, other = world.original(boost).parts, world.model(0.0, seed=6).parts
    return SavedOutputs(**{side: (one[side] + other[side]) / 2 for side in one})


def shares(seeds: int, n_forget: int, boost: float, controls: int = 1000) -> dict[str, float]:
    """How often each model passes any line that is advised on it or on an honest model; None advised counts as none."""
    passed = dict.fromkeys(("honest", "original", "half", "ensemble"), 0)
    for seed in range(seeds):
        world = World(split(n_forget=n_forget, n_controls=controls), seed=seed, **SKILLED)
        task = world.task(boost=boost)
        models = {
            "honest": world.model(),
            "original": task.original,
            "half": half_of(world, boost),
            "ensemble": ensemble(world, boost),
        }
        honest = audit_forgotten(models["honest"], task.forget)
        for name, model in models.items():
            advised = dict.fromkeys([*lines_of(honest), *lines_of(audit_forgotten(model, task.forget))])
            passed[name] += any(pasted(line, model, task.forget) is Verdict.PASS for line in advised)
    return {name: count / seeds for name, count in passed.items()}


@pytest.mark.slow
def test_forty_examples_get_an_honest_model_a_pass_and_no_model_that_remembers() -> None:
    found = shares(seeds=1, n_forget=40, boost=3.5, controls=400)
    assert found["honest"] >= 0.5
    assert found["original"] == found["ensemble"] == 0.0


@pytest.mark.slow
@pytest.mark.parametrize(("n_forget", "boost"), [(40, 2.5), (40, 1.5), (20, 2.5), (100, 1.2), (12, 4.0)])
@pytest.mark.parametrize("seeds", [5, pytest.param(25, marks=pytest.mark.long)])
def test_no_line_that_is_advised_lets_the_original_or_half_a_memory_pass(
    n_forget: int, boost: float, seeds: int
) -> None:
    found = shares(seeds=seeds, n_forget=n_forget, boost=boost)
    assert found["original"] == 0.0
    assert found["ensemble"] == 0.0
    assert found["half"] <= max(0.08, 1 / seeds)  # a true half passes a claim of half in one case of twenty
    if (n_forget, boost) in ((40, 2.5), (100, 1.2)):
        assert found["honest"] >= (0.7 if seeds > 5 else 0.5)


def of_twenty(seed: int, boost: float = 1.0) -> tuple[World, Any]:
    """Twenty examples that are hardly remembered, and a recipe by which such requests could be simulated."""
    world = World(split(n_forget=20, n_controls=200), seed=seed, **SKILLED)
    return world, world.task(boost=boost, recipe=lambda dataset, *, seed: None)


def blocked(evidence: Evidence) -> str:
    """Why a gate that requires it does not let it pass."""
    ledger = Ledger()
    ledger.add("t", "failed", [evidence.to_json()])
    return " ".join(gate.decide(ledger.freeze(), ["forgotten"]).reasons)


def test_the_original_is_told_that_it_is_the_original_and_never_another_claim() -> None:
    verdicts = []
    for seed in range(4):
        _, task = of_twenty(seed)
        evidence = audit_forgotten(task.original, task.forget, max_mia_auc=0.7)
        verdicts.append(evidence.verdict)
        assert evidence.advice[0] == IS_ORIGINAL
        assert "assert_" not in " ".join(evidence.advice)
        if evidence.verdict is Verdict.INCONCLUSIVE:
            assert IS_ORIGINAL in blocked(evidence)
        assert "likely to show" not in blocked(evidence)
    assert Verdict.INCONCLUSIVE in verdicts
    assert Verdict.PASS not in verdicts


@pytest.mark.slow
def test_another_claim_is_offered_to_honest_models_and_to_none_that_surely_keeps_too_much() -> None:
    kept = offered = 0
    for seed in range(4):
        world, task = of_twenty(seed)
        remembers = audit_forgotten(world.model(1.0, seed=3), task.forget, max_mia_auc=0.7)
        if remembers.verdict is Verdict.INCONCLUSIVE and remembers.estimate.low > 0.5:
            kept += 1
            told = " ".join(remembers.advice)
            assert "assert_" not in told
            assert re.search("nlearn longer or differently, or retrain", told)
            assert "likely to show" not in blocked(remembers)
            if remembers.share_left is not None:
                assert remembers.advice[-1].startswith(("this model looks like the original", "this model keeps much"))
        honest = audit_forgotten(world.model(), task.forget, max_mia_auc=0.7)
        offered += "it asks more than this request is likely to show. Paste assert_algorithm(" in blocked(honest)
    assert kept >= 2
    assert offered >= 2


def test_a_model_that_keeps_much_does_not_lie_near_the_limit_of_a_request_that_is_large_enough() -> None:
    world = World(split(n_forget=65, n_controls=400), **SKILLED)
    evidence = audit_forgotten(world.model(1.2, seed=3), world.task(boost=2.5).forget, max_mia_auc=0.7)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    (step,) = evidence.advice
    assert step.startswith("this model keeps much of what the original showed: about ")


@pytest.mark.slow
def test_who_retrained_and_missed_by_chance_is_told_how_often_that_is_and_what_decides() -> None:
    met = 0
    for seed in range(12):
        world = World(split(n_forget=150, n_controls=1000), seed=seed, **SKILLED)
        evidence = audit_forgotten(world.model(0.15), world.task(boost=2.5).forget, max_mia_auc=0.6)
        if evidence.verdict is Verdict.INCONCLUSIVE:
            met += 1
            (step,) = evidence.advice
            often = re.search(r"passes here (\d+)% of the time.*retrained \(about 1 in (\d+) ends so by chance\)", step)
            assert often
            assert abs((100 - int(often[1])) - 100 / int(often[2])) < 2
            assert step.endswith("more forget examples decide, or assert_leakage_reduced with min_reduction=0.5")
            assert "likely to show" not in blocked(evidence)
            if met == 2:
                break
    assert met


def test_the_advice_comes_in_its_order_and_asks_for_nothing_that_nobody_can_choose() -> None:
    world = World(split(n_forget=40, n_controls=5000), **SKILLED)
    task = world.task(boost=2.5, recipe=lambda dataset, *, seed: None)
    evidence = audit_forgotten(world.model(), task.forget)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    names = [re.match(r"(?:or )?(assert_\w+|batch requests)", step) for step in evidence.advice]
    assert [name and name[1] for name in names] == [
        "assert_leakage_reduced",
        "assert_forgotten",
        "assert_algorithm",
        "batch requests",
    ]
    assert 'unlearn_require = ["leakage_reduced", "utility"]' in evidence.advice[0]
    assert re.search(r"runs=(\d+)\): .* for \1 trainings and as many runs of the method", evidence.advice[2])


WEAK = {"limit": 0.6, "confidence": 0.95, "original": 0.67}  # forty images, hardly recognised in the original


def test_who_batches_is_told_the_number_that_passes_and_not_the_one_that_the_limit_alone_takes() -> None:
    said = certify(request(40, 3000), **WEAK)
    assert said.needed is not None
    assert said.needed_for_share is not None
    assert said.needed < said.needed_for_share == said.needed_to_pass == said.needed_examples
    batch = advice.small_request(said, original=True, simulable=True)[-1]
    assert batch.startswith(f"or batch requests until there are about {said.needed_for_share} forget examples")
    assert f"{said.needed} " not in batch
    grown = certify(request(said.needed_to_pass, 3000), **WEAK)
    assert not grown.too_small


def test_of_a_weak_original_only_the_method_can_be_asked_and_the_line_says_what_it_takes() -> None:
    said = certify(request(40, 3000), **WEAK)
    runs, _ = advice.small_request(said, original=True, simulable=True, training=20.0)
    assert runs.startswith(f"assert_algorithm(unlearner, unlearning_task, max_mia_auc=0.6, runs={said.runs}): ")
    assert f"for {said.runs} trainings and as many runs of the method (about {said.runs * 20 / 60:.0f} min" in runs
    assert "the method is the fixture `unlearner`, with no fixture `unlearned_model` beside it" in runs
    assert "min" not in advice.small_request(said, original=True, simulable=True)[0].replace("min_", "")


def test_the_advice_of_a_share_states_the_limit_that_its_runs_are_counted_by() -> None:
    said = certify(request(40, 3000), limit=None, confidence=0.95, original=0.67)
    runs = next(step for step in advice.small_request(said, original=True, simulable=True) if "algorithm(" in step)
    assert runs.startswith(f"assert_algorithm(unlearner, unlearning_task, max_mia_auc=0.55, runs={said.runs}): ")
    at_limit = certify(request(40, 3000), limit=0.55, confidence=0.95, original=0.67)
    assert said.runs == at_limit.runs


def test_a_gate_that_blocks_a_share_names_the_line_for_the_method() -> None:
    said = certify(request(40, 3000), limit=None, confidence=0.95, original=0.67)
    evidence = {
        "claim": {"name": "leakage_reduced"},
        "verdict": "INCONCLUSIVE",
        "advice": advice.small_request(said, original=True, simulable=True),
    }
    told = next_step(evidence, ("leakage_reduced", "utility"))
    assert f"Paste assert_algorithm(unlearner, unlearning_task, max_mia_auc=0.55, runs={said.runs})" in told
    assert 'unlearn_require = ["algorithm", "utility"]; the method is the fixture `unlearner`' in told


def advised(said: Certifiable, shadowed: Shadowed | None) -> str:
    return " ".join(small_request(said, original=True, simulable=True, shadowed=shadowed))


@pytest.mark.parametrize(
    ("n_forget", "original", "offered"),
    [
        (40, 0.6, False),  # where the residual sees next to nothing, so do shadow models
        (40, 0.78, True),
        (40, 0.95, False),  # plain as it is
        (10, 0.9, False),
        (60, 0.73, True),
        (1000, 0.7, False),
    ],
)
def test_shadow_models_are_offered_where_they_can_be_expected_to_help(
    n_forget: int, original: float, offered: bool
) -> None:
    said = certify(request(n_forget, 3000), limit=0.55, confidence=0.95, original=original)
    told = advised(said, Shadowed(models=16, controls=3 * n_forget, helps=True))
    assert ('attacks="online"): sharper attacks, for 16 trainings' in told) == offered
    assert 'attacks="online"' not in advised(said, None)
    assert 'attacks="online"' not in advised(said, Shadowed(models=16, controls=3 * n_forget, helps=False))
    if offered:
        assert re.search(r"passes (\d+)% of the time, where it does (\d+)% without", told)


def test_a_handful_is_not_told_a_limit_beyond_the_range_nor_thousands_of_requests() -> None:
    for n_forget in (1, 2, 4):
        world = World(split(n_forget=n_forget, n_controls=400), **SKILLED)
        evidence = audit_forgotten(world.model(), world.task(boost=2.5).forget)
        assert evidence.verdict is Verdict.INCONCLUSIVE
        assert evidence.advice
        told = " ".join(evidence.advice)
        assert all(0.5 < float(limit) < 1 for limit in re.findall(r"max_mia_auc=(\S+?)[,)]", told))
        assert all(int(count.replace(",", "")) <= 20 * n_forget for count in re.findall(r"about ([\d,]+) forget", told))


def test_a_large_request_near_its_limit_is_told_so_and_not_to_wait_for_more() -> None:
    world = World(split(n_forget=1500, n_controls=5000), **SKILLED)
    evidence = audit_forgotten(world.model(0.3), world.task(boost=2.5).forget, max_mia_auc=0.55)
    if evidence.verdict is Verdict.INCONCLUSIVE:
        assert evidence.needed is None
        assert any("this model lies near the limit" in step for step in evidence.advice)
    assert not any("batch" in step for step in evidence.advice)


@dataclass(frozen=True)
class Situation:
    """A request, and the limit that is asked of it."""

    n_forget: int = 40
    n_controls: int = 2000
    limit: float = 0.55
    confidence: float = 0.95
    groups: int = 0  # examples a person, 0 for none
    control_groups: int = 0
    match: str | None = "class"


SITUATIONS = [
    Situation(),
    Situation(limit=0.6),
    Situation(limit=0.65),
    Situation(confidence=0.99),
    Situation(confidence=0.9, limit=0.58),
    Situation(match=None),
    Situation(n_controls=200),
    Situation(n_controls=40),
    Situation(n_controls=40, match=None),
    Situation(n_controls=4),
    Situation(n_forget=8),
    Situation(n_forget=20),
    Situation(n_forget=20, limit=0.7),
    Situation(n_forget=100),
    Situation(n_forget=100, limit=0.6),
    Situation(n_forget=160, n_controls=800),
    Situation(n_forget=250, n_controls=10_000),
    Situation(n_forget=200, groups=10),
    Situation(n_forget=200, groups=40),
    Situation(n_forget=120, groups=4, control_groups=8),
    Situation(n_forget=80, control_groups=50),
    Situation(n_forget=4),
    Situation(n_forget=1200, n_controls=3000),
    Situation(n_forget=2, n_controls=400),
]


def in_world(at: Situation) -> tuple[World, Any]:
    total = at.n_forget + 50
    people: dict[str, Any] = {}
    if at.groups:
        people["groups"] = np.arange(total) // at.groups
    if at.control_groups:
        people["control_groups"] = 10_000 + np.arange(at.n_controls) // at.control_groups
    data = split(n_forget=at.n_forget, n_controls=at.n_controls, match=at.match, **people)
    world = World(data, **SKILLED)
    return world, world.task(boost=2.5)


def numbers(lines: Any) -> dict[str, set[str]]:
    """The numbers that lines of advice or a plan give, by what they are of."""
    text = "\n".join(lines)
    return {
        "examples": set(re.findall(r"about ([\d,]+(?: units of deletion \([\d,]+)?) forget examples", text)),
        "limit": set(re.findall(r"assert_forgotten\(.*?max_mia_auc=(0\.\d+)", text)),
        "runs": set(re.findall(r"runs=(\d+)\)", text)),
    }


@pytest.mark.parametrize("at", SITUATIONS, ids=str)
def test_plan_and_verdict_say_the_same_numbers(at: Situation, monkeypatch: pytest.MonkeyPatch) -> None:
    world, task = in_world(at)
    monkeypatch.setattr("pytest_unlearn.claims.common.conclusion.least_shown", lambda known: ASSUMED)
    evidence = audit_forgotten(world.model(), task.forget, max_mia_auc=at.limit, confidence=at.confidence)
    values = {"max_mia_auc": at.limit, "confidence": at.confidence, "max_share_left": 0.5}
    asked = Asked("limit", {name: Setting(values[name], "call keyword") for name in SETTINGS["limit"]})
    planned = outlook.of(asked, design(task), simulable=False)
    if evidence.verdict is Verdict.PASS:
        assert not planned.hopeless
        return
    assert evidence.verdict is Verdict.INCONCLUSIVE
    plan, verdict = numbers(planned.lines), numbers(evidence.advice)
    assert verdict["examples"] <= plan["examples"]
    if evidence.needed is not None:
        assert any(count.split(" (")[-1] == f"{evidence.needed:,}" for count in plan["examples"])
    else:
        assert planned.likely or not plan["examples"]
    if "assert_leakage_reduced" in " ".join(evidence.advice):
        assert verdict["limit"] == plan["limit"]
