"""Disturbs what it is given, or the process it runs in."""

from __future__ import annotations

import random
from copy import copy

import numpy as np
import torch

from tests.conformance.broken.careful import First, breaks


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


@breaks("result-shares-nothing-with-the-input", how=First)
def copies_the_shell_only(model, retain, forget):
    return copy(model) if len(forget) and len(retain) else None


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
