"""SavedLogprobs: what a language model thought of its documents, from files."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.core.files import read_file
from pytest_unlearn.core.token_scores import TokenScores
from pytest_unlearn.data.text.documents import read_document
from pytest_unlearn.data.text.encoding import Encoder

PARTS = ("forget", "controls", "test", "retain", "retained", "documents", "questions", "canaries", "probes")
_FIELDS = tuple(one.name for one in fields(TokenScores))
_RECORDED_BY = {
    "documents": "documents=...",
    "questions": "items=...",
    "canaries": "canaries=...",
    "probes": "canaries=...",
}
_ASKED, _MAX_LENGTH = "asked", "max_length"


class SavedLogprobs:
    """Hold the scored tokens of a model that cannot run here.

    `record_logprobs` makes one where the model runs; what it recorded gives the model's own verdict, bit for bit.

    Args:
        asked: by part, which tokens the scores are of: the documents as token ids, in order (lists of ids, or mappings
            with `input_ids` and `labels`), of which a digest is kept, or that digest. An audit of other tokens, and of
            a part of which nothing is said, is refused: documents in another order may be as long.
        max_length: tokens that the model was asked about at once; None: any. An audit of longer documents has to name
            it too.
        **parts: `TokenScores` by view name, in the view's order: `forget=`, `controls=`, `test=`, `retain=`, or
            `retained=` (some of retain); `documents=` (a bare list for `audit_text_utility`), `questions=` (of
            `audit_knowledge_forgotten`), `canaries=` and `probes=`.

    Raises:
        TypeError: something else than TokenScores.
        ValueError: no part, or one of another name.
    """

    def __init__(
        self, *, asked: Mapping[str, Any] | None = None, max_length: int | None = None, **parts: TokenScores
    ) -> None:
        unknown = sorted(set(parts) - set(PARTS))
        if unknown or not parts:
            what = f"not {', '.join(unknown)}=" if unknown else "and got none"
            raise ValueError(f"SavedLogprobs takes {'=, '.join(PARTS)}=, {what}.")
        for name, part in parts.items():
            if not isinstance(part, TokenScores):
                raise TypeError(f"{name}= is a {type(part).__name__}, and TokenScores are needed.")
        self.parts: Mapping[str, TokenScores] = dict(parts)
        self.asked: Mapping[str, str] = {
            name: one if isinstance(one, str) else _digest_of(one, name, max_length)
            for name, one in (asked or {}).items()
        }
        self.max_length = max_length

    @property
    def digest(self) -> str:
        """Digest all numbers in it."""
        state = hashlib.sha256()
        for name, part in sorted(self.parts.items()):
            state.update(name.encode())
            for field in _FIELDS:
                state.update(getattr(part, field).tobytes())
        return state.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write everything to one .npz file."""
        buffer = io.BytesIO()
        arrays = {f"{name}.{field}": getattr(part, field) for name, part in self.parts.items() for field in _FIELDS}
        arrays |= {f"{_ASKED}.{name}": np.array(digest) for name, digest in self.asked.items()}
        arrays |= {} if self.max_length is None else {_MAX_LENGTH: np.array(self.max_length)}
        np.savez_compressed(buffer, **arrays)
        Path(path).write_bytes(buffer.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> SavedLogprobs:
        """Read what `save` wrote; nothing is unpickled.

        Raises:
            ValueError: the file is none of these.
        """
        try:
            arrays: dict[str, Any] = dict(np.load(io.BytesIO(read_file(Path(path))), allow_pickle=False))
            asked = {key.partition(".")[2]: str(value) for key, value in arrays.items() if key.startswith(f"{_ASKED}.")}
            names = sorted({key.partition(".")[0] for key in arrays} - {_ASKED, _MAX_LENGTH})
            parts = {name: TokenScores(**{f: arrays[f"{name}.{f}"] for f in _FIELDS}) for name in names}
            return cls(asked=asked, max_length=int(arrays[_MAX_LENGTH]) if _MAX_LENGTH in arrays else None, **parts)
        except FileNotFoundError:
            raise
        except Exception as error:
            raise ValueError(
                f"{path} holds no log-probabilities as SavedLogprobs.save writes them ({error})."
            ) from error

    def of(self, name: str, lengths: IntArray, digest: str) -> TokenScores:
        """Return the scores of a view.

        Args:
            name: of the view.
            lengths: scored tokens of its documents, in order, by the tokenizer that is used now.
            digest: of their token ids.

        Raises:
            ValueError: nothing was saved for it, or for other documents, or nobody says for which.
        """
        if name not in self.parts:
            raise ValueError(
                f"SavedLogprobs has nothing for the {name} view; it holds {', '.join(self.parts)}. Record it where the "
                f"model runs: record_logprobs(model, {_RECORDED_BY.get(name, 'task')})."
            )
        part = self.parts[name]
        if not np.array_equal(part.lengths, lengths):
            raise ValueError(
                f"SavedLogprobs holds {len(part)} documents with {len(part.logprob)} tokens for the {name} view, which "
                f"has {len(lengths)} with {int(lengths.sum())}, or they are cut otherwise: save one row a document, in "
                "order, with the tokenizer and max_length of the audit."
            )
        if name not in self.asked:
            raise ValueError(
                f"SavedLogprobs does not say which tokens its {name} scores are of, and documents in another order, or "
                "others, may be as long: record it where the model runs (record_logprobs), or pass the token ids that "
                f"were asked about, asked={{{name!r}: [[...], ...]}}."
            )
        if self.asked[name] != digest:
            raise ValueError(
                f"SavedLogprobs was recorded on other tokens than the {name} view's: record it anew, on the same "
                "documents in the same order, with the tokenizer and max_length of the audit."
            )
        return part


def _digest_of(documents: Any, name: str, max_length: int | None) -> str:
    """Digest documents of token ids, cut as an audit cuts them."""
    read = [read_document(one, f"asked[{name!r}][{k}]") for k, one in enumerate(documents)]
    return Encoder(None, max_length).encode(read).digest
