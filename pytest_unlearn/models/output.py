"""Outputs of models: which entry of an answer is judged, and on which scale it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.data.dataset import is_tensor, to_numpy

OutputKind = Literal["logits", "probabilities", "log-probabilities"]
Entry = str | int | Callable[[Any], Any] | None

PROBABILITY_FLOOR = 1e-12
FEWEST = 8  # so many answers of a single column within [0, 1] are taken for probabilities
SUM_TOLERANCE = 0.01  # of half-precision probabilities; rounded ones may be off by as much as they are rounded
PROBABLE = ("probabilities", "labels")
ROUNDING = 1e-6
BEYOND = 1e-3  # how far beyond 0 or 1 rounding may put what is called a probability


@dataclass(frozen=True, slots=True)
class Reading:
    """An entry of an answer, and the scale it is on whatever it looks like."""

    entry: Entry
    kind: OutputKind


Output = Entry | Reading


def read_as(output: Output, kind: OutputKind | None) -> Output:
    """Combine `output=` and `output_kind=` of an audit; ValueError for another kind."""
    check_output(output)
    if kind is None:
        return output
    if kind not in get_args(OutputKind):
        raise ValueError(f"output_kind must be one of {', '.join(map(repr, get_args(OutputKind)))}, not {kind!r}.")
    return Reading(entry_of(output), kind)


def check_output(output: Any) -> None:
    """Refuse an `output=` that picks nothing; TypeError."""
    named = isinstance(output, (str, int)) and not isinstance(output, bool)
    picks = callable(output) and not isinstance(output, type) and not hasattr(output, "parameters")
    if output is not None and not named and not picks and not isinstance(output, Reading):
        raise TypeError(
            f"output= is the key or position of the logits in the model's answer, or a function that picks them, not "
            f"{output!r}."
        )


def fixed(output: Output, kind: str) -> Output:
    """Fix a reading to the kind that was found, where there was a choice."""
    if isinstance(output, Reading) or kind not in (*get_args(OutputKind), "labels"):
        return output
    return Reading(output, "probabilities" if kind == "labels" else cast(OutputKind, kind))


def entry_of(output: Output) -> Entry:
    """Return the entry of an answer that holds the outputs."""
    return output.entry if isinstance(output, Reading) else output


def pick(answer: Any, output: Output) -> Any:
    """Pick the entry of a model's answer that holds the logits."""
    entry = entry_of(output)
    if callable(entry):
        return entry(answer)
    if entry is not None:
        try:
            return answer[entry]
        except (KeyError, IndexError, TypeError):
            raise ValueError(f"output={entry!r} picks nothing from the model's {_describe(answer)}.") from None
    if hasattr(answer, "logits"):
        return answer.logits
    if isinstance(answer, Mapping) and "logits" in answer:
        return answer["logits"]
    if isinstance(answer, (Mapping, tuple, list)):
        raise ValueError(f"the model returns a {_describe(answer)}; say which entry holds the logits with output=.")
    return answer


def as_rows(answer: Any, rows: int) -> FloatArray:
    """Return one row an example, shape (rows, columns), as float64.

    A model that squeezes its answer gives a single example no row of its own.

    Raises:
        ValueError: any other shape.
    """
    found = _numbers(answer)
    if rows == 1 and (found.ndim == 0 or (found.ndim == 1 and len(found) > 1)):
        return found.reshape(1, -1)
    if found.ndim == 1:
        found = found[:, None]
    if found.ndim != 2 or found.shape[1] == 0:
        raise ValueError(f"logits must have shape (examples, classes); got {found.shape}.")
    if len(found) != rows:
        raise ValueError(f"the model answered {len(found)} rows for {rows} examples: one row of logits each.")
    return found


def _numbers(answer: Any) -> FloatArray:
    """Make an array of real numbers; ValueError for anything else."""
    if is_tensor(answer) and answer.is_sparse:
        answer = answer.to_dense()
    if answer is None:
        raise ValueError("the model answers with None (is a `return` missing?): it must return logits.")
    try:
        found = to_numpy(answer.double() if is_tensor(answer) and not answer.is_complex() else answer)
        found = found.astype(np.float64) if found.dtype == object else found
    except (TypeError, ValueError, RuntimeError):
        found = np.empty(0, dtype=object)
    if found.dtype.kind not in "iubf":
        what = {"c": "complex numbers", "U": "text", "S": "text"}.get(found.dtype.kind) or _describe(answer)
        raise ValueError(f"the model answers with {what}: logits are real numbers, of shape (examples, classes).")
    return np.asarray(found, dtype=np.float64)


