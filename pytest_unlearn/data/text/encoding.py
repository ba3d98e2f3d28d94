"""Turn documents into sequences of token ids, and say which tokens are scored."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.core.token_scores import BoolArray
from pytest_unlearn.data.text.documents import Document, documents_of

ZLIB_LEVEL = 9
NO_TOKENIZER = (
    "these documents are text, and nothing says how they become token ids: pass tokenizer= (that of the model), or "
    "build the task with a CausalRecipe, which knows its own"
)


@dataclass(frozen=True, slots=True, eq=False)
class TokenSequence:
    """Hold one chunk of a document as a model is asked about it.

    Args:
        document: which document it is of.
        ids: its tokens, shape (tokens,).
        scored: which of them are scored, never the first, shape (tokens,).
    """

    document: int
    ids: IntArray
    scored: BoolArray


@dataclass(frozen=True, eq=False)
class Encoded:
    """Hold n documents as token ids, in chunks, and the sizes of their scored texts.

    Two are equal if they hold the same tokens in the same order.
    """

    sequences: tuple[TokenSequence, ...]
    text_bytes: IntArray
    compressed: IntArray

    def __len__(self) -> int:
        """Return the number of documents."""
        return len(self.text_bytes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Encoded) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def lengths(self) -> IntArray:
        """The number of scored tokens of each document, shape (n,)."""
        counts = [int(one.scored.sum()) for one in self.sequences]
        owners = [one.document for one in self.sequences]
        return np.bincount(owners, weights=counts, minlength=len(self)).astype(np.int64)

    @cached_property
    def digest(self) -> str:
        """Digest the tokens, in order, and which of them are scored."""
        state = hashlib.sha256()
        for one in self.sequences:
            state.update(np.array([one.document, len(one.ids)]).tobytes() + one.ids.tobytes() + one.scored.tobytes())
        return state.hexdigest()


@dataclass(frozen=True, eq=False)
class Encoder:
    """Encode documents by a tokenizer, in chunks of at most so many tokens.

    Attributes:
        tokenizer: of transformers (or a processor that has one), of tokenizers, or a callable from a text to ids; None
            if documents are token ids.
        max_length: tokens that a model takes at once; a longer document is cut into chunks that overlap by a token,
            so that each token but the first is scored once. None: it takes any.
        cuts: whether a longer document may be cut. What a model sees at once decides what it shows of its memory, so
            that only who audits, or the model itself, may say how much that is, and no record of it.

    Raises:
        ValueError: a max_length below 2.
    """

    tokenizer: Any = None
    max_length: int | None = None
    cuts: bool = True
    _done: dict[Any, tuple[Encoded, list[Any]]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse lengths in which nothing can be scored."""
        if self.max_length is not None and self.max_length < 2:
            raise ValueError(f"max_length is {self.max_length}: a model has to take 2 tokens at least.")

    def encoded(self, views: Sequence[Any]) -> Encoded:
        """Encode the documents of views, once."""
        key = tuple(view.key for view in views)
        if key not in self._done:
            self._done[key] = self.encode(one for view in views for one in documents_of(view)), list(views)
        return self._done[key][0]

    def encode(self, documents: Iterable[Document]) -> Encoded:
        """Encode documents.

        Raises:
            ValueError: text without a tokenizer, a document without a token to score or longer than may be cut, a chat
                for which the tokenizer has no template.
        """
        sequences: list[TokenSequence] = []
        sizes: list[tuple[int, int]] = []
        for number, document in enumerate(documents):
            ids, scored = self._tokens(document, number)
            scored[0] = False
            if not scored.any():
                raise ValueError(
                    f"document {number} has no token to score: the first of a text is predicted by nothing."
                )
            if self.max_length is not None and len(ids) > self.max_length and not self.cuts:
                raise ValueError(
                    f"document {number} has {len(ids)} tokens, and SavedLogprobs was recorded on {self.max_length} at "
                    "once: a model shows less of its memory in shorter pieces. Record it with a larger max_length, or "
                    f"say that the model takes no more: pass max_length={self.max_length} to the audit."
                )
            sequences += _chunks(number, ids, scored, self.max_length)
            said = _scored_text(document)
            sizes.append((len(said), len(zlib.compress(said, ZLIB_LEVEL))))
        table = np.array(sizes, dtype=np.int64).reshape(-1, 2)
        return Encoded(tuple(sequences), table[:, 0], table[:, 1])

    def _tokens(self, document: Document, number: int) -> tuple[IntArray, BoolArray]:
        if document.kind == "ids":
            ids, learned = document.parts
            return _array(ids), np.ones(len(ids), dtype=bool) if learned is None else np.array(learned, dtype=bool)
        if self.tokenizer is None:
            raise ValueError(f"{NO_TOKENIZER}.")
        if document.kind == "chat":
            whole, before = self._chat(document, number)
        else:
            to_ids = token_ids(self.tokenizer)
            whole = to_ids("".join(document.parts))
            before = to_ids(document.parts[0]) if document.kind == "completion" and document.parts[0] else []
        if not whole:
            raise ValueError(f"document {number} has no token at all by this tokenizer.")
        scored = np.ones(len(whole), dtype=bool)
        scored[: _common(whole, before)] = False
        return _array(whole), scored

    def _chat(self, document: Document, number: int) -> tuple[list[int], list[int]]:
        tokenizer = getattr(self.tokenizer, "tokenizer", self.tokenizer)
        if not getattr(tokenizer, "chat_template", None):
            raise ValueError(
                f"document {number} is a chat, and this tokenizer has no chat template: give it the one that the model "
                "was trained with (tokenizer.chat_template), or give prompts and completions."
            )
        messages = document.messages
        whole, before = (
            list(tokenizer.apply_chat_template(said, tokenize=True, return_dict=True, **more)["input_ids"])
            for said, more in ((messages, {}), (messages[:-1], {"add_generation_prompt": True}))
        )
        return whole, before


