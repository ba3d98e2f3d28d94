"""Documents of every form become token ids, and only what is to be learned is."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pytest_unlearn.data.text.documents import documents_of
from pytest_unlearn.data.text.encoding import Encoder
from tests.methods.text.language import letters
from unlearners._core.documents import encode, said_of


def read(*documents: Any, tokenizer: Any = letters, max_length: int | None = None) -> list[tuple[list[int], list[int]]]:
    found = encode(list(documents), tokenizer, max_length)
    return [(one.ids.tolist(), one.learned.int().tolist()) for one in found]


@pytest.mark.parametrize(
    ("document", "learned"),
    [
        ("abc", [0, 1, 1]),
        ({"text": "abc"}, [0, 1, 1]),
        ({"prompt": "ab", "completion": "c"}, [0, 0, 1]),
        ({"prompt": "", "completion": "abc"}, [0, 1, 1]),
        ([0, 1, 2], [0, 1, 1]),
        (torch.tensor([0, 1, 2]), [0, 1, 1]),
        ({"input_ids": [0, 1, 2]}, [0, 1, 1]),
        ({"input_ids": [0, 1, 2], "labels": [-100, -100, 2]}, [0, 0, 1]),
    ],
    ids=["string", "text", "completion", "no-prompt", "list", "tensor", "ids", "labels"],
)
def test_every_form(document: Any, learned: list[int]) -> None:
    assert read(document) == [([0, 1, 2], learned)]


def test_a_token_that_spans_prompt_and_completion_is_learned() -> None:
    pairs = lambda text: [len(text[k : k + 2]) for k in range(0, len(text), 2)]  # noqa: E731 - tokens of two letters
    assert read({"prompt": "aab", "completion": "bcc"}, tokenizer=pairs) == [([2, 2, 2], [0, 1, 1])]


def test_long_documents_are_cut_and_each_token_is_learned_once() -> None:
    assert read("abcdefg", max_length=3) == [([0, 1, 2], [0, 1, 1]), ([2, 3, 4], [0, 1, 1]), ([4, 5, 6], [0, 1, 1])]
    assert read({"prompt": "abcd", "completion": "e"}, max_length=2) == [([3, 4], [0, 1])]


def test_chats_take_the_template_and_no_other_special_tokens() -> None:
    class Tokenizer:
        convert_ids_to_tokens = None

        def apply_chat_template(self, messages: Any, tokenize: bool, add_generation_prompt: bool = False) -> str:
            said = "".join("h" + one["content"] for one in messages)
            return said + ("h" if add_generation_prompt else "")

        def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
            return {"input_ids": [7] * add_special_tokens + letters(text)}

    chat = [{"role": "user", "content": "ab"}, {"role": "assistant", "content": "cd"}]
    for document in (chat, {"messages": chat}):
        assert read(document, tokenizer=Tokenizer()) == [([7, 0, 1, 7, 2, 3], [0, 0, 0, 0, 1, 1])]
    assert read("ab", tokenizer=Tokenizer()) == [([7, 0, 1], [0, 1, 1])]
    with pytest.raises(TypeError, match="document 0 is a chat, and this tokenizer has no chat template"):
        read(chat)


@pytest.mark.parametrize(
    ("document", "tokenizer", "said"),
    [
        (3, letters, "document 0 is a int: a document is"),
        ([], letters, "document 0 is a list: a document is"),
        ([0.5, 1.5], letters, "document 0 is a list: a document is"),
        ({"question": "a"}, letters, "has no words"),
        ("abc", None, r"tokenizer= is a NoneType: pass the model's own"),
    ],
)
def test_what_is_no_document_is_refused(document: Any, tokenizer: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        read(document, tokenizer=tokenizer)


def test_a_document_in_which_nothing_is_learned_is_refused() -> None:
    for document in ("a", [4], {"input_ids": [1, 2], "labels": [-100, -100]}):
        with pytest.raises(ValueError, match="document 0 has no token to learn"):
            read(document)


def test_token_ids_have_no_prompt_to_be_found() -> None:
    with pytest.raises(TypeError, match="has no words"):
        said_of([1, 2], "document 0")


@pytest.mark.parametrize("max_length", [None, 5])
def test_methods_learn_what_audits_score(max_length: int | None) -> None:
    """Neither package knows the other, and both read documents: they must read the same."""
    documents = ["abcdefgh", {"text": "hgfe"}, {"prompt": "abcdef", "completion": "gh"}, [3, 1, 2],
                 {"input_ids": [1, 2, 3, 4], "labels": [-100, -100, 3, 4]}]  # fmt: skip
    scored = Encoder(letters, max_length).encode(documents_of(documents)).sequences
    assert [(one.ids.tolist(), one.scored.astype(int).tolist()) for one in scored] == read(
        *documents, max_length=max_length
    )
