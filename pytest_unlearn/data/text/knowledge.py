"""Questions on facts: multiple choice, cloze, and open ones with paraphrases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pytest_unlearn.core.evidence import FloatArray

Asked = tuple[str, str]  # a prompt, and what may follow it


class KnowledgeItem(Protocol):
    """What a claim on knowledge asks: prompts with what may follow, and their score."""

    @property
    def kind(self) -> str:
        """What kind of question it is."""

    @property
    def asked(self) -> tuple[Asked, ...]:
        """The prompts, each with one thing that may follow it."""

    def score(self, log_probabilities: FloatArray, tokens: FloatArray) -> float:
        """Turn the log-probability and the tokens of each of these into a score in [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MultipleChoice:
    """A question with choices, of which one is right.

    Its score is the probability of the right choice among the choices.

    Args:
        question: with all that a model is told before the choice.
        choices: what may follow, two or more different texts.
        answer: the number of the right one, from 0.

    Raises:
        ValueError: fewer than two choices, equal ones, or an answer that is none of them.
    """

    question: str
    choices: tuple[str, ...]
    answer: int

    def __post_init__(self) -> None:
        """Check what was given."""
        object.__setattr__(self, "choices", _texts("choices", self.choices))
        if len(set(self.choices)) < max(2, len(self.choices)):
            raise ValueError(f"choices are two or more different texts, not {self.choices!r}.")
        if isinstance(self.answer, bool) or self.answer not in range(len(self.choices)):
            raise ValueError(f"answer is {self.answer!r}: it is the number of one of {len(self.choices)} choices.")

    @property
    def kind(self) -> str:
        """What kind of question it is."""
        return "multiple choice"

    @property
    def asked(self) -> tuple[Asked, ...]:
        """The question with each choice."""
        return tuple((self.question, choice) for choice in self.choices)

    def score(self, log_probabilities: FloatArray, tokens: FloatArray) -> float:  # noqa: ARG002 - of whole choices
        """Return the probability of the right choice among all."""
        return among(log_probabilities, self.answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloze:
    """A text whose end is to be guessed.

    Its score is the probability of the right end, a token's on the geometric mean: p^(1 / tokens).

    Args:
        before: the text up to the gap.
        answer: what stands in the gap.
    """

    before: str
    answer: str

    def __post_init__(self) -> None:
        """Check what was given."""
        _texts("answer", (self.answer,))

    @property
    def kind(self) -> str:
        """What kind of question it is."""
        return "cloze"

    @property
    def asked(self) -> tuple[Asked, ...]:
        """The gap with what stands in it."""
        return ((self.before, self.answer),)

    def score(self, log_probabilities: FloatArray, tokens: FloatArray) -> float:
        """Return the probability of a token of the answer."""
        return by_token(log_probabilities, tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuestion:
    """A question in several words, with answers that are all right.

    Its score is the probability of an answer by token (TOFU's, with the geometric mean), averaged over all questions
    and answers: a model that has unlearned one wording alone still knows the others.

    Args:
        questions: the question and its paraphrases, one at least.
        answers: the right answer and its paraphrases, one at least.
    """

    questions: tuple[str, ...]
    answers: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check what was given."""
        object.__setattr__(self, "questions", _texts("questions", self.questions))
        object.__setattr__(self, "answers", _texts("answers", self.answers))

    @property
    def kind(self) -> str:
        """What kind of question it is."""
        return "open question"

    @property
    def asked(self) -> tuple[Asked, ...]:
        """Each question with each answer."""
        return tuple((question, answer) for question in self.questions for answer in self.answers)

    def score(self, log_probabilities: FloatArray, tokens: FloatArray) -> float:
        """Return the mean probability of a token of an answer."""
        return by_token(log_probabilities, tokens)


def among(log_probabilities: FloatArray, answer: int) -> float:
    """Compute the probability of one of several, given that it is one of them."""
    weights = np.exp(log_probabilities - log_probabilities.max())
    return float(weights[answer] / weights.sum())


def by_token(log_probabilities: FloatArray, tokens: FloatArray) -> float:
    """Compute the mean over answers of the geometric mean of a token's probability."""
    return float(np.exp(log_probabilities / tokens).mean())


def checked_items(items: Any) -> tuple[KnowledgeItem, ...]:
    """Return items as a tuple.

    Raises:
        TypeError: something that is no item.
        ValueError: none.
    """
    listed = tuple(items) if isinstance(items, Iterable) and not isinstance(items, (str, bytes)) else ()
    if not listed:
        raise ValueError("items is empty or no list: pass MultipleChoice, Cloze and OpenQuestion items.")
    for number, one in enumerate(listed):
        if not isinstance(one, (MultipleChoice, Cloze, OpenQuestion)):
            raise TypeError(
                f"items[{number}] is a {type(one).__name__}: pass MultipleChoice, Cloze and OpenQuestion items."
            )
    return listed


def documents_asked(item: KnowledgeItem) -> list[dict[str, str]]:
    """Return what a model is asked of an item, as prompts with completions."""
    return [
        {
            "prompt": before,
            "completion": after if not before or before[-1].isspace() or after[0].isspace() else f" {after}",
        }
        for before, after in item.asked
    ]


def _texts(name: str, given: Any) -> tuple[str, ...]:
    listed = tuple(given) if not isinstance(given, (str, bytes)) else ()
    if not listed or not all(isinstance(one, str) and one.strip() for one in listed):
        raise ValueError(f"{name} is {given!r}: one text at least, and none of them empty.")
    return listed
