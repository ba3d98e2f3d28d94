"""Read the per-item log-likelihoods that lm-eval writes (`samples_*.jsonl`).

What a model elsewhere answered, as plain records: `lm_eval --log_samples --output_path DIR` writes a line an item, and
this reads it. No number in it is recomputed, and none is a verdict.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.core.files import read_file
from pytest_unlearn.core.text import printable, shortened

FIELDS = ("doc_id", "doc", "target", "arguments", "filtered_resps")
HASHES = ("doc_hash", "prompt_hash", "target_hash")
_GREEDY = {True: True, False: False, "True": True, "False": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class LmEvalItem:
    """Hold one item: what was asked, and how likely each continuation was.

    `log_likelihoods` are natural logarithms of the probability of each continuation after its context, summed over
    tokens; `greedy` tells which of them greedy decoding would have said. `target` is the number of the right choice, or
    its text, as lm-eval wrote it; `hashes` are those of document, prompt and target.
    """

    id: int
    contexts: tuple[str, ...]
    continuations: tuple[str, ...]
    log_likelihoods: tuple[float, ...]
    greedy: tuple[bool, ...]
    target: str
    document: Mapping[str, Any]
    hashes: tuple[str, ...]

    @property
    def answer(self) -> int:
        """The number of the right choice, from 0.

        Raises:
            ValueError: a target that names none of the choices, or one by its number and another by its text.
        """
        texts = [text.strip() for text in self.continuations]
        by_text = texts.index(self.target.strip()) if texts.count(self.target.strip()) == 1 else None
        by_number = int(self.target) if self.target.isdecimal() and int(self.target) < len(texts) else None
        found = {place for place in (by_text, by_number) if place is not None}
        if len(found) != 1:
            why = "names two choices, by number and by text" if found else "names none of the choices"
            raise ValueError(f"item {self.id}: the target {shortened(printable(self.target))!r} {why}.")
        return found.pop()


@dataclass(frozen=True, slots=True, kw_only=True)
class LmEvalSamples:
    """Hold the items of one file, in the order of their numbers."""

    name: str
    items: tuple[LmEvalItem, ...]

    @property
    def log_likelihoods(self) -> FloatArray:
        """Those of every item, (items, choices).

        Raises:
            ValueError: items with other numbers of choices.
        """
        counts = sorted({len(item.log_likelihoods) for item in self.items})
        if len(counts) > 1:
            raise ValueError(f"{self.name} has items of {counts[0]} and of {counts[-1]} choices: take them one by one.")
        return np.array([item.log_likelihoods for item in self.items])

    @property
    def answers(self) -> IntArray:
        """The number of the right choice of every item, (items,), from 0."""
        return np.array([item.answer for item in self.items], dtype=np.int64)

    @property
    def right(self) -> FloatArray:
        """1 where the right choice is the most likely, 1/k where k tie, (items,).

        Of one continuation an item: 1 where greedy decoding says it. (lm-eval gives ties to the first choice.)
        """
        values = np.zeros(len(self.items))
        for row, item in enumerate(self.items):
            scores = np.array(item.log_likelihoods)
            best = scores == scores.max()
            values[row] = best[item.answer] / best.sum() if len(scores) > 1 else float(item.greedy[0])
        return values

    @property
    def probabilities(self) -> FloatArray:
        """That of the right choice among all choices, (items,).

        Of one continuation an item: its own probability.
        """
        found = np.zeros(len(self.items))
        for row, item in enumerate(self.items):
            scores = np.array(item.log_likelihoods)
            weights = np.exp(scores - (scores.max() if len(scores) > 1 else 0.0))
            found[row] = weights[item.answer] / weights.sum() if len(scores) > 1 else min(1.0, float(weights[0]))
        return found


def read_lm_eval_samples(path: str | Path, *, filter: str | None = None) -> LmEvalSamples:  # noqa: A002
    """Read a file of `multiple_choice` or `loglikelihood` items.

    Args:
        path: `samples_<task>_<time>.jsonl`.
        filter: the name of lm-eval's filter whose responses are taken; needed where the file has several.

    Returns:
        Its items, sorted by number.

    Raises:
        FileNotFoundError: no such file.
        ValueError: in one sentence with file and line: no JSON, a missing field, responses that are generated text, a
            log-likelihood above 0 or not finite, an item that occurs twice (lm-eval appends to a file that is there).
    """
    file, found = Path(path), dict[str, dict[int, LmEvalItem]]()
    name = printable(file.name)
    # not splitlines: lm-eval leaves other separators of lines in its texts as they are
    for number, line in enumerate(read_file(file).split(b"\n"), start=1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        try:
            sample = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"{where} is no JSON: pass a file that lm-eval wrote with --log_samples.") from error
        if not isinstance(sample, dict) or not all(field in sample for field in FIELDS):
            missing = [name for name in FIELDS if not isinstance(sample, dict) or name not in sample]
            raise ValueError(f"{where} has no {missing[0]}: pass a file that lm-eval wrote with --log_samples.")
        item, items = _item(sample, where), found.setdefault(printable(str(sample.get("filter", "none"))), {})
        if item.id in items:
            raise ValueError(f"{where} has item {item.id} a second time: lm-eval appended a run to another.")
        items[item.id] = item
    if not found:
        raise ValueError(f"{name} has no item: pass a file that lm-eval wrote with --log_samples.")
    if len(found) > 1 and filter is None:
        raise ValueError(f"{name} has the filters {', '.join(sorted(found))}: name one as filter=.")
    if filter is not None and filter not in found:
        raise ValueError(f"{name} has no item of the filter {filter}, only of {', '.join(sorted(found))}.")
    items = found[filter] if filter is not None else next(iter(found.values()))
    return LmEvalSamples(name=name, items=tuple(items[key] for key in sorted(items)))


def same_items(samples: Sequence[LmEvalSamples]) -> tuple[LmEvalSamples, ...]:
    """Check that several models were asked the same, item by item.

    Returns:
        The samples as they are, whose rows then belong together.

    Raises:
        ValueError: an item that one has and another has not, or whose document, prompt or target is another.
    """
    first = samples[0]
    for other in samples[1:]:
        ours, theirs = ({item.id: item for item in one.items} for one in (first, other))
        alone = sorted(set(ours) ^ set(theirs))
        if alone:
            raise ValueError(f"item {alone[0]} is in one of {first.name} and {other.name} alone: ask the same items.")
        for key, item in ours.items():
            same = item.hashes == theirs[key].hashes and item.continuations == theirs[key].continuations
            if not same:
                raise ValueError(f"item {key} of {first.name} and {other.name} is not the same question.")
    return tuple(samples)


def _item(sample: Mapping[str, Any], where: str) -> LmEvalItem:
    """Make a record of one line."""
    asked, answered = _arguments(sample["arguments"], where), sample["filtered_resps"]
    if not isinstance(answered, list) or len(answered) != len(asked) or not asked:
        raise ValueError(f"{where} has {len(asked)} requests and other numbers of responses.")
    if "acc_mutual_info" in sample and len(asked) % 2 == 0:  # the second half are the choices without the question
        asked, answered = asked[: len(asked) // 2], answered[: len(asked) // 2]
    pairs = [_response(one, where) for one in answered]
    if isinstance(sample["doc_id"], bool) or not isinstance(sample["doc_id"], int):
        raise ValueError(f"{where} has the doc_id {sample['doc_id']!r}, which is no whole number.")
    return LmEvalItem(
        id=sample["doc_id"],
        contexts=tuple(context for context, _ in asked),
        continuations=tuple(continuation for _, continuation in asked),
        log_likelihoods=tuple(value for value, _ in pairs),
        greedy=tuple(greedy for _, greedy in pairs),
        target=str(sample["target"]),
        document=sample["doc"] if isinstance(sample["doc"], dict) else {},
        hashes=tuple(str(sample.get(name, "")) for name in HASHES),
    )


def _arguments(given: Any, where: str) -> list[tuple[str, str]]:
    """Read contexts and continuations, as written since 2024 and before."""
    requests = given
    if isinstance(given, dict):
        requests = [
            [given[f"gen_args_{k}"][f"arg_{i}"] for i in range(len(given[f"gen_args_{k}"]))]
            for k in range(len(given))
            if isinstance(given.get(f"gen_args_{k}"), dict)
        ]
    if not isinstance(requests, list) or not all(
        isinstance(one, list) and len(one) == 2 and all(isinstance(text, str) for text in one) for one in requests
    ):
        raise ValueError(
            f"{where} asks for no continuation of a context: output_type must be multiple_choice or loglikelihood."
        )
    return [(one[0], one[1]) for one in requests]


def _response(given: Any, where: str) -> tuple[float, bool]:
    """Read a log-likelihood, and whether the continuation is the greedy one."""
    value, greedy = given if isinstance(given, list) and len(given) == 2 else (None, None)
    try:
        number = float(value)  # type: ignore[arg-type]
        is_greedy = _GREEDY[greedy]
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(
            f"{where} has the response {shortened(printable(str(given)))!r} and no log-likelihood: output_type must be "
            "multiple_choice or loglikelihood."
        ) from error
    if not math.isfinite(number) or number > 1e-6:
        raise ValueError(f"{where} has the log-likelihood {number}, which no model can give.")
    return number, is_greedy
