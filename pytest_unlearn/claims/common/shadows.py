"""Train and ask the shadow models of an audit, alike on both of its sides.

They are trained on retain and on halves of the forget set and as many controls as the training set bears. Controls
that no shadow model saw cannot be compared with what it shows; they are the scale on which answers are read, and still
what a model is checked by.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.attacks.online import LEAST_MODELS, Shadows, draw_halves
from pytest_unlearn.claims.common.certify import Shadowed
from pytest_unlearn.claims.common.inputs import AuditInputs
from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.data.view import View, joined
from pytest_unlearn.models.adapters import SavedOutputs
from pytest_unlearn.task import UnlearningTask
from pytest_unlearn.training import Job

ONLINE = "online"
FEWEST_EACH = 2  # controls a forget example, below which an interval is wider than sharper attacks make up for
CONTROLS_EACH = 3  # controls a forget example: more hardly narrow an interval, and dilute what is trained
MORE_DATA = 0.2  # controls beyond the forget set's number, as a share of the training set, of which half is trained on
SCALE = 100  # controls that are left as a scale, where there are so many
FEWEST = 4  # units of deletion, of which halves can be drawn in different ways


def asks_online(attacks: Any) -> tuple[bool, Any]:
    """Tell whether online attacks are asked for, and which others are."""
    if isinstance(attacks, str):
        return (True, "standard") if attacks == ONLINE else (False, attacks)
    if not isinstance(attacks, Iterable):
        return False, attacks
    attacks = list(attacks)
    others = [one for one in attacks if one != ONLINE]
    return len(others) < len(attacks), others or ("standard" if attacks else attacks)


def check_online(model: Any, forget: View, *, given: bool) -> None:
    """Refuse online attacks where no shadow model can be trained, before anything is.

    Args:
        model: the audited model.
        forget: the forget view.
        given: whether controls, original or references were passed to the audit beside the task's.

    Raises:
        ValueError: with what is lacking.
    """
    if why := _lacking(model, forget, given):
        raise ValueError(f'attacks="{ONLINE}" trains models with the request: {why}')


def _lacking(model: Any, forget: View, given: bool) -> str:
    task = forget.task
    if isinstance(model, SavedOutputs):
        return "saved outputs come without a recipe to train them by; leave attacks= out."
    if task is None or task.recipe is None:
        return "give an UnlearningTask a recipe and pass its forget view, or leave attacks= out."
    if given:
        return (
            "it needs the task's own controls, original and references: leave out those that were passed, or attacks=."
        )
    if not task.has_references:
        return "it needs references as well, which say what a model retrained without it shows: leave references=0 out."
    if task.shadow_models < LEAST_MODELS:
        return (
            f"shadow_models={task.shadow_models} are too few for two that saw an example and two that did not: ask for "
            f"{LEAST_MODELS} or more."
        )
    if _distinct(_pairing(task).units(len(task.forget), len(task.controls)), len(task.forget)) < FEWEST:
        return f"halves of it cannot be drawn, with fewer than {FEWEST} units of deletion: leave attacks= out."
    return ""


def _pairing(task: UnlearningTask) -> Pairing:
    groups, owners = task.split.groups, task.split.control_groups
    return Pairing(
        forget_groups=None if groups is None else groups[task.forget.indices],
        control_groups=None if owners is None else owners[task.controls.indices],
    )


def _distinct(units: IntArray | None, n_forget: int) -> int:
    return n_forget if units is None else len(np.unique(units[:n_forget]))


def with_shadows(inputs: AuditInputs) -> AuditInputs:
    """Train or fetch shadow models, and narrow an audit to what they can judge."""
    assert inputs.task is not None
    if inputs.matched is not None:
        raise ValueError(
            f'attacks="{ONLINE}" draws halves of the request and of controls by chance, which needs no match='
            f'{inputs.match!r}: pass match="class" or None, or leave attacks= out.'
        )
    chosen, included, parts = _draw(inputs)
    compared = replace(inputs, whole=inputs, compared=chosen, pairing=inputs.pairing.among_controls(chosen))
    answers = [compared.answers(model) for model in inputs.task.train_shadows(parts)]
    return replace(compared, shadows=Shadows(answers=answers, included=included))


def shadow_jobs(inputs: AuditInputs) -> list[Job]:
    """List the trainings of an audit's shadow models; it trains nothing."""
    assert inputs.task is not None
    return inputs.task.shadow_jobs(_draw(inputs)[2])


