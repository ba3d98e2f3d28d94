"""The judged tables: each is a list of cells, a function that measures one, and a rule over all of them.

Every cell is a seed or a draw, 0, 1, 2, ...; all of them are reported.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn import EstimatorRecipe, Evidence, Split, UnlearningTask, audit_forgotten, audit_utility
from tests.worlds import real as worlds
from tests.worlds.cheats import Clipped, LabelsOnly, Rounded
from tests.worlds.simulated import World, split
from tools.judged.attacks import attacks, attacks_rule
from tools.judged.intervals import CELLS as INTERVAL_CELLS
from tools.judged.intervals import intervals, intervals_rule
from tools.judged.joint import CELLS as JOINT_CELLS
from tools.judged.joint import joint, joint_rule
from tools.judged.null_calibration import CELLS as NULL_CELLS
from tools.judged.null_calibration import calibration_rule, null_calibration
from tools.judged.reduction import CELLS as REDUCTION_CELLS
from tools.judged.reduction import reduction, reduction_rule
from tools.judged.stress import retraining_rule, search_retraining, search_weaknesses, weaknesses_rule
from tools.judged.text import CELLS as TEXT_CELLS
from tools.judged.text import text, text_rule
from tools.judged.text_parts import CELLS as PART_CELLS
from tools.judged.text_parts import text_parts, text_parts_rule
from unlearners import ExactInputMask, FineTune, TemperatureFlattening

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A judged table. `rule` turns all rows into (statement, holds) pairs."""

    name: str
    title: str
    cells: Sequence[int]
    measure: Callable[[int], Row]
    rule: Callable[[list[Row]], list[tuple[str, bool]]]


def shown(evidence: Evidence) -> str:
    """`PASS .512 [.494, .533]`."""
    e = evidence.estimate
    label = f" ({evidence.label})" if evidence.label else ""
    return f"{evidence.verdict}{label} {e.value:.3f} [{e.low:.3f}, {e.high:.3f}]"


def task(split: Split, recipe: Any, **kwargs: Any) -> UnlearningTask:
    """A task whose models are kept nowhere: a judged table is measured from scratch."""
    return UnlearningTask(split, recipe, cache_dir=tempfile.mkdtemp(), **kwargs)


def count(rows: list[Row], key: str, *verdicts: str) -> int:
    """How many rows have one of these verdicts under a key (a list counts each entry)."""
    entries = [entry for row in rows for entry in (row[key] if isinstance(row[key], list) else [row[key]])]
    return sum(entry.split()[0] in verdicts for entry in entries)


def fashion(draw: int, retrains: int = 10) -> Row:
    """Fashion-MNIST, MLP 784-256-10, 2,600 train / 600 forget, 10,000 controls, 4 references, limit .55."""
    world = task(worlds.fashion_split(draw), worlds.FASHION_RECIPE)
    original = world.original
    mask, flattening = ExactInputMask(), TemperatureFlattening(temperature=20)
    models = {
        "original": original,
        "fine-tune 5 epochs": FineTune(epochs=5)(original, world.retain, world.forget, seed=0),
        "exact-input mask": mask(original, world.retain, world.forget, seed=0),
        "logits / 20": flattening(original, world.retain, world.forget, seed=0),
        **{f"logits clipped at {bound:g}": Clipped(original, bound) for bound in (1, 3, 5, 10)},
        "labels only": LabelsOnly(original),
        "probabilities rounded to 2 digits": Rounded(original, 2),
    }
    row: Row = {name: shown(audit_forgotten(model, world.forget, max_mia_auc=0.55)) for name, model in models.items()}
    fresh = [worlds.FASHION_RECIPE(world.retain, seed=seed) for seed in range(retrains)]
    row["retrain"] = [shown(audit_forgotten(model, world.forget, max_mia_auc=0.55)) for model in fresh]
    return row


def fashion_rule(rows: list[Row]) -> list[tuple[str, bool]]:
    passed, failed = count(rows, "retrain", "PASS"), count(rows, "retrain", "FAIL")
    statements = [(f"fresh retrains that PASS: {passed} of 40 (at least 36)", passed >= 36)]
    statements.append((f"fresh retrains that FAIL: {failed} of 40 (none)", failed == 0))
    for name in rows[0]:
        if name not in ("retrain", "cell"):
            passed = count(rows, name, "PASS")
            statements.append((f"{name} never passes: {passed} PASS of {len(rows)}", passed == 0))
    masks = sum("over-forgotten" in row["exact-input mask"] for row in rows)
    statements.append((f"the exact-input mask is FAIL, over-forgotten: {masks} of {len(rows)}", masks == len(rows)))
    return statements


