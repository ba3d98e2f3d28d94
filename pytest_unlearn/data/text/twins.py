"""Counterfactual twins: documents with other names and numbers in the same words.

A twin was never trained on and is as long and as hard as its document, but for the names and numbers, which are drawn
anew. It stands in for a control where no document was held out before training.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pytest_unlearn.core.arguments import whole_number
from pytest_unlearn.core.text import some
from pytest_unlearn.data.text.documents import read_document

NUMBER = re.compile(r"\d+")
NAME = re.compile(r"(?<!^)(?<![.!?:\"'(]\s)(?<![.!?:\"'(])\b[A-Z][a-z]+\b")
LEAST_NAMES = 2


def counterfactual_twins(documents: Any, *, names: Iterable[str] | None = None, seed: int = 0) -> list[Any]:
    """Swap the names and numbers of documents for others.

    Each number becomes another of as many digits, each name another of the list, the same one throughout a document. Of
    a prompt with its completion, and of a chat, the answer alone is changed: what a model is asked stays what it was.

    Args:
        documents: those of the request, in a list: strings, mappings with `prompt` and `completion`, or chats.
        names: words or phrases that are exchanged for each other; by default every capitalised word of the documents
            that begins no sentence.
        seed: of the draws.

    Returns:
        A twin of each document, in its form and in order, for `audit_text_forgotten(twins=)`. What they can show, and
        what not, is said there.

    Raises:
        TypeError: no documents, or token ids, in which nothing is a name.
        ValueError: a document without a name or number to swap, or fewer than two names.

    Source: ours; with its paired test in `attacks/text/twins.py`.
    """
    whole_number(seed, "seed", 0)
    given = [documents[k] for k in range(len(documents))]
    answers = [_answer(one, f"documents[{k}]") for k, one in enumerate(given)]
    known = sorted({name for text in answers for name in NAME.findall(text)} if names is None else set(names))
    if names is not None and len(known) < LEAST_NAMES:
        raise ValueError("names= holds fewer than two names: there is none to swap one for.")
    pattern = (
        re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(known, key=len, reverse=True)))})\b") if known else None
    )
    rng = np.random.default_rng(seed)
    changed = [_swapped(text, known, NAME if names is None else pattern, rng) for text in answers]
    same = [k for k, (text, twin) in enumerate(zip(answers, changed, strict=True)) if text == twin]
    if same:
        raise ValueError(
            f"documents {some(list(map(str, same)))} hold no name or number to swap: leave them out, or pass names=."
        )
    return [_with_answer(one, twin) for one, twin in zip(given, changed, strict=True)]


def _answer(given: Any, where: str) -> str:
    """Return what of a document is scored, as text."""
    document = read_document(given, where)
    if document.kind == "ids":
        raise TypeError(f"{where} is a list of token ids, in which nothing is a name: pass text.")
    return document.messages[-1]["content"] if document.kind == "chat" else str(document.parts[-1])


def _with_answer(given: Any, answer: str) -> Any:
    """Put another answer into a document of any form."""
    if isinstance(given, str):
        return answer
    if not isinstance(given, Mapping):
        return [*given[:-1], {**given[-1], "content": answer}]
    if "messages" in given:
        return {**given, "messages": _with_answer(given["messages"], answer)}
    return {**given, ("completion" if "completion" in given else "text"): answer}


def _swapped(text: str, names: Sequence[str], pattern: re.Pattern[str] | None, rng: np.random.Generator) -> str:
    chosen: dict[str, str] = {}

    def once(draw: Callable[[str], str]) -> Callable[[re.Match[str]], str]:
        return lambda found: chosen.setdefault(found[0], draw(found[0]))

    def other_name(name: str) -> str:
        others = [one for one in names if one != name and one not in chosen.values()] or [
            one for one in names if one != name
        ]
        return others[int(rng.integers(len(others)))] if others else name

    swapped = text if pattern is None else pattern.sub(once(other_name), text)
    return NUMBER.sub(once(lambda number: _other_number(number, rng)), swapped)


def _other_number(number: str, rng: np.random.Generator) -> str:
    """Draw another number of as many digits, which begins with a zero only where this one does."""
    least = 0 if number[0] == "0" or len(number) == 1 else 1
    while True:
        digits = [str(int(rng.integers(least if k == 0 else 0, 10))) for k in range(len(number))]
        if "".join(digits) != number:
            return "".join(digits)
