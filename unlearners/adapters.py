"""Adapt other signatures to that of unlearners, and back."""

from collections import defaultdict
from collections.abc import Callable
from copy import deepcopy
from dataclasses import KW_ONLY, dataclass
from functools import partial
from inspect import Parameter, signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from unlearners._core import isolation
from unlearners._core.distillation import frozen_copy
from unlearners._core.examples import digest
from unlearners._core.isolation import Examples, Unlearner, Unsupported, hand_over, require_module, require_retain
from unlearners._core.layers import count_classes
from unlearners._core.training import Data, seeded, stack

Sizes = int | tuple[int, ...]


def isolated(fn: Callable[..., Any]) -> Unlearner:
    """Adapt a plain `fn(model, retain, forget)`, which may change its model.

    `fn` gets a copy of the model, of any kind that can be copied, and both datasets as they are. It may change the copy
    and return None, or return a model. The generators of python, numpy and torch are seeded for it and put back, a
    network comes back with the train and eval flags of the one that was given, and gradients are on. An empty forget
    set leaves nothing to do: `fn` is not called. An empty retain set is an error. A `fn` with an argument named `seed`
    gets the seed.

    Errors: ValueError where everything is to be forgotten; Unsupported where the model cannot be copied.
    """
    return Isolated(fn)


def by_index(fn: Callable[..., Any], dataset: Examples, *, copy: bool = True) -> Unlearner:
    """Adapt `fn(model, indices)`, which deletes training examples by their numbers.

    The forget examples are looked up in `dataset` by their exact contents. Of equal examples those with the larger
    numbers leave first, so that requests in a row delete each once.

    dataset: what the model was trained on, in the order that the numbers count.
    copy: give `fn` a copy of the model, which it may change; False gives the model itself, for one that cannot be
        copied or a `fn` that returns another. It must then stay as it is.

    Errors: ValueError for a forget example that the dataset does not hold.
    """
    return ByIndex(fn, dataset, copy=copy)


def from_loaders(
    fn: Callable[..., Any], *, validation_fraction: float | None = None, batch_size: Sizes = 64, numbered: bool = False
) -> Unlearner:
    """Adapt `fn(model, retain_loader, forget_loader, validation_loader)`.

    It is the signature of the NeurIPS-2023 challenge. `fn` gets a copy of the model and may change it in place
    (returning None) or return another. Its loaders yield tensors on the CPU. An empty forget set leaves nothing to do:
    `fn` is not called. Where `fn` has arguments of these names it gets `seed`, `num_classes`, and `teacher`, a frozen
    copy of the model.

    validation_fraction: the share of the retain set that becomes the validation set, drawn by the seed. It is taken
        from retain because an unlearner never sees test data, and taken out of it so that the two do not overlap. None
        is a tenth if `fn` takes a validation loader, and otherwise nothing is held out.
    batch_size: of all loaders, or of each: (retain, forget) or (retain, forget, validation).
    numbered: loaders yield (x, index, y); retained examples are numbered first, then those to forget.
    """
    asked = _takes_validation(fn)
    fraction = (0.1 if asked else 0.0) if validation_fraction is None else validation_fraction
    if not (0 < fraction < 1 or (validation_fraction is None and fraction == 0)):
        raise ValueError(f"validation_fraction lies strictly between 0 and 1, not {validation_fraction}")
    if not asked and fraction:
        raise ValueError("validation_fraction was given, and the function takes no validation loader.")
    sizes = batch_size if isinstance(batch_size, tuple) else (batch_size,) * 3
    if len(sizes) not in (2, 3) or min(sizes) < 1:
        raise ValueError(f"batch_size is a positive number, or two or three of them, not {batch_size}")
    return FromLoaders(fn, validation_fraction=fraction, batch_size=sizes, numbered=numbered)


def to_loaders(unlearner: Unlearner, *, seed: int = 0) -> Callable[..., Any]:
    """Adapt an unlearner to loaders: the way back from `from_loaders`.

    Makes `fn(model, retain_loader, forget_loader, validation_loader) -> model`. The model that is given stays as it is;
    the unlearned one is returned. Each loader is read once, batch by batch. The validation loader is not read: an
    unlearner sees what is retained and what must go.

    seed: for the unlearner.
    """
    return partial(_on_loaders, unlearner, seed)


def _on_loaders(unlearner: Unlearner, seed: int, model: Any, retain: Any, forget: Any, validation: Any = None) -> Any:  # noqa: ARG001
    return unlearner(model, _examples(retain), _examples(forget), seed=seed)


def _examples(loader: Any) -> Examples:
    # Through the loader, never its dataset: a sampler may have left the forget set out of it.
    return [(row, label) for x, y in loader for row, label in zip(x, y, strict=True)]


@dataclass(frozen=True)
class Isolated:
    """Unlearn by a plain function, as `isolated` makes it."""

    fn: Callable[..., Any]

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> Any:
        require_retain(retain, "isolated")
        with isolation.isolated(seed):
            copy = _copied(model)
            if len(forget) == 0:
                return copy
            named = {"seed": seed} if "seed" in _names(self.fn) else {}
            return _result(self.fn, self.fn(copy, retain, forget, **named), copy, like=model)


