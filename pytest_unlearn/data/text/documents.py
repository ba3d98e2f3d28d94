"""Read documents in any form once, check them, and digest their contents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import numpy as np

from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.data.content import DIGEST_SIZE
from pytest_unlearn.data.dataset import Examples, is_tensor, to_numpy
from pytest_unlearn.data.row_digests import digest_array

Kind = Literal["text", "completion", "chat", "ids"]
FORMS = (
    "a document is a string, a mapping with `text`, with `prompt` and `completion`, with `messages` or with "
    "`input_ids`, a list of messages with `role` and `content`, or a list of token ids"
)
IGNORED = -100  # the label of tokens on which nothing was trained
NO_INPUTS = (
    "these are documents, which no classifier is asked about: assertions about them are called assert_text_..., such "
    "as assert_text_forgotten(model, task.forget)"
)


@dataclass(frozen=True, slots=True)
class Document:
    """Hold one document in one of four forms.

    Args:
        kind: "text" (all of it is scored), "completion" or "chat" (what follows the prompt), or "ids".
        parts: the text; prompt and completion; messages as JSON; or token ids and, as far as they are not all scored,
            which of them are.
    """

    kind: Kind
    parts: tuple[Any, ...]

    @property
    def digest(self) -> bytes:
        """Digest what it says."""
        said = json.dumps([self.kind, *self.parts], ensure_ascii=True, sort_keys=True)
        return hashlib.blake2b(said.encode(), digest_size=DIGEST_SIZE).digest()

    @property
    def messages(self) -> list[dict[str, str]]:
        """The messages of a chat."""
        found: list[dict[str, str]] = json.loads(self.parts[0])
        return found

    @property
    def words(self) -> list[Any]:
        """What overlaps are counted in: words in lower case, or token ids."""
        if self.kind == "ids":
            return list(self.parts[0])
        said = [one["content"] for one in self.messages] if self.kind == "chat" else self.parts
        return " ".join(said).lower().split()


def read_document(given: Any, where: str) -> Document:
    """Read one document.

    Args:
        given: in any of the forms that `FORMS` lists.
        where: what to call it in an error.

    Raises:
        TypeError: it is none.
        ValueError: there is nothing in it.
    """
    if isinstance(given, Mapping):
        return _of_mapping(given, where)
    if isinstance(given, str):
        if not given.strip():
            raise ValueError(f"{where} is empty: a document needs something to be recognised by.")
        return Document("text", (given,))
    if isinstance(given, Sequence) and len(given) and all(isinstance(one, Mapping) for one in given):
        return _chat(given, where)
    if isinstance(given, (Sequence, np.ndarray)) or is_tensor(given):
        return _ids(given, None, where)
    raise TypeError(f"{where} is a {type(given).__name__}: {FORMS}.")


class Documents(Examples):
    """Hold documents in a fixed order, map-style; an item is what was given.

    `contents` holds a digest of each, shape (documents,); all have the label 0 and no inputs.

    Raises:
        TypeError: no sequence of documents, or something else among them.
        ValueError: none, or one with nothing in it.
    """

    def __init__(self, source: Any, name: str) -> None:
        if isinstance(source, (str, bytes, Mapping)) or not hasattr(source, "__len__"):
            raise TypeError(f"{name} is a {type(source).__name__}: pass a list of documents; {FORMS}.")
        self.name, self.source, self.given = name, source, [source[k] for k in range(len(source))]
        if not self.given:
            raise ValueError(f"{name} is empty: an audit needs at least one document in it.")
        self.documents = [read_document(one, f"{name}[{k}]") for k, one in enumerate(self.given)]
        self.shape, self.names, self._arrays, self._kept, self.remembered = None, None, None, None, False
        self.labels: IntArray = np.zeros(len(self.given), dtype=np.int64)
        self.contents = self.exact = digest_array([one.digest for one in self.documents])

    def __len__(self) -> int:
        return len(self.given)

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.name} has {len(self)} documents; there is no index {index}")
        return self.given[index]

    @property
    def in_memory(self) -> bool:
        """Whether there is nothing to read: yes."""
        return True

    def inputs(self, indices: IntArray, *, keep: bool = False) -> NoReturn:  # noqa: ARG002 - as of examples that have some
        """Raise ValueError: there are none."""
        raise ValueError(f"{NO_INPUTS}.")


def _of_mapping(given: Mapping[str, Any], where: str) -> Document:
    if "messages" in given:
        return _chat(given["messages"], where)
    if "input_ids" in given:
        return _ids(given["input_ids"], given.get("labels"), where)
    if "prompt" in given and "completion" in given:
        prompt, completion = given["prompt"], given["completion"]
        if not isinstance(prompt, str) or not isinstance(completion, str):
            raise TypeError(f"{where} has a prompt or a completion that is no string; chats are given as `messages`.")
        if not completion:
            raise ValueError(f"{where} has an empty completion: nothing in it was learned.")
        return Document("completion", (prompt, completion))
    if "text" in given:
        return read_document(given["text"], where)
    raise TypeError(f"{where} is a mapping with {', '.join(map(str, given)) or 'nothing'}: {FORMS}.")


def _chat(messages: Any, where: str) -> Document:
    plain = [dict(one) for one in messages]
    if not all(isinstance(one.get("role"), str) and isinstance(one.get("content"), str) for one in plain):
        raise TypeError(f"{where} has a message without `role` and `content` as strings.")
    if not plain or plain[-1]["role"] != "assistant" or not plain[-1]["content"]:
        raise ValueError(f"{where} does not end with what the assistant said, which is what a model learns of a chat.")
    said = [{"role": one["role"], "content": one["content"]} for one in plain]
    return Document("chat", (json.dumps(said, ensure_ascii=True),))


def _ids(given: Any, labels: Any, where: str) -> Document:
    ids = np.asarray(to_numpy(given))
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or (ids < 0).any():
        raise TypeError(f"{where} is no list of token ids, which are whole numbers from 0: {FORMS}.")
    if len(ids) < 2:
        raise ValueError(f"{where} has {len(ids)} token: the first of a document is predicted by nothing.")
    if labels is None:
        return Document("ids", (ids.tolist(), None))
    learned = np.asarray(to_numpy(labels)) != IGNORED
    if learned.shape != ids.shape or not learned[1:].any():
        raise ValueError(f"{where} has labels that mark no token of its {len(ids)}: nothing in it was learned.")
    return Document("ids", (ids.tolist(), learned.tolist()))


def documents_of(dataset: Any) -> Iterator[Document]:
    """Read the documents of a view, or of any sequence of documents."""
    examples = getattr(dataset, "examples", None)
    if isinstance(examples, Documents):
        yield from (examples.documents[int(index)] for index in dataset.indices)
        return
    for k in range(len(dataset)):
        yield read_document(dataset[k], f"document {k}")
