"""A careful unlearner, and ways of getting one promise wrong, each with the checks that must notice and no others."""

from __future__ import annotations

import random
from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

BROKEN: dict[str, tuple[Callable[..., Any], set[str]]] = {}
USABLE = {"one-forget-example", "forget-a-whole-class", "retain-a-single-class", "duplicate-examples"}


def stack(dataset: Any, model: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = zip(*(dataset[i] for i in range(len(dataset))), strict=True)
    tensors = torch.stack([torch.as_tensor(row) for row in x])
    dtype = next(model.parameters()).dtype if tensors.is_floating_point() else tensors.dtype
    return tensors.to(next(model.parameters()).device, dtype), torch.tensor([int(label) for label in y])


@dataclass(frozen=True)
class Careful:
    """Fine-tunes a copy on the retain set and keeps every promise."""

    lr: float = 0.05
    batch_size: int = 32
    merge: bool = True
    shuffle: bool = True
    share: float = 1.0
    fork: bool = True
    seeded: bool = True
    enable_grad: bool = True
    respect_frozen: bool = True
    respect_frozen_statistics: bool = True

    def __call__(self, model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
        if len(retain) == 0:
            raise ValueError("the retain set is empty")
        with (
            torch.random.fork_rng(enabled=self.fork),
            torch.set_grad_enabled(self.enable_grad or torch.is_grad_enabled()),
        ):
            if self.seeded:
                torch.manual_seed(seed)
            result = deepcopy(model)
            if len(forget):
                self.change(result, *stack(retain, result))
        for module, original in zip(result.modules(), model.modules(), strict=True):
            module.training = original.training
        result.zero_grad(set_to_none=True)
        return result

    def change(self, model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
        model.train()
        for module in model.modules():
            if not all(p.requires_grad for p in module.parameters()) and self.respect_frozen_statistics:
                module.training = isinstance(module, nn.Sequential)
        weights = [p for p in model.parameters() if p.requires_grad or not self.respect_frozen]
        used = max(1, round(self.share * len(y)))
        order = torch.randperm(len(y)) if self.shuffle else torch.arange(used)
        for batch in order.split(self.batch_size):
            if len(batch) == 1 < len(y) and self.merge:
                continue
            losses = cross_entropy(model(x[batch]), y[batch])
            flags = [p.requires_grad for p in weights]
            for p in weights:
                p.requires_grad_(True)
            gradients = torch.autograd.grad(losses if all(flags) else cross_entropy(model(x[batch]), y[batch]), weights)
            with torch.no_grad():
                for p, gradient, flag in zip(weights, gradients, flags, strict=True):
                    p.sub_(self.lr * gradient)
                    p.requires_grad_(flag)


@dataclass(frozen=True)
class Then:
    """Careful, and afterwards one wrong thing, done to (model, result, retain, forget)."""

    wrong: Callable[..., Any]

    def __call__(self, model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
        result = Careful()(model, retain, forget, seed=seed)
        other = self.wrong(model, result, retain, forget) if len(forget) else None
        return result if other is None else other


@dataclass(frozen=True)
class First:
    """One wrong thing, done to (model, retain, forget), and then careful."""

    wrong: Callable[..., Any]

    def __call__(self, model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
        early = self.wrong(model, retain, forget)
        return Careful()(model, retain, forget, seed=seed) if early is None else early


def breaks(*checks: str, how: Callable[..., Any] = Then) -> Callable[[Any], Any]:
    def note(wrong: Any) -> Any:
        BROKEN[wrong.__name__] = (how(wrong), set(checks))
        return wrong

    return note


# What it is given


@breaks("input-model-untouched")
def writes_into_the_input(model, result, retain, forget):
    next(model.parameters()).data.add_(1)


@breaks("input-model-untouched")
def writes_into_a_buffer_of_the_input(model, result, retain, forget):
    for buffer in model.buffers():
        buffer.add_(1)


@breaks("input-model-untouched")
def leaves_a_note_on_the_input(model, result, retain, forget):
    model.unlearned = True


@breaks("input-model-untouched")
def clears_the_gradients_of_the_input(model, result, retain, forget):
    model.zero_grad()


@breaks("input-model-untouched")
def freezes_the_input(model, result, retain, forget):
    model.requires_grad_(False)


@breaks("input-model-untouched")
def switches_the_mode_of_the_input(model, result, retain, forget):
    model.train(not model.training)


@breaks("input-model-untouched")
def leaves_a_hook_on_the_input(model, result, retain, forget):
    next(model.modules()).register_forward_hook(print)


@breaks("input-model-untouched")
def leaves_a_hook_on_a_weight_of_the_input(model, result, retain, forget):
    next(model.parameters()).requires_grad_(True).register_hook(print)


@breaks("input-model-untouched", "result-shares-nothing-with-the-input")
def returns_its_input(model, result, retain, forget):
    model.load_state_dict(result.state_dict())
    return model


@breaks("result-shares-nothing-with-the-input")
def shares_a_weight(model, result, retain, forget):
    next(result.parameters()).data = next(model.parameters()).data


@breaks("datasets-untouched", "plain-rows", "any-map-style-dataset")
def writes_into_an_example(model, result, retain, forget):
    retain[0][0][...] = 0


@breaks("datasets-untouched")
def differentiates_the_data_in_place(model, result, retain, forget):
    x = getattr(forget, "tensors", [torch.zeros(1)])[0]
    if x.is_floating_point():
        x.requires_grad_(True)


@breaks("plain-rows")
def empties_a_list(model, result, retain, forget):
    if isinstance(forget, list):
        forget.clear()


# The process it runs in


@breaks("random-state-untouched")
def draws_from_torch(model, result, retain, forget):
    torch.rand(1)


@breaks("random-state-untouched")
def draws_from_numpy(model, result, retain, forget):
    np.random.rand()  # noqa: NPY002


@breaks("random-state-untouched")
def draws_from_python(model, result, retain, forget):
    random.random()


@breaks("random-state-untouched")
def seeds_the_process(model, result, retain, forget):
    torch.manual_seed(0)


@breaks("global-settings-untouched")
def switches_gradients_off(model, result, retain, forget):
    torch.set_grad_enabled(False)


@breaks("works-under-no-grad")
def switches_gradients_on(model, result, retain, forget):
    torch.set_grad_enabled(True)


@breaks("global-settings-untouched")
def sets_the_default_dtype(model, result, retain, forget):
    torch.set_default_dtype(torch.float64)


@breaks("global-settings-untouched")
def sets_the_default_device(model, result, retain, forget):
    torch.set_default_device("meta")


@breaks("global-settings-untouched")
def sets_threads(model, result, retain, forget):
    torch.set_num_threads(2)


@breaks("global-settings-untouched")
def sets_deterministic_algorithms(model, result, retain, forget):
    torch.use_deterministic_algorithms(True)


@breaks("global-settings-untouched")
def sets_cudnn(model, result, retain, forget):
    torch.backends.cudnn.deterministic = not torch.backends.cudnn.deterministic


@breaks("global-settings-untouched")
def sets_numpy_errors(model, result, retain, forget):
    np.seterr(all="raise")


# The seed


BROKEN["takes_its_seed_from_the_process"] = (Careful(seeded=False), {"same-seed-same-weights"})
BROKEN["needs_gradients_on"] = (Careful(enable_grad=False), {"works-under-no-grad"})
BROKEN["uses_the_first_half"] = (Careful(shuffle=False, share=0.5, lr=0.5), {"order-of-retain-set-is-noise"})
BROKEN["does_not_shuffle"] = (Careful(shuffle=False, lr=0.2, batch_size=8), {"order-of-retain-set-is-noise"})


@dataclass(frozen=True)
class WithLambda:
    inner: Any = Careful()
    schedule: Any = lambda step: step

    def __post_init__(self) -> None:
        object.__setattr__(self, "local", lambda: None)

    def __call__(self, model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
        return self.inner(model, retain, forget, seed=seed)


class Forgetful:
    """Loses its learning rate when it is pickled."""

    lr = 0.05

    def __init__(self) -> None:
        self.lr = 0.5

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __call__(self, model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
        return Careful(lr=self.lr)(model, retain, forget, seed=seed)


BROKEN["cannot_be_pickled"] = (WithLambda(), {"survives-pickling"})
BROKEN["loses_settings_in_a_pickle"] = (Forgetful(), {"survives-pickling"})


# What it returns


@breaks("names-and-shapes-kept")
def adds_a_buffer(model, result, retain, forget):
    result.register_buffer("mask", torch.ones(3))


@breaks("names-and-shapes-kept", "frozen-layers-untouched")
def renames_the_weights(model, result, retain, forget):
    return nn.Sequential(result).train(result.training)


@breaks("dtypes-and-devices-kept", "frozen-layers-untouched")
def returns_double_precision(model, result, retain, forget):
    result.double()


@breaks("double-precision-kept")
def returns_single_precision(model, result, retain, forget):
    result.float()


@breaks("requires-grad-kept")
def leaves_a_layer_frozen(model, result, retain, forget):
    next(result.parameters()).requires_grad_(False)


@breaks("frozen-layers-untouched")
def thaws_everything(model, result, retain, forget):
    result.requires_grad_(True)


BROKEN["trains_frozen_layers"] = (Careful(respect_frozen=False), {"frozen-layers-untouched"})
BROKEN["updates_frozen_statistics"] = (Careful(respect_frozen_statistics=False), {"frozen-layers-untouched"})


@breaks("modes-kept")
def leaves_train_mode(model, result, retain, forget):
    result.train()


@breaks("modes-kept")
def leaves_eval_mode(model, result, retain, forget):
    result.eval()


@breaks("no-gradients-left")
def leaves_gradients(model, result, retain, forget):
    for weight in result.parameters():
        weight.grad = torch.ones_like(weight)


@breaks("no-hooks-left")
def leaves_a_hook(model, result, retain, forget):
    next(result.modules()).register_forward_pre_hook(lambda *_: None)


@breaks("finite-weights")
def leaves_an_infinity_that_outputs_do_not_show(model, result, retain, forget):
    for name, buffer in result.named_buffers():
        if name == "5.running_var":
            buffer[0] = torch.inf


@breaks("result-can-be-copied-and-used")
def keeps_a_graph(model, result, retain, forget):
    with torch.enable_grad():
        result.cache = next(result.parameters()) * 2


@breaks("result-can-be-copied-and-used")
def computes_outside_of_itself(model, result, retain, forget):
    result.__deepcopy__ = lambda _: deepcopy(model)


def moves_to_the_cpu(model, result, retain, forget):
    result.cpu()


# What it is asked


@breaks("one-forget-example", how=First)
def trains_batch_norm_on_the_forget_set(model, retain, forget):
    if len(forget):
        copied = deepcopy(model).train()
        with torch.random.fork_rng():
            copied(stack(forget, copied)[0])


BROKEN["has_a_last_batch_of_one"] = (Careful(merge=False, batch_size=64), {"last-batch-of-one"})


def labels(dataset: Any) -> list[int]:
    return [int(dataset[i][1]) for i in range(len(dataset))]


@breaks("forget-a-whole-class", "retain-a-single-class", how=First)
def divides_by_the_size_of_a_class(model, retain, forget):
    if len(forget) and len(retain):
        _ = [1 / labels(retain).count(label) for label in range(3)]


@breaks("retain-a-single-class", how=First)
def compares_two_classes(model, retain, forget):
    if len(forget) and len(retain):
        _, _, *_ = sorted(set(labels(retain)))


@breaks("duplicate-examples", how=First)
def looks_examples_up_by_content(model, retain, forget):
    rows = [np.asarray(forget[i][0]).tobytes() for i in range(len(forget))]
    assert len(set(rows)) == len(rows)


@breaks("nothing-to-forget", how=First)
def stacks_an_empty_forget_set(model, retain, forget):
    if len(retain):
        stack(forget, model)


@breaks("nothing-to-forget", how=First)
def returns_its_input_for_an_empty_request(model, retain, forget):
    return None if len(forget) else model


@breaks("nothing-to-forget", how=First)
def trains_for_an_empty_request(model, retain, forget):
    return None if len(forget) else Careful()(model, retain, retain, seed=0)


@breaks("everything-to-forget", how=First)
def forgets_everything_in_silence(model, retain, forget):
    return None if len(retain) else deepcopy(model)


@breaks("everything-to-forget", how=First)
def crashes_deep_inside_without_retain_set(model, retain, forget):
    if len(retain) == 0:
        raise ValueError("num_samples should be a positive integer value, but got num_samples=0")


@breaks("everything-to-forget", how=First)
def fails_otherwise_without_retain_set(model, retain, forget):
    if len(retain) == 0:
        raise IndexError("there is no example in the retain set")


# How the examples come


@breaks("plain-rows", "any-map-style-dataset", how=First)
def needs_tensor_datasets(model, retain, forget):
    _ = retain.tensors


@breaks("plain-rows", how=First)
def needs_tensors(model, retain, forget):
    if len(retain):
        retain[0][0].detach()


@breaks("any-map-style-dataset", how=First)
def trains_differently_on_datasets_it_does_not_know(model, retain, forget):
    if not isinstance(retain, (list, torch.utils.data.TensorDataset)):
        return Careful(lr=1.0)(model, retain, forget, seed=0)
    return None


# Which models


@breaks("works-on-lstm-on-sequences", "works-on-lstm-on-tokens", how=First)
def cannot_train_an_lstm(model, retain, forget):
    assert not hasattr(model, "lstm")


@breaks("works-on-linear-model", how=First)
def needs_submodules(model, retain, forget):
    next(model.children())


@breaks(
    *("names-and-shapes-kept", "last-batch-of-one", *USABLE),
    *(f"works-on-{name}" for name in ("mlp-with-batch-norm-and-dropout", "cnn-with-group-norm", "cnn-with-batch-norm")),
)
def adds_a_class(model, result, retain, forget):
    if isinstance(result, nn.Sequential):
        with torch.random.fork_rng():
            wider = nn.Linear(result[-1].in_features, 4).to(next(result.parameters()).dtype)
        with torch.no_grad():
            wider.weight.fill_(1)
            wider.bias.fill_(1)
        wider.training = result[-1].training
        result[-1] = wider


@breaks("result-shares-nothing-with-the-input", how=First)
def copies_the_shell_only(model, retain, forget):
    return copy(model) if len(forget) and len(retain) else None