@dataclass(frozen=True)
class ByIndex:
    """Unlearn by a function on numbers of examples, as `by_index` makes it."""

    fn: Callable[..., Any]
    dataset: Examples
    _: KW_ONLY
    copy: bool

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> Any:
        require_retain(retain, "by_index")
        with isolation.isolated(seed):
            own = _copied(model) if self.copy else model
            if len(forget) == 0:
                return own
            places: dict[str, list[int]] = defaultdict(list)
            for number, key in enumerate(_digests(self.dataset)):
                places[key].append(number)
            staying: dict[str, int] = defaultdict(int)
            for key in _digests(retain):
                staying[key] += 1
            # What earlier requests took had the larger numbers.
            waiting = {key: iter(numbers[staying[key] :]) for key, numbers in places.items()}
            gone = [next(waiting.get(key, iter(())), None) for key in _digests(forget)]
            if None in gone:
                raise ValueError(
                    "by_index: the forget set holds an example that the dataset does not, or not so often. An example "
                    "is known by its exact values: pass the dataset as the model was trained on it."
                )
            return _result(self.fn, self.fn(own, sorted(gone)), own, like=model)


@dataclass(frozen=True)
class FromLoaders:
    """Unlearn by a function on loaders, as `from_loaders` makes it."""

    fn: Callable[..., Any]
    _: KW_ONLY
    validation_fraction: float
    batch_size: tuple[int, ...]
    numbered: bool

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> nn.Module:
        require_module(model, "from_loaders")
        require_retain(retain, "from_loaders")
        with isolation.isolated(seed):
            copy: nn.Module = deepcopy(model)
            if len(forget) == 0:
                return copy
            (x, y), (away, label) = stack(retain, copy), stack(forget, copy)
            kept, gone = (x.cpu(), y.cpu()), (away.cpu(), label.cpu())
            offered: dict[str, Callable[[], Any]] = {
                "seed": lambda: seed,
                "num_classes": lambda: max(2, count_classes(copy, away)),
                "teacher": lambda: frozen_copy(model),
            }
            named = {name: make() for name, make in offered.items() if name in _names(self.fn)}
            result = self.fn(copy, *self._loaders(kept, gone, seed), **named)
            unlearned: nn.Module = _result(self.fn, result, copy, like=model)
            return unlearned

    def _loaders(self, kept: Data, gone: Data, seed: int) -> list[DataLoader[Any]]:
        order, n, k = seeded(seed), len(kept[1]), len(gone[1])
        held = torch.empty(0, dtype=torch.long)
        staying = torch.arange(n)
        if self.validation_fraction:
            if n < 2:
                raise ValueError("The retain set is too small to give a validation set: it needs two examples.")
            size = min(max(1, round(self.validation_fraction * n)), n - 1)
            shuffled = torch.randperm(n, generator=order)
            held, staying = shuffled[:size], shuffled[size:]
        parts = [(kept, staying, 0, True), (gone, torch.arange(k), n, True), (kept, held, 0, False)]
        return [
            DataLoader(self._dataset(data, rows, first), size, shuffle=mixed, generator=order if mixed else None)
            for (data, rows, first, mixed), size in zip(parts, (*self.batch_size, self.batch_size[-1])[:3], strict=True)
            if mixed or self.validation_fraction
        ]

    def _dataset(self, data: Data, rows: Tensor, first: int) -> TensorDataset:
        x, y = data[0][rows], data[1][rows]
        return TensorDataset(x, first + rows, y) if self.numbered else TensorDataset(x, y)


def _result(fn: Callable[..., Any], result: Any, copy: Any, *, like: Any) -> Any:
    """Take what was returned, or the copy that was changed; with flags as before."""
    unlearned = copy if result is None else result
    if not isinstance(like, nn.Module):
        return unlearned
    if not isinstance(unlearned, nn.Module):
        raise Unsupported(f"{fn!r} must return a model or None, not {type(unlearned).__name__}.")
    hand_over(unlearned, like=like)
    return unlearned


def _copied(model: Any) -> Any:
    try:
        return deepcopy(model)
    except Exception as error:
        raise Unsupported(
            f"the {type(model).__name__} cannot be copied ({error}), and a method must leave its input as it is: let "
            "the function return a new model, and adapt it by hand or with by_index(fn, dataset, copy=False)."
        ) from error


def _digests(dataset: Examples) -> list[str]:
    pairs = (dataset[i] for i in range(len(dataset)))
    return [digest(x if isinstance(x, Tensor) else torch.tensor(x), torch.tensor(int(y))) for x, y in pairs]


def _names(fn: Callable[..., Any]) -> set[str]:
    try:
        return set(signature(fn).parameters)
    except ValueError:  # of a builtin
        return set()


def _takes_validation(fn: Callable[..., Any]) -> bool:
    """Tell whether a function has a fourth argument that is none of the offered names."""
    try:
        found = signature(fn).parameters.values()
    except ValueError:
        return True
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    plain = [p for p in found if p.kind in positional and p.name not in ("seed", "num_classes", "teacher")]
    return len(plain) >= 4 or any(p.kind == Parameter.VAR_POSITIONAL for p in found)
