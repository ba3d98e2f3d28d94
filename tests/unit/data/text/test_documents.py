"""Documents in every form: what is scored of them, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_unlearn.data.text.documents import Documents, read_document
from pytest_unlearn.data.text.encoding import Encoder
from tests.worlds.language import letters

CHAT = [{"role": "user", "content": "ab"}, {"role": "assistant", "content": "cd"}]


class Chats:
    """A tokenizer of letters with a template: h before what the user says, g before the assistant's."""

    chat_template = "there is one"

    def __call__(self, text: str) -> list[int]:
        return letters(text)

    def apply_chat_template(self, messages: list, *, add_generation_prompt: bool = False, **_: Any) -> dict:
        said = "".join(("h" if one["role"] == "user" else "g") + one["content"] for one in messages)
        return {"input_ids": letters(said + "g" * add_generation_prompt)}


@pytest.mark.parametrize(
    ("document", "ids", "scored"),
    [
        ("abc", "abc", [1, 2]),
        ({"text": "abc"}, "abc", [1, 2]),
        ({"prompt": "ab", "completion": "cd"}, "abcd", [2, 3]),
        ({"prompt": "", "completion": "cd"}, "cd", [1]),
        (CHAT, "habgcd", [4, 5]),
        ({"messages": CHAT}, "habgcd", [4, 5]),
        ([0, 1, 2], "abc", [1, 2]),
        (np.array([0, 1, 2]), "abc", [1, 2]),
        ({"input_ids": [0, 1, 2], "labels": [-100, -100, 2]}, "abc", [2]),
    ],
    ids=["text", "text-row", "completion", "no-prompt", "chat", "chat-row", "ids", "array", "labels"],
)
def test_every_form_says_which_tokens_are_scored(document: Any, ids: str, scored: list[int]) -> None:
    (sequence,) = Encoder(Chats()).encode([read_document(document, "document")]).sequences
    assert sequence.ids.tolist() == letters(ids)
    assert np.flatnonzero(sequence.scored).tolist() == scored


@pytest.mark.parametrize(
    ("document", "kind", "said"),
    [
        ("  ", ValueError, r"train\[1\] is empty"),
        (7, TypeError, r"train\[1\] is a int: a document is a string"),
        ({"prompt": "a"}, TypeError, "a mapping with prompt"),
        ({"prompt": "a", "completion": ""}, ValueError, "empty completion"),
        ([{"role": "user", "content": "a"}], ValueError, "does not end with what the assistant said"),
        ([{"role": "user"}], TypeError, "without `role` and `content`"),
        ([3], ValueError, "has 1 token"),
        ([0.5, 1.5], TypeError, "no list of token ids"),
        ({"input_ids": [1, 2], "labels": [-100, -100]}, ValueError, "mark no token"),
    ],
    ids=[
        "empty",
        "number",
        "no-completion",
        "nothing-said",
        "no-answer",
        "no-content",
        "one-token",
        "floats",
        "masked",
    ],
)
def test_what_is_no_document_is_refused(document: Any, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        Documents(["fine", document], "train")


def test_one_text_is_no_list_of_documents() -> None:
    with pytest.raises(TypeError, match="train is a str: pass a list of documents"):
        Documents("a single text", "train")


def test_text_needs_a_tokenizer_and_a_chat_a_template() -> None:
    with pytest.raises(ValueError, match="pass tokenizer="):
        Encoder().encode([read_document("abc", "document")])
    with pytest.raises(ValueError, match="no chat template"):
        Encoder(letters).encode([read_document(CHAT, "document")])


@pytest.mark.parametrize("max_length", [2, 3, 5, 8, 100])
def test_chunks_overlap_by_a_token_and_score_each_once(max_length: int) -> None:
    encoded = Encoder(letters, max_length).encode([read_document("abcdefgh", "document")])
    assert encoded.lengths.tolist() == [7]
    assert max(len(one.ids) for one in encoded.sequences) <= max_length
    scored = [token for one in encoded.sequences for token in one.ids[one.scored].tolist()]
    assert scored == letters("bcdefgh")


def test_sizes_are_those_of_the_scored_text() -> None:
    encoded = Encoder(letters).encode(
        [read_document("a" * 8, "document"), read_document({"prompt": "abcd", "completion": "ef"}, "document")]
    )
    assert encoded.text_bytes.tolist() == [8, 2]
    assert (encoded.compressed > 0).all()