def could_be_shadowed(inputs: AuditInputs) -> Shadowed | None:
    """Say what online attacks would take; None where they cannot be run, or were."""
    task = inputs.task
    if (
        task is None
        or inputs.shadows is not None
        or inputs.matched is not None
        or _lacking(None, inputs.forget, given=False)
    ):
        return None
    chosen = _chosen(inputs, task)
    helps = len(inputs.controls) - len(chosen) >= SCALE and len(chosen) >= FEWEST_EACH * len(inputs.forget)
    return Shadowed(task.shadow_models, len(chosen), helps)


def _draw(inputs: AuditInputs) -> tuple[IntArray, NDArray[np.bool_], list[View]]:
    """Draw the controls that are compared, which model is trained on what, and the training sets."""
    task, n_forget = inputs.task, len(inputs.forget)
    assert task is not None
    chosen = _chosen(inputs, task)
    units = inputs.pairing.among_controls(chosen).units(n_forget, len(chosen))
    rng = np.random.default_rng(task.seed)
    included = draw_halves(np.arange(n_forget + len(chosen)) if units is None else units, task.shadow_models, rng)
    return chosen, included, [_training_set(task, chosen, half[:n_forget], half[n_forget:]) for half in included]


def _chosen(inputs: AuditInputs, task: UnlearningTask) -> IntArray:
    sizes = len(inputs.forget), len(inputs.controls), len(task.split.train)
    return choose_controls(inputs.pairing, *sizes, task.seed)


def _training_set(task: UnlearningTask, chosen: IntArray, forget: Any, controls: Any) -> View:
    """Put retain and a half of the others together; what a model is not trained on it cannot even see."""
    parts = [
        task.retain,
        View("forget", task.forget.examples, task.forget.indices[forget]),
        View("controls", task.controls.examples, task.controls.indices[chosen[controls]]),
    ]
    examples = joined([part for part in parts if len(part)], "train")
    return View("train", examples, np.arange(len(examples), dtype=np.int64))


def choose_controls(pairing: Pairing, n_forget: int, n_controls: int, n_train: int, seed: int) -> IntArray:
    """Choose the controls to train on, in the forget set's mix of classes.

    Args:
        pairing: the examples that may be compared; units are chosen as a whole.
        n_forget: forget examples.
        n_controls: controls there are.
        n_train: training examples, of which a model is trained on at most a tenth more.
        seed: of the choice.

    Returns:
        Positions among the controls, in order.
    """
    most = min(CONTROLS_EACH * n_forget, n_forget + int(MORE_DATA * n_train), n_controls)
    if n_controls >= n_forget + SCALE:
        most = min(most, n_controls - SCALE)
    whose = pairing.control_groups if pairing.control_groups is not None else np.arange(n_controls)
    strata = pairing.control_strata if pairing.control_strata is not None else np.zeros(n_controls, dtype=np.int64)
    asked = pairing.forget_strata if pairing.forget_strata is not None else np.zeros(n_forget, dtype=np.int64)
    wanted = {
        label: max(1, round(count * most / n_forget))
        for label, count in zip(*np.unique(asked, return_counts=True), strict=True)
    }
    chosen: list[int] = []
    order = np.argsort(np.random.default_rng(seed).permutation(int(whose.max()) + 1)[whose], kind="stable")
    for unit in np.split(order, np.flatnonzero(np.diff(whose[order])) + 1):
        if any(wanted.get(label, 0) > 0 for label in strata[unit].tolist()):
            chosen += unit.tolist()
            for label in strata[unit].tolist():
                wanted[label] = wanted.get(label, 0) - 1
    return np.sort(np.array(chosen, dtype=np.int64))