def kind_of(rows: FloatArray) -> OutputKind | Literal["labels"]:
    """Tell from a model's answers, shape (examples, columns), what they are.

    A single column wholly within [0, 1] is the probability of class 1; several that lie there and sum to 1 are
    probabilities, and labels where each is 0 or 1; several at most 0 whose exponentials sum to 1 are
    log-probabilities. Everything else is logits.
    """
    if np.isnan(rows).any() or np.isposinf(rows).any():
        return "logits"
    columns = rows.shape[1]
    if within_one(rows):
        share = np.abs(rows.sum(axis=1) - 1) <= SUM_TOLERANCE + columns * _rounding(rows)
        if share.all() if columns > 1 else len(rows) >= FEWEST:
            return "labels" if np.isin(rows, (0, 1)).all() else "probabilities"
    elif columns > 1 and rows.max() <= ROUNDING and (np.abs(np.logaddexp.reduce(rows, axis=1)) <= SUM_TOLERANCE).all():
        return "log-probabilities"
    return "logits"


def within_one(rows: FloatArray) -> bool:
    """Whether all of a model's answers may be probabilities by their range."""
    return bool(rows.min() >= 0 and rows.max() <= 1 + ROUNDING)


def as_logits(rows: FloatArray, kind: str) -> FloatArray:
    """Return the logits of rows of a kind, with a column for each of two classes.

    A probability of 0, and a logarithm of it, is floored: at 1e-12, or below what else its row has.

    Raises:
        ValueError: rows that cannot be of that kind.
    """
    if kind in PROBABLE:
        _check_range(rows, 0.0, 1.0, kind)
        if rows.shape[1] == 1:
            rows = np.concatenate([1 - rows, rows], axis=1)
        return np.asarray(np.log(np.maximum(rows, PROBABILITY_FLOOR)))  # NaN stays NaN, and is refused later
    if kind == "log-probabilities":
        _check_range(rows, -np.inf, 0.0, kind)
        if rows.shape[1] == 1:
            rest = np.log(np.maximum(-np.expm1(np.minimum(rows, 0)), PROBABILITY_FLOOR))
            rows = np.concatenate([rest, rows], axis=1)
        finite = np.where(np.isneginf(rows), np.inf, rows).min(axis=1, keepdims=True)
        return np.where(np.isneginf(rows), np.minimum(finite, np.log(PROBABILITY_FLOOR)), rows)
    if rows.shape[1] == 1:  # one logit: the log-odds of class 1
        return np.concatenate([np.zeros_like(rows), rows], axis=1)
    return rows


def tensor_logits(answer: Any, kind: str) -> Any:
    """Return the logits of a tensor of a kind, differentiably; one column stays one."""
    if kind not in (*PROBABLE, "log-probabilities"):
        return answer
    single = answer.ndim == 1 or answer.shape[1] == 1
    if kind == "log-probabilities":
        return answer - (-answer.expm1()).clamp_min(PROBABILITY_FLOOR).log() if single else answer
    own = answer.clamp_min(PROBABILITY_FLOOR).log()
    return own - (1 - answer).clamp_min(PROBABILITY_FLOOR).log() if single else own


def check_alike(kinds: Iterable[tuple[str, str]]) -> None:
    """Raise ValueError where (name, kind) of models of one audit mix scales."""
    first: dict[bool, str] = {}
    for name, kind in kinds:
        if kind in get_args(OutputKind):
            first.setdefault(kind == "probabilities", name)
    if len(first) > 1:
        raise ValueError(
            f"{first[True]} answers probabilities and {first[False]} answers logits, to judge by their values: what is "
            'on two scales cannot be compared. Say which it is with output_kind="logits", "probabilities" or '
            '"log-probabilities", or hand over models that all answer in one way.'
        )


def _rounding(rows: FloatArray) -> float:
    """Return half the last decimal that rows are rounded to, 0 if they are not."""
    for decimals in range(5):
        if np.abs(rows - rows.round(decimals)).max() < ROUNDING:
            return 0.5 * 10.0**-decimals if decimals else 0.0
    return 0.0


def _check_range(rows: FloatArray, lowest: float, highest: float, kind: str) -> None:
    if (rows < lowest - BEYOND).any() or (rows > highest + BEYOND).any():
        raise ValueError(
            f"the model's answers are read as {kind}, and they range from {np.nanmin(rows):.4g} to "
            f'{np.nanmax(rows):.4g}: say with output_kind= what they are ("logits", "probabilities", '
            '"log-probabilities").'
        )


def _describe(answer: Any) -> str:
    if isinstance(answer, Mapping):
        return f"dict with keys {sorted(map(str, answer))}"
    if isinstance(answer, (tuple, list)):
        return f"{type(answer).__name__} of {len(answer)}"
    return type(answer).__name__
