"""Adapters: every kind of language model as a function from token ids to logits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_unlearn.core.text import printable, shortened
from pytest_unlearn.data.text.encoding import Encoder
from pytest_unlearn.models.adapters import is_module
from pytest_unlearn.models.text.saved import SavedLogprobs

if TYPE_CHECKING:
    import torch

KINDS = (
    "a language model is a causal model of transformers, a text-generation pipeline, an nn.Module or a callable "
    "(input_ids, attention_mask) -> logits, or SavedLogprobs"
)
LONGEST = 300
NO_LENGTH = 1_000_000  # tokenizers that know none say 1e30
Ask = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]


def bare(model: Any) -> Any:
    """Return the model in a pipeline; any other as it is."""
    return model.model if _is_pipeline(model) else model


def tokenizer_of(model: Any) -> Any:
    """Return the tokenizer that a pipeline holds; None without one."""
    return getattr(model, "tokenizer", None) if _is_pipeline(model) else None


def longest_input(model: Any) -> int | None:
    """Return how many tokens a model says it takes at once; None if it does not say."""
    if isinstance(bare(model), SavedLogprobs):
        return bare(model).max_length  # type: ignore[no-any-return]
    config = getattr(bare(model), "config", None)
    for name in ("max_position_embeddings", "n_positions"):
        found = getattr(config, name, None)
        if isinstance(found, int) and 2 <= found < NO_LENGTH:
            return found
    return None


def encoder_of(model: Any, task: Any, tokenizer: Any, max_length: int | None) -> Encoder:
    """Return how documents are encoded: as the caller, recipe or model says."""
    recipe = None if task is None else task.recipe
    while recipe is not None and not hasattr(recipe, "tokenizer") and hasattr(recipe, "function"):
        recipe = recipe.function
    if tokenizer is None:
        tokenizer = getattr(recipe, "tokenizer", None) or tokenizer_of(model)
    if max_length is None:
        max_length = getattr(recipe, "max_length", None)
    if max_length is None:
        return Encoder(tokenizer, longest_input(model), cuts=not isinstance(bare(model), SavedLogprobs))
    return Encoder(tokenizer, max_length)


def check_language_model(model: Any, name: str = "the audited model") -> None:
    """Refuse what is no language model, before anything is trained.

    Args:
        model: what was given as one.
        name: what it was given as, for the sentence.

    Raises:
        TypeError: it is none; the sentence says what it is and what to do.
    """
    model = bare(model)
    if isinstance(model, SavedLogprobs):
        return
    if isinstance(model, (str, bytes)) or hasattr(model, "__fspath__"):
        raise TypeError(
            f"{KINDS}; {name} is {model!r}: nothing is loaded by name here. Load it yourself, from a folder, and pass "
            "the model."
        )
    if isinstance(model, type) or not callable(model):
        what = f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"
        raise TypeError(f"{KINDS}; {name} is {what}.")
    if is_module(model):
        meta = any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))
        if meta:
            raise TypeError(f"{name} is on the meta device, which has shapes and no weights: load its weights first.")
        return
    try:
        inspect.signature(model).bind(object(), object())
    except ValueError:
        return
    except TypeError:
        called = getattr(model, "__qualname__", type(model).__name__)
        raise TypeError(f"{KINDS}; {name} is {called}, which cannot be called with two arguments.") from None


def checked_language_models(models: Any, name: str) -> list[Any]:
    """Return language models as a list; TypeError for anything else."""
    if isinstance(models, (str, bytes, Mapping)) or callable(models) or not isinstance(models, Iterable):
        raise TypeError(f"{name} must be a number or a list of models; for one model write {name}=[model].")
    listed = list(models)
    for number, model in enumerate(listed):
        check_language_model(model, f"{name}[{number}]")
    return [bare(model) for model in listed]


@contextmanager
def open_language_model(model: Any, device: str | None = None) -> Iterator[Ask]:
    """Open a model for questions, in eval mode and without gradients.

    Args:
        model: of any kind but saved log-probabilities.
        device: where a module runs; its own by default. It is brought back.

    Yields:
        A function from token ids and attention mask, int64 of shape (batch, tokens), to logits, shape (batch, tokens,
        vocabulary). It raises ValueError, in one sentence, where the model raises or answers something else.
    """
    import torch

    model = bare(model)
    module = is_module(model)
    modes = [(part, part.training) for part in model.modules()] if module else []
    first = next(iter(model.parameters()), None) if module else None
    home = None if first is None else first.device
    place = home if device is None else torch.device(device)
    moved = home is not None and place != home and not hasattr(model, "hf_device_map")

    def ask(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if module and place is not None:
            ids, mask = ids.to(place), mask.to(place)
        try:
            answer = model(input_ids=ids, attention_mask=mask) if module else model(ids, mask)
            return logits_of(answer, ids)
        except Exception as error:
            first_line = shortened(printable(str(error).strip().split("\n")[0]), LONGEST)
            raise ValueError(
                f"the model ({type(model).__name__}) cannot be asked about token ids of shape {tuple(ids.shape)}: "
                f"{type(error).__name__}: {first_line}. Is the tokenizer the model's own, and does it take so many "
                "tokens (max_length=)?"
            ) from error

    try:
        if module:
            model.eval()
        if moved:
            model.to(place)
        with torch.no_grad():
            yield ask
    finally:
        for part, mode in modes:
            part.training = mode
        if moved:
            model.to(home)


def logits_of(answer: Any, ids: torch.Tensor) -> torch.Tensor:
    """Return the logits in an answer, shape (batch, tokens, vocabulary).

    Raises:
        ValueError: there are none of this shape.
    """
    import torch

    if isinstance(answer, dict):
        answer = answer["logits"]
    answer = getattr(answer, "logits", answer)
    if isinstance(answer, tuple):
        answer = answer[0]
    found = torch.as_tensor(answer)
    if found.ndim != 3 or found.shape[:2] != ids.shape:
        raise ValueError(
            f"it answers with the shape {tuple(found.shape)}; logits have the shape (batch, tokens, vocabulary)"
        )
    return found


def _is_pipeline(model: Any) -> bool:
    return any(kind.__module__.startswith("transformers.pipelines") for kind in type(model).__mro__)
