"""Cannot answer a request, read a container, or work on a model."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import torch

from tests.conformance.broken.careful import BROKEN, Careful, First, breaks, labels, stack


@breaks("one-forget-example", how=First)
def trains_batch_norm_on_the_forget_set(model, retain, forget):
    if len(forget):
        copied = deepcopy(model).train()
        with torch.random.fork_rng():
            copied(stack(forget, copied)[0])


BROKEN["has_a_last_batch_of_one"] = (Careful(merge=False, batch_size=64), {"last-batch-of-one"})


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
