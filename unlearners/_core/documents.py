"""Turn documents of every usual form into token ids."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unlearners._core.isolation import Examples

IGNORED = -100  # the label of a token on which nothing is learned
FORMS = (
    "a document is a string, a mapping with `text`, with `prompt` and `completion`, with `messages` or with "
    "`input_ids`, a list of messages, or a list of token ids"
)


class Tokens(NamedTuple):
    """Hold token ids (T,), and which of them are learned (T,): never the first."""

    ids: Tensor
    learned: Tensor


class Said(NamedTuple):
    """Hold a prompt, which may be empty, and what is learned after it.

    The text of a chat has its special tokens in it, and needs none of the tokenizer's.
    """

    prompt: str
    completion: str
    chat: bool = False


def encode(documents: Examples, tokenizer: Any, max_length: int | None = None) -> list[Tokens]:
    """Encode documents, in chunks of `max_length` tokens that overlap by one.

    Raises:
        TypeError: no document, or text without a tokenizer.
        ValueError: a document in which nothing is learned.
    """
    found = []
    for k in range(len(documents)):
        ids, learned = _tokens(documents[k], tokenizer, f"document {k}")
        learned[:1] = False
        if not learned.any():
            raise ValueError(f"document {k} has no token to learn: the first of a text is predicted by nothing.")
        step = len(ids) if max_length is None else max_length - 1
        for start in range(0, max(1, len(ids) - 1), step):
            part = slice(start, None if max_length is None else start + max_length)
            own = learned[part].clone()
            own[0] = False  # the chunk before has it
            if own.any():
                found.append(Tokens(ids[part], own))
    return found


def said_of(document: Any, where: str, tokenizer: Any = None) -> Said:
    """Split a text document into prompt and completion.

    Raises:
        TypeError: token ids, or no document.
    """
    if isinstance(document, Said):
        return document
    if isinstance(document, str):
        return Said("", document)
    if isinstance(document, Mapping):
        if "messages" in document:
            return said_of(document["messages"], where, tokenizer)
        if "prompt" in document and "completion" in document:
            return Said(document["prompt"], document["completion"])
        if "text" in document:
            return said_of(document["text"], where, tokenizer)
    if _is_chat(document):
        template = getattr(tokenizer, "apply_chat_template", None)
        if template is None:
            raise TypeError(f"{where} is a chat, and this tokenizer has no chat template.")
        before = template(list(document[:-1]), tokenize=False, add_generation_prompt=True)
        return Said(before, template(list(document), tokenize=False)[len(before) :], chat=True)
    raise TypeError(f"{where} is a {type(document).__name__} and has no words: {FORMS}.")


def _tokens(document: Any, tokenizer: Any, where: str) -> tuple[Tensor, Tensor]:
    if isinstance(document, Mapping) and "input_ids" in document:
        ids = torch.as_tensor(document["input_ids"]).long()
        labels = document.get("labels")
        learned = torch.ones(len(ids), dtype=torch.bool) if labels is None else torch.as_tensor(labels) != IGNORED
        return ids, learned.clone()
    if not isinstance(document, (str, Mapping, Said)) and not _is_chat(document):
        try:
            ids = torch.as_tensor(document)
        except (TypeError, ValueError, RuntimeError):
            ids = torch.empty(0)
        if ids.ndim != 1 or ids.is_floating_point() or not len(ids):
            raise TypeError(f"{where} is a {type(document).__name__}: {FORMS}.")
        return ids.long(), torch.ones(len(ids), dtype=torch.bool)
    said = said_of(document, where, tokenizer)
    to_ids = token_ids(tokenizer, special=not said.chat)
    whole, before = to_ids(said.prompt + said.completion), to_ids(said.prompt) if said.prompt else []
    same = next((k for k, (one, other) in enumerate(zip(whole, before, strict=False)) if one != other), len(before))
    return torch.tensor(whole, dtype=torch.long), torch.arange(len(whole)) >= same


def token_ids(tokenizer: Any, *, special: bool = True) -> Callable[[str], Sequence[int]]:
    """Return what turns a text into ids: of transformers, tokenizers, or a function.

    Raises:
        TypeError: none of these.
    """
    if hasattr(tokenizer, "encode_batch"):  # of tokenizers
        return lambda text: _without_padding(tokenizer.encode(text, add_special_tokens=special))
    if hasattr(tokenizer, "convert_ids_to_tokens"):  # of transformers
        return lambda text: list(tokenizer(text, add_special_tokens=special)["input_ids"])
    if callable(tokenizer):
        return lambda text: [int(one) for one in tokenizer(text)]
    raise TypeError(
        f"these documents are text, and tokenizer= is a {type(tokenizer).__name__}: pass the model's own, of "
        "transformers or tokenizers, or a function from a text to token ids."
    )


def _without_padding(encoding: Any) -> list[int]:
    return [token for token, own in zip(encoding.ids, encoding.attention_mask, strict=True) if own]


def _is_chat(document: Any) -> bool:
    return isinstance(document, (list, tuple)) and len(document) > 0 and isinstance(document[0], Mapping)