def digits(seed: int) -> Row:
    """The digits world of the main job, limit .60."""
    example = worlds.digits_example()
    recipe = example.RECIPE
    world = task(example.digits(seed), recipe, seed=seed)
    retrain = recipe(world.retain, seed=seed)
    fine_tuned = FineTune()(world.original, world.retain, world.forget, seed=seed)
    return {
        "original": shown(audit_forgotten(world.original, world.forget, max_mia_auc=0.60)),
        "fine-tune": shown(audit_forgotten(fine_tuned, world.forget, max_mia_auc=0.60)),
        "retrain": shown(audit_forgotten(retrain, world.forget, max_mia_auc=0.60)),
        "utility of the retrain": shown(audit_utility(retrain, world.test, max_drop=0.02)),
    }


def digits_rule(rows: list[Row]) -> list[tuple[str, bool]]:
    wanted = {"original": "FAIL", "fine-tune": "FAIL", "retrain": "PASS", "utility of the retrain": "PASS"}
    n = len(rows)
    return [(f"{key} {v}: {count(rows, key, v)} of {n}", count(rows, key, v) == n) for key, v in wanted.items()]


def _sklearn_split(name: str, seed: int) -> Split:
    from sklearn import datasets

    data = getattr(datasets, f"load_{name}")()
    forget, size = (300, 900) if name == "digits" else (120, 300)
    order = np.random.default_rng(seed).permutation(len(data.target))
    X, y = data.data[order], data.target[order]
    return Split((X[:size], y[:size]), forget=np.arange(forget), test=(X[size:], y[size:]))


def forests(seed: int) -> Row:
    """Random forests without bootstrap on digits and breast cancer, limit .55."""
    from sklearn.ensemble import RandomForestClassifier

    row: Row = {}
    recipe = EstimatorRecipe(RandomForestClassifier(100, bootstrap=False, n_jobs=1))
    for name in ("digits", "breast_cancer"):
        world = task(_sklearn_split(name, seed), recipe, seed=seed)
        retrain = recipe(world.retain, seed=seed)
        row[f"{name} original"] = shown(audit_forgotten(world.original, world.forget, max_mia_auc=0.55))
        row[f"{name} retrain"] = shown(audit_forgotten(retrain, world.forget, max_mia_auc=0.55))
    return row


def forests_rule(rows: list[Row]) -> list[tuple[str, bool]]:
    n, statements = len(rows), []
    for name in ("digits", "breast_cancer"):
        caught, wronged = count(rows, f"{name} original", "FAIL"), count(rows, f"{name} retrain", "FAIL")
        statements.append((f"{name}: the original FAILs {caught} of {n}", caught == n))
        statements.append((f"{name}: a fresh retrain FAILs {wronged} of {n} (never)", wronged == 0))
    return statements


def logistic(seed: int) -> Row:
    """Logistic regression on digits: without references no power; with references bootstraps are used."""
    from sklearn.linear_model import LogisticRegression

    recipe = EstimatorRecipe(LogisticRegression(max_iter=2000))
    split = _sklearn_split("digits", seed)
    alone = task(split, recipe, references=0, seed=seed)
    world = task(split, recipe, seed=seed)
    retrain = recipe(world.retain, seed=seed)
    lone = audit_forgotten(alone.original, alone.forget, require_controls=False)
    return {
        "original without references": shown(lone),
        "says no power": any("not testable here" in reason for reason in lone.reasons),
        "original": shown(audit_forgotten(world.original, world.forget)),
        "retrain": shown(audit_forgotten(retrain, world.forget)),
        "bootstraps": world.bootstrapped,
    }


def logistic_rule(rows: list[Row]) -> list[tuple[str, bool]]:
    n = len(rows)
    silent = count(rows, "original without references", "INCONCLUSIVE")
    power = sum(row["says no power"] for row in rows)
    bootstraps, wronged = sum(row["bootstraps"] for row in rows), count(rows, "retrain", "FAIL")
    return [
        (
            f"without references the original is INCONCLUSIVE: {silent} of {n}, for lack of power {power}",
            silent == power == n,
        ),
        (f"references are bootstraps: {bootstraps} of {n}", bootstraps == n),
        (f"with references a retrain FAILs: {wronged} of {n} (never)", wronged == 0),
    ]


def class_forgetting(seed: int) -> Row:
    """Class forgetting, Fashion-MNIST 6,000 train, class 6; matched and mismatched controls."""
    matched = task(worlds.fashion_class_split(seed), worlds.FASHION_RECIPE, seed=seed)
    retrain = worlds.FASHION_RECIPE(matched.retain, seed=seed)
    models = {"original": matched.original, "references": matched.retrained}
    others = {
        controls: UnlearningTask(worlds.fashion_class_split(seed, controls=controls), **models)
        for controls in ("mismatched", "all")
    }
    again = worlds.FASHION_RECIPE(matched.retain, seed=seed + 100)
    return {
        "original": shown(audit_forgotten(matched.original, matched.forget)),
        "retrain": shown(audit_forgotten(retrain, matched.forget)),
        "second retrain": shown(audit_forgotten(again, matched.forget)),
        "retrain, more controls": shown(audit_forgotten(retrain, others["all"].forget)),
        "retrain, controls of other classes": shown(audit_forgotten(retrain, others["mismatched"].forget)),
    }


