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

PARTS = ("forget", "controls", "test", "retain")
_FIELDS = tuple(one.name for one in fields(TokenScores))


class SavedLogprobs:
    """Hold the scored tokens of a model that cannot run here.

    Args:
        **parts: `TokenScores` by view name, in the view's order: `forget=`, `controls=`, `test=`, `retain=`.

    Raises:
        TypeError: something else than TokenScores.
        ValueError: no part, or one of another name.
    """

    def __init__(self, **parts: TokenScores) -> None:
        unknown = sorted(set(parts) - set(PARTS))
        if unknown or not parts:
            what = f"not {', '.join(unknown)}=" if unknown else "and got none"
            raise ValueError(f"SavedLogprobs takes {'=, '.join(PARTS)}=, {what}.")
        for name, part in parts.items():
            if not isinstance(part, TokenScores):
                raise TypeError(f"{name}= is a {type(part).__name__}, and TokenScores are needed.")
        self.parts: Mapping[str, TokenScores] = dict(parts)

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
            names = sorted({name.partition(".")[0] for name in arrays})
            return cls(**{name: TokenScores(**{f: arrays[f"{name}.{f}"] for f in _FIELDS}) for name in names})
        except FileNotFoundError:
            raise
        except Exception as error:
            raise ValueError(
                f"{path} holds no log-probabilities as SavedLogprobs.save writes them ({error})."
            ) from error

    def of(self, name: str, lengths: IntArray) -> TokenScores:
        """Return the scores of a view.

        Args:
            name: of the view.
            lengths: scored tokens of its documents, in order, by the tokenizer that is used now.

        Raises:
            ValueError: nothing was saved for it, or for other documents.
        """
        if name not in self.parts:
            raise ValueError(f"SavedLogprobs has nothing for the {name} view; it holds {', '.join(self.parts)}.")
        part = self.parts[name]
        if not np.array_equal(part.lengths, lengths):
            raise ValueError(
                f"SavedLogprobs holds {len(part)} documents with {len(part.logprob)} tokens for the {name} view, which "
                f"has {len(lengths)} with {int(lengths.sum())}, or they are cut otherwise: save one row a document, in "
                "order, with the tokenizer and max_length of the audit."
            )
        return part
