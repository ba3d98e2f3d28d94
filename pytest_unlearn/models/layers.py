"""Features: what enters each layer of a network."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.data.dataset import is_tensor
from pytest_unlearn.data.view import View
from pytest_unlearn.models.adapters import is_module, ready
from pytest_unlearn.models.channels_last import examples_at_once
from pytest_unlearn.models.output import Output, Reading, pick
from pytest_unlearn.models.predict import settle

MOST_LAYERS = 4  # probed without being named, evenly spaced, the last one always
INFLUENCED, LEAST_INFLUENCE = 64, 0.1  # examples that members are compared on, and how much of the most
SEARCHED = 3  # examples that layers are searched with
MOST_FEATURES = 1024  # of one layer; maps of more are averaged over their positions


class OtherArchitectureError(ValueError):
    """A model lacks a layer that another one has."""


class HiddenLayersError(ValueError):
    """A network has layers, but no modules that show them."""


class SingleLayerError(ValueError):
    """A network has nothing between layers."""


def shows_weights(model: Any) -> bool:
    """Tell whether this is an `nn.Module` whose weights can be seen."""
    return is_module(model) and any(True for _ in model.parameters())


def find_layers(model: Any, view: View, names: Sequence[str] | None = None) -> tuple[str, ...]:
    """Find the layers to look at, in the order in which they run.

    Without names: "into N" for every layer N with a weight matrix or kernel except the first, whose input is the data;
    at most four, evenly spaced; layers whose input has not one row an example are passed over. With names: "out of N"
    for each named module.

    Raises:
        ValueError: no `nn.Module`, a name that the model does not have, a network of one layer, or one whose layers are
            no modules.
    """
    check_layers(model, names)
    modules = dict(model.named_modules())
    if names is not None:
        _check_there(names, modules, modules)
        return tuple(f"out of {name}" for name in names)
    wanted = {name: module for name, module in modules.items() if _has_matrix(module)}
    ran = list(_passed(model, view, {f"into {name}": module for name, module in wanted.items()}, rows=SEARCHED))[1:]
    if not ran and sum(weight.ndim >= 2 for weight in model.parameters()) > 1:
        raise HiddenLayersError(
            "this network has several weight matrices, but no two modules with one that take a row for each example: "
            "name modules whose outputs are features with layers=[...]."
        )
    if not ran:
        raise SingleLayerError(
            "this network has a single layer with weights, and so no features between layers: what it knows shows in "
            "its outputs. Or name modules with layers=[...]."
        )
    chosen = np.unique(np.linspace(0, len(ran) - 1, min(MOST_LAYERS, len(ran))).round().astype(int))
    return tuple(ran[number] for number in chosen)


def check_layers(model: Any, names: Any) -> None:
    """Refuse a model without layers, and names that none has, behind a wrapper or not.

    Raises:
        TypeError: names that are no list of texts.
        ValueError: no `nn.Module`, no name, or one that the model does not have.
    """
    if not is_module(model):
        raise ValueError(
            f"features are what an nn.Module computes between its layers; a {type(model).__name__} shows none. Audit "
            "its outputs alone: assert_forgotten, assert_matches_retrained."
        )
    if names is None:
        return
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"layers= is a list of names of modules, as in layers=['body.0'], not {names!r}.")
    if not names:
        raise ValueError("layers= names no layer: leave it out, and they are found.")
    own = [name for name, _ in model.named_modules()]
    _check_there(names, {part for name in own for part in _ends(name)}, own)


def _check_there(names: Sequence[str], known: Collection[str], own: Iterable[str]) -> None:
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(f"the model has no layer {unknown[0]!r}; it has {', '.join(name for name in own if name)}.")


def _ends(name: str) -> list[str]:
    """List the names that a module has behind wrappers."""
    parts = name.split(".")
    return [".".join(parts[start:]) for start in range(len(parts))]


def features(model: Any, view: View, layers: Sequence[str]) -> list[FloatArray]:
    """Each layer's features, shape (examples, features), in eval mode, float64.

    An ensemble of networks shows the layer of every member that matters to its answers, side by side.

    Raises:
        ValueError: a layer that the model does not have or does not run, or features that are not finite.
    """
    if not is_module(model):
        raise ValueError(f"features are what an nn.Module computes between its layers; got a {type(model).__name__}.")
    modules = dict(model.named_modules(remove_duplicate=False))
    places: dict[str, list[str]] = {layer: [] for layer in layers}
    watched = {}
    for layer in layers:
        for number, module in enumerate(_named(modules, layer)):
            place = f"{layer} of member {number}" if number else layer
            watched[place] = module
            places[layer].append(place)
    passed = _passed(model, view, watched)
    ran = {layer: [place for place in places[layer] if place in passed] for layer in layers}
    kept = {layer: _that_matter(model, view, some, watched) for layer, some in ran.items()}
    found = {layer: np.concatenate([passed[place] for place in some], axis=1) for layer, some in kept.items() if some}
    missing = [layer for layer in layers if layer not in found]
    if missing:
        raise OtherArchitectureError(f"the model never runs the layer {missing[0]!r}, so it has no features there.")
    broken = [layer for layer in layers if not np.isfinite(found[layer]).all()]
    if broken:
        raise ValueError(f"the features {broken[0]} are not finite: look for a diverged training.")
    return [found[layer] for layer in layers]


def _that_matter(model: Any, view: View, places: list[str], watched: dict[str, Any]) -> list[str]:
    """Keep the members whose exchanged features move the answers, compared with the one that moves them most.

    Others would only dilute what a probe finds.
    """
    if len(places) < 2:
        return places
    moved = []
    with ready(model, None) as ask:
        batch = view.inputs(np.arange(min(INFLUENCED, len(view))))
        own = _tensor(ask(batch))
        for place in places:
            hook = _exchange(watched[place], place)
            try:
                moved.append(float((_tensor(ask(batch)) - own).abs().mean()))
            finally:
                hook.remove()
    return [place for place, much in zip(places, moved, strict=True) if much >= LEAST_INFLUENCE * max(moved)]


def _tensor(answer: Any) -> Any:
    found = answer if is_tensor(answer) else next((one for one in _parts_of(answer) if is_tensor(one)), None)
    if found is None:
        raise ValueError("the model's answers hold no tensor, so nobody can tell which of its members matter.")
    return found.double()


def _parts_of(answer: Any) -> list[Any]:
    return list(answer.values()) if hasattr(answer, "values") else list(answer)


def _exchange(module: Any, layer: str) -> Any:
    """Exchange what passes a layer between the examples of a batch, until the hook is removed."""
    if layer.startswith("out of "):
        return module.register_forward_hook(lambda _, __, made: made.flip(0))
    return module.register_forward_pre_hook(lambda _, given: (given[0].flip(0), *given[1:]))


def labels_exchanged(model: Any, view: View, layer: str, output: Output = None) -> FloatArray:
    """Tell of each example whether its label follows exchanged features.

    What enters (or leaves) the layer, in every member of an ensemble, is exchanged between the examples of a batch.
    Shape (examples, 2): the first column is 1 where the two examples have different labels, the second where the label
    is then the other's.
    """
    modules = _named(dict(model.named_modules()), layer)
    output = settle(model, view, output)
    middle = 0.5 if isinstance(output, Reading) and output.kind == "probabilities" else 0.0
    found = []
    with ready(model, None, rearranged=True) as ask:
        for batch in view.batches(256):
            own = _labels(pick(ask(batch), output), middle)
            hooks = [_exchange(module, layer) for module in modules]
            try:
                exchanged = _labels(pick(ask(batch), output), middle)
            finally:
                for hook in hooks:
                    hook.remove()
            differ = own != own[::-1]  # where both have one label, nothing shows
            found.append(np.stack([differ, differ & (exchanged == own[::-1])], axis=1))
    return np.concatenate(found).astype(np.float64)


def share_following(exchanged: FloatArray) -> float:
    """Return the share of labels that follow exchanged features, of those that could.

    1 where later layers see nothing else; about what chance gives where the answers come from elsewhere.
    """
    asked, followed = exchanged.sum(axis=0)
    return float(followed / asked) if asked else 1.0


def _labels(logits: Any, middle: float) -> Any:
    """Return labels; a single column says class 1 where it is above `middle`."""
    flat = logits.reshape(len(logits), -1)
    return ((flat[:, 0] > middle).long() if flat.shape[1] == 1 else flat.argmax(dim=1)).cpu().numpy()


def _named(modules: dict[str, Any], layer: str) -> list[Any]:
    """Find the modules of a layer by name; behind a wrapper or in an ensemble, by the end of their names."""
    name = layer.removeprefix("into ").removeprefix("out of ")
    if name in modules:
        return [modules[name]]
    inside = {id(module): module for other, module in modules.items() if other.endswith(f".{name}")}
    if not inside:
        raise OtherArchitectureError(
            f"one model has a layer {name!r} and another has not: features can only be compared between models of "
            "one architecture. Name layers that all of them have with layers=[...]."
        )
    return list(inside.values())


def _has_matrix(module: Any) -> bool:
    parts = [name for name, _ in module.named_children() if name != "parametrizations"]
    return not parts and getattr(getattr(module, "weight", None), "ndim", 0) >= 2


def _passed(model: Any, view: View, watched: dict[str, Any], rows: int | None = None) -> dict[str, FloatArray]:
    """Record what passes the watched places, by name, in the order of running.

    With `rows`, of so many examples only, and without places where there is not one row for each.
    """
    seen: dict[str, Any] = {}
    kept: dict[str, list[FloatArray]] = {}

    def before(layer: str) -> Any:
        return lambda _, given: seen.__setitem__(layer, _copied(given[0])) if given else None

    def after(layer: str) -> Any:
        return lambda _, __, made: seen.__setitem__(layer, _copied(made[0] if isinstance(made, tuple) else made))

    hooks = [
        module.register_forward_hook(after(layer))
        if layer.startswith("out of ")
        else module.register_forward_pre_hook(before(layer))
        for layer, module in watched.items()
    ]
    try:
        with ready(model, None, rearranged=True) as ask:
            batches = (
                view.batches(examples_at_once(model))
                if rows is None
                else iter([view.inputs(np.arange(min(rows, len(view))))])
            )
            for batch in batches:
                seen.clear()
                ask(batch)
                for layer, made in seen.items():
                    if rows is None or _fits(made, len(batch)):
                        kept.setdefault(layer, []).append(_flat(layer, made, len(batch)))
    finally:
        for hook in hooks:
            hook.remove()
    return {layer: np.concatenate(parts) for layer, parts in kept.items()}


def _copied(made: Any) -> Any:
    """Copy what passed, before a later layer changes it in place."""
    return made.detach().clone() if is_tensor(made) else made


def _fits(made: Any, rows: int) -> bool:
    return is_tensor(made) and made.ndim > 0 and len(made) == rows


def _flat(layer: str, made: Any, rows: int) -> FloatArray:
    if not _fits(made, rows):
        shape = f"of shape {tuple(made.shape)}" if is_tensor(made) else f"a {type(made).__name__}"
        raise ValueError(
            f"what passes {layer!r} is {shape} for {rows} examples: with layers=[...], name modules that give a tensor "
            "with one row an example."
        )
    array = np.asarray(made.double().cpu().numpy(), dtype=np.float64)
    flat = array.reshape(rows, -1)
    if flat.shape[1] <= MOST_FEATURES:
        return flat
    if array.ndim > 2:  # average over the positions of a map (channels first) or of a sequence (channels last)
        flat = array.mean(axis=tuple(range(2, array.ndim)) if array.ndim > 3 else 1)
    return flat[:, :: -(-flat.shape[1] // MOST_FEATURES)]
