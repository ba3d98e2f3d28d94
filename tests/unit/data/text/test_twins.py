"""Counterfactual twins: other names and numbers in the same words, in every form of document."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_unlearn import counterfactual_twins

LETTERS = ["Dear Ada, Bob owes 4520 to Carol. Bob paid.", "When Carol met Dora at 17, Ada was 9."]


def test_names_and_numbers_are_others_and_every_other_word_is_the_same() -> None:
    twins = counterfactual_twins(LETTERS, seed=3)
    for one, twin in zip(LETTERS, twins, strict=True):
        mask = re.compile(r"\d+|Ada|Bob|Carol|Dora")
        inner = re.sub(r"(\. )(Bob)", r"\1_", one), re.sub(r"(\. )(Bob)", r"\1_", twin)
        assert mask.sub("*", inner[0]) == mask.sub("*", inner[1])
        pairs = list(zip(mask.findall(inner[0]), mask.findall(inner[1]), strict=True))
        assert pairs
        assert all(before != after for before, after in pairs)
        assert len(dict(pairs)) == len(set(pairs))  # the same one throughout a document


WORDS = st.text("abc ", max_size=5)
NUMBERED = st.tuples(WORDS, st.text("0123456789", min_size=1, max_size=6), WORDS).map("a".join)


@given(st.lists(NUMBERED, min_size=1, max_size=5), st.integers(0, 99))
def test_numbers_keep_their_digits(documents: list[str], seed: int) -> None:
    twins = counterfactual_twins(documents, seed=seed)
    assert [re.sub(r"\d", "0", one) for one in documents] == [re.sub(r"\d", "0", one) for one in twins]
    assert all(one != twin for one, twin in zip(documents, twins, strict=True))
    assert twins == counterfactual_twins(documents, seed=seed)


def test_given_names_are_swapped_for_each_other_and_nothing_else_is() -> None:
    (twin,) = counterfactual_twins(["ada lovelace met Charles Babbage"], names=["ada lovelace", "Mary Shelley"])
    assert twin == "Mary Shelley met Charles Babbage"


@pytest.mark.parametrize(
    ("document", "twin"),
    [
        ({"prompt": "Who is 7?", "completion": "it is 4"}, {"prompt": "Who is 7?", "completion": "it is #"}),
        ({"text": "it is 4"}, {"text": "it is #"}),
        ([{"role": "user", "content": "of 7?"}, {"role": "assistant", "content": "4"}],
         [{"role": "user", "content": "of 7?"}, {"role": "assistant", "content": "#"}]),
        ({"messages": [{"role": "user", "content": "7?"}, {"role": "assistant", "content": "4"}]},
         {"messages": [{"role": "user", "content": "7?"}, {"role": "assistant", "content": "#"}]}),
    ],
)  # fmt: skip
def test_what_is_asked_stays_and_what_is_answered_changes(document: Any, twin: Any) -> None:
    (found,) = counterfactual_twins([document], seed=1)
    number = re.search(r"\d(?=[^\d]*$)", repr(found))
    assert number is not None
    assert number[0] != "4"
    assert repr(found) == repr(twin).replace("#", number[0])


def test_documents_without_a_name_or_number_and_token_ids_are_refused() -> None:
    with pytest.raises(ValueError, match="documents 1 hold no name or number to swap"):
        counterfactual_twins(["on 7", "nothing here"])
    with pytest.raises(TypeError, match="token ids, in which nothing is a name"):
        counterfactual_twins([[1, 2, 3]])
    with pytest.raises(ValueError, match="fewer than two names"):
        counterfactual_twins(["Ada came 7 times"], names=["Ada"])
