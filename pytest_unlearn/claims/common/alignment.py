"""Alignment: whether answers are in the order of examples and labels."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pytest_unlearn.attacks.signals import answered, correctness
from pytest_unlearn.claims.common.advice import HOW_HARD, OUT_OF_ORDER
from pytest_unlearn.claims.common.verdict import Objection, doubt, invalid
from pytest_unlearn.core.evidence import Answers, IntArray, Outputs
from pytest_unlearn.models.adapters import SavedOutputs, is_estimator, is_module

AT_CHANCE = 3.0  # standard errors that guesses lie around what they get right on average
ABOVE_CHANCE = 5.0  # standard errors that comparable models lie above it at least
NEAR_CHANCE = 1 / 3  # of the way to what these get right, at most: a poor draw of an honest model lies nearer to them
SURELY_BELOW = 5.0  # standard errors that a model others are judged by lies below its peers, so as to be accused
WHERE = {"forget": "the forget set", "controls": "the controls"}
RESTORED = 0.8  # of what comparable models get right beyond chance, got right in another order


def misaligned(model: Any, target: Answers, comparable: Sequence[Answers]) -> list[Objection]:
    """Return why a model's answers on forget set or controls may be in another order."""
    sides = {
        "the forget set": (target.forget, [answers.forget for answers in comparable]),
        "the controls": (target.controls, [answers.controls for answers in comparable]),
    }
    return misaligned_views(model, sides)


def misaligned_beside_original(
    model: Any, target: Answers, original: Answers, removed: Callable[[], IntArray] | None = None
) -> list[Objection]:
    """Return why answers may be in another order, going by the original alone.

    It trained on the forget set, where an honest model may guess: on a hard request, or on classes of which nothing is
    retained. So that is a doubt, and certain are only controls of other classes. `removed` returns those classes, and
    is called only where it matters.
    """
    controls = {"the controls": (target.controls, [original.controls])}
    found = misaligned_views(model, controls)
    if found and removed is not None:
        found = misaligned_views(model, _without(controls, removed()))
    if found:
        return found
    guessed = misaligned_views(model, {"the forget set": (target.forget, [original.forget])}, columns=False)
    return [doubt(f"{one.reasons[0]}, unless this request is hard", OUT_OF_ORDER, HOW_HARD) for one in guessed]


@dataclass(frozen=True, slots=True)
class Answered:
    """A model by its name in reports, and what it answers on sets, by their names.

    Sets are "forget" and "controls", or called as a view is.
    """

    name: str
    model: Any
    sets: Mapping[str, Outputs]

    @staticmethod
    def of(name: str, model: Any, answers: Answers) -> Answered:
        """Name a model that was asked about forget set and controls."""
        return Answered(name, model, {"forget": answers.forget, "controls": answers.controls})


def misaligned_others(
    audited: Answered,
    original: Answered | None,
    references: Sequence[Answered],
    *,
    unseen: Collection[str],
    removed: Callable[[], IntArray] | None = None,
) -> list[Objection]:
    """Return why original or retrained models may be in another order.

    Each is held to the other retrained models. On sets that were `unseen` by all, retrained models are held to the
    original too, or to the audited model where there is none: of what only these saw, they may well know more. That
    goes for classes of which nothing is retained as well: `removed` returns them, and is called only where it matters,
    since it reads the labels of what is retained.
    """
    informed = original or audited
    found: list[Objection] = []
    for one in (*([original] if original is not None else []), *references):
        peers = [other for other in references if other is not one]
        beside = informed if one is not original else audited if not references else None
        sides = {name: (one.sets[name], [peer.sets[name] for peer in peers]) for name in one.sets}
        knowing = {} if beside is None else {name: (one.sets[name], [beside.sets[name]]) for name in unseen}
        said = _views_of(one, sides) or _views_of(one, knowing)
        if said and removed is not None:
            said = _views_of(one, sides) or _views_of(one, _without(knowing, removed()))
        found += said[:1]
    together = tuple(reason for one in found for reason in one.reasons)
    return [replace(found[0], reasons=together)] if found else []


def _without(
    sides: Mapping[str, tuple[Outputs, Sequence[Outputs]]], classes: IntArray
) -> dict[str, tuple[Outputs, Sequence[Outputs]]]:
    """Leave out examples of some classes, and sets of which nothing is left."""

    def known(outputs: Outputs) -> Outputs:
        rows = ~np.isin(outputs.labels, classes)
        return outputs.take(rows)

    fewer = {name: (known(ours), [known(one) for one in theirs]) for name, (ours, theirs) in sides.items()}
    return {name: side for name, side in fewer.items() if len(side[0].labels)}


