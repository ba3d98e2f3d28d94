"""Returns a model that is not like its input."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn

from tests.conformance.broken.careful import BROKEN, Careful, breaks


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


@breaks(
    *("names-and-shapes-kept", "one-forget-example", "forget-a-whole-class", "retain-a-single-class"),
    *("duplicate-examples", "last-batch-of-one"),
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


def moves_to_the_cpu(model, result, retain, forget):
    result.cpu()