def class_rule(rows: list[Row]) -> list[tuple[str, bool]]:
    n, passed = len(rows), count(rows, "retrain", "PASS")
    second, more = count(rows, "second retrain", "PASS"), count(rows, "retrain, more controls", "PASS")
    wrong = sum(count(rows, key, "FAIL", "INVALID") for key in ("retrain", "second retrain", "retrain, more controls"))
    caught = count(rows, "original", "FAIL")
    invalid = count(rows, "retrain, controls of other classes", "INVALID")
    return [
        (f"a retrain PASSes: {passed} of {n} (at least 8)", passed >= 8),
        (f"a second retrain of each draw PASSes: {second} of {n} (at least 8)", second >= 8),
        (f"with the undrawn images of the class as controls too, the first one PASSes: {more} of {n}", more >= 8),
        (f"a retrain is FAIL or INVALID: {wrong} of {3 * n} (never)", wrong == 0),
        (f"the original FAILs: {caught} of {n}", caught == n),
        (f"with match=None and controls of other classes INVALID: {invalid} of {n}", invalid == n),
    ]


def coverage(case: int) -> Row:
    """One-sided 95% coverage of the logit-DeLong interval over 20,000 simulated pairs of samples."""
    from scipy.stats import norm

    from pytest_unlearn.statistics import auc_measure

    n, auc = [(n, auc) for n in (50, 200) for auc in (0.5, 0.7, 0.9)][case]
    rng = np.random.default_rng(0)
    shift = np.sqrt(2) * norm.ppf(auc)
    low = high = 0
    for _ in range(20_000):
        estimate = auc_measure(rng.normal(shift, 1, n), rng.normal(0, 1, n)).at(0.95)
        low += estimate.low <= auc
        high += estimate.high >= auc
    return {"n": n, "AUC": auc, "lower": low / 20_000, "upper": high / 20_000}


def coverage_rule(rows: list[Row]) -> list[tuple[str, bool]]:
    values = [row[side] for row in rows for side in ("lower", "upper")]
    return [(f"coverage from {min(values):.4f} to {max(values):.4f}", 0.943 <= min(values) <= max(values) <= 0.960)]


def simulated(seed: int) -> Row:
    """Simulated models of known leakage: 600 forget examples, 3,000 controls, 3 references, limit .55."""
    world = World(split(seed=seed), seed=seed)
    forget = world.task(references=3).forget
    boosts = {"forgotten": 0.0, "just beyond the limit": 0.25, "leaking": 1.5}
    return {name: shown(audit_forgotten(world.model(boost), forget)) for name, boost in boosts.items()}


def simulated_rule(rows: list[Row]) -> list[tuple[str, bool]]:
    n, ours = len(rows), [float(row["just beyond the limit"].split()[-3]) for row in rows]
    right, wrong = count(rows, "forgotten", "PASS"), count(rows, "forgotten", "FAIL", "INVALID")
    missed, caught = count(rows, "just beyond the limit", "PASS"), count(rows, "leaking", "FAIL")
    return [
        (
            f"a forgotten model PASSes {right} of {n}, and is FAIL or INVALID {wrong} of {n} (at most 1%)",
            wrong <= n / 100,
        ),
        (f"a leak of AUC {np.mean(ours):.3f} PASSes {missed} of {n} (at most 5%)", missed <= n / 20),
        (f"a leaking model FAILs {caught} of {n}", caught == n),
    ]


TABLES = (
    Table("coverage", coverage.__doc__ or "", range(6), coverage, coverage_rule),
    Table("intervals", intervals.__doc__ or "", range(len(INTERVAL_CELLS)), intervals, intervals_rule),
    Table("simulated", simulated.__doc__ or "", range(200), simulated, simulated_rule),
    Table("digits", digits.__doc__ or "", range(8), digits, digits_rule),
    Table("fashion", fashion.__doc__ or "", range(4), fashion, fashion_rule),
    Table("forests", forests.__doc__ or "", range(20), forests, forests_rule),
    Table("logistic", logistic.__doc__ or "", range(20), logistic, logistic_rule),
    Table("class_forgetting", class_forgetting.__doc__ or "", range(10), class_forgetting, class_rule),
    Table("attacks", attacks.__doc__ or "", range(10), attacks, attacks_rule),
    Table("reduction", reduction.__doc__ or "", range(len(REDUCTION_CELLS)), reduction, reduction_rule),
    Table("joint", joint.__doc__ or "", range(len(JOINT_CELLS)), joint, joint_rule),
    Table("null_calibration", null_calibration.__doc__ or "", NULL_CELLS, null_calibration, calibration_rule),
    Table("search_retraining", search_retraining.__doc__ or "", range(10), search_retraining, retraining_rule),
    Table("search_weaknesses", search_weaknesses.__doc__ or "", range(10), search_weaknesses, weaknesses_rule),
    Table("text", text.__doc__ or "", range(len(TEXT_CELLS)), text, text_rule),
    Table("text_parts", text_parts.__doc__ or "", range(len(PART_CELLS)), text_parts, text_parts_rule),
)