def _views_of(one: Answered, sides: Mapping[str, tuple[Outputs, Sequence[Outputs]]]) -> list[Objection]:
    files = one.model.files if isinstance(one.model, SavedOutputs) else {}
    shown = {WHERE.get(name, f"the {name} examples"): name for name in sides}
    named = {where: f"{one.name} ({files[name].name})" if name in files else one.name for where, name in shown.items()}
    return misaligned_views(one.model, {where: sides[name] for where, name in shown.items()}, called=named)


def misaligned_views(
    model: Any,
    sides: Mapping[str, tuple[Outputs, Sequence[Outputs]]],
    *,
    columns: bool = True,
    called: Mapping[str, str] | None = None,
) -> list[Objection]:
    """Return why answers may be in another order than examples or labels.

    Such a model guesses where comparable models are right, and is as right as they are once its rows, or on all sets
    its columns, are rearranged. Neither what it remembers nor that it forgot can be read from it. Rows of a module or
    an estimator are in order, since it was asked about the examples themselves: one that guesses was made to.

    Args:
        model: the model, of any kind.
        sides: by what it is called, a set's answers of the model, and those of comparable models.
        columns: whether to look at columns too; of use a model with permuted columns is surely not.
        called: what to call the model, by set, if it is not the audited one; weak ones are then given more room.
    """
    below = SURELY_BELOW if called else 0.0
    tables = {where: _Table.of(ours, theirs, below) for where, (ours, theirs) in sides.items() if theirs}
    who = called or dict.fromkeys(tables, "the model")
    if columns and tables and all(table.permuted for table in tables.values()):
        where, table = next(iter(tables.items()))
        return [_objection(table, where, who[where], "columns", table.with_columns)]
    if is_module(model) or is_estimator(model):
        return []
    shuffled = [(where, table) for where, table in tables.items() if table.shuffled]
    return [_objection(table, where, who[where], "rows", table.with_rows) for where, table in shuffled[:1]]


def _objection(table: _Table, where: str, who: str, what: str, otherwise: float) -> Objection:
    return invalid(
        f"outputs misaligned? on {where} {who} is right on {table.right:.1%}, where chance gives "
        f"{table.chance:.1%} and comparable models are right on {table.usual:.1%}; with its {what} in another order it "
        f"would be right on {otherwise:.1%}",
        OUT_OF_ORDER,
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """Shares right on a set: of the model, of comparable models, and otherwise.

    By chance with its standard error, and with rows or columns in the best order. `several` says that the set has more
    than one label, `below` how far below comparable models it is right at most, if it guesses.
    """

    right: float
    usual: float
    chance: float
    error: float
    with_rows: float
    with_columns: float
    several: bool
    below: float

    @staticmethod
    def of(outputs: Outputs, comparable: Sequence[Outputs], below: float) -> _Table:
        from scipy.optimize import linear_sum_assignment

        n, columns = len(outputs.labels), outputs.columns
        counts = np.zeros((columns, columns))
        np.add.at(counts, (outputs.labels, answered(outputs)), 1)
        labels, answers = counts.sum(axis=1) / n, counts.sum(axis=0) / n
        chance = float(labels @ answers)
        usual = float(np.mean([correctness(one).mean() for one in comparable]))
        return _Table(
            right=float(np.trace(counts)) / n,
            usual=usual,
            chance=chance,
            error=float(np.sqrt(chance * (1 - chance) / n)),
            with_rows=float(np.minimum(labels, answers).sum()),
            with_columns=float(counts[linear_sum_assignment(counts, maximize=True)].sum()) / n,
            several=int((labels > 0).sum()) > 1,
            below=usual - below * _spread(usual, n),
        )

    @property
    def permuted(self) -> bool:
        """Whether labels in another order make the model as right as others are."""
        return self._guesses and self.several and self._restored(self.with_columns)

    @property
    def shuffled(self) -> bool:
        """Whether examples in another order do; being surely wrong is no guessing."""
        return self._guesses and self.right >= self.chance - AT_CHANCE * self.error and self._restored(self.with_rows)

    @property
    def _guesses(self) -> bool:
        nearer = NEAR_CHANCE * (self.usual - self.chance)
        at_most = self.right <= min(self.below, self.chance + min(AT_CHANCE * self.error, nearer))
        return at_most and self.usual > self.chance + ABOVE_CHANCE * self.error

    def _restored(self, right: float) -> bool:
        return right - self.chance >= RESTORED * (self.usual - self.chance)


def _spread(share: float, n: int) -> float:
    """Return the standard error of a share of n, never 0 (Agresti and Coull 1998)."""
    near = (share * n + 2) / (n + 4)
    return float(np.sqrt(near * (1 - near) / (n + 4)))