def token_ids(tokenizer: Any) -> Callable[[str], list[int]]:
    """Return what turns a text into ids, special tokens as the tokenizer adds them.

    Raises:
        TypeError: no tokenizer.
    """
    tokenizer = getattr(tokenizer, "tokenizer", tokenizer)  # a processor's own
    if hasattr(tokenizer, "encode_batch"):  # of tokenizers
        return lambda text: [i for i, own in zip(*_ids_and_mask(tokenizer.encode(text)), strict=True) if own]
    if hasattr(tokenizer, "convert_ids_to_tokens"):  # of transformers
        return lambda text: list(tokenizer(text, padding=False, truncation=False, verbose=False)["input_ids"])
    if callable(tokenizer):
        return lambda text: [int(one) for one in tokenizer(text)]
    raise TypeError(
        f"a tokenizer is one of transformers or tokenizers, or a function from a text to token ids, not a "
        f"{type(tokenizer).__name__}."
    )


def _ids_and_mask(encoding: Any) -> tuple[list[int], list[int]]:
    return encoding.ids, encoding.attention_mask


def _common(whole: Sequence[int], before: Sequence[int]) -> int:
    """Count the tokens of a prompt that are still the same with what follows it."""
    count = 0
    for one, other in zip(whole, before, strict=False):
        if one != other:
            break
        count += 1
    return count


def _chunks(number: int, ids: IntArray, scored: BoolArray, most: int | None) -> list[TokenSequence]:
    step = len(ids) if most is None else most - 1
    found = []
    for start in range(0, max(1, len(ids) - 1), step):
        part = slice(start, len(ids) if most is None else start + most)
        own = scored[part].copy()
        own[0] = False  # the chunk before has scored it
        if own.any():
            found.append(TokenSequence(number, ids[part], own))
    return found


def _scored_text(document: Document) -> bytes:
    if document.kind == "ids":
        ids, learned = document.parts
        kept = ids if learned is None else [one for one, own in zip(ids, learned, strict=True) if own]
        return np.array(kept, dtype="<u4").tobytes()
    said = document.messages[-1]["content"] if document.kind == "chat" else document.parts[-1]
    return str(said).encode(errors="surrogatepass")


def _array(ids: Sequence[int]) -> IntArray:
    return np.array(ids, dtype=np.int64)
