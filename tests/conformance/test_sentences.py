"""What a failure says: who broke which promise, where, and what to do about it."""

from __future__ import annotations

from copy import deepcopy
from fnmatch import fnmatchcase

import pytest
import torch
from torch.utils.data import DataLoader

from pytest_unlearn import Case, check_unlearner, unlearner_checks


def first_attempt(model, retain, forget, *, seed):
    """The method that everyone writes first."""
    torch.manual_seed(seed)
    model = deepcopy(model).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for x, y in DataLoader(retain, batch_size=32, shuffle=True):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model


SENTENCES = {
    "frozen-layers-untouched": "changed 1.running_mean, 1.running_var, *, which is frozen: *eval mode.",
    "random-state-untouched": "moved the global random state of torch: draw from a generator of its own, *",
    "works-under-no-grad": "crashed with RuntimeError (element 0 of tensors *, under torch.no_grad(). *enable_grad().",
    "modes-kept": "changed the model (train/eval mode), 0 (train/eval mode), * and 6 more: copy each module's *",
    "no-gradients-left": "left gradients of its last batch: 0.weight (gradient), * Call model.zero_grad(*",
    "last-batch-of-one": "crashed with ValueError (Expected more than 1 value *, 65 of 194 examples *BatchNorm*",
    "nothing-to-forget": "changed the model where nothing was to be forgotten: * Return a deep copy.",
    "everything-to-forget": "crashed with ValueError when asked to forget the whole dataset *: raise a ValueError *",
}


def test_a_first_attempt_is_told_what_to_mend() -> None:
    found = {o.check: o.reason for o in check_unlearner(Case(first_attempt, name="mine"), on_fail=None).failed}
    assert list(found) == list(SENTENCES)
    for check, sentence in SENTENCES.items():
        assert fnmatchcase(found[check], f"mine {sentence}"), found[check]


def test_a_method_that_forgets_to_return_is_told_so() -> None:
    def returns_nothing(model, retain, forget, *, seed):
        deepcopy(model)

    report = check_unlearner(returns_nothing, on_fail=None)
    assert report.failed[0].reason == "returns_nothing returned None: return the unlearned model."
    assert {o.check for o in report.failed} == {o.check for o in report.outcomes}


def test_the_method_s_own_traceback_is_kept() -> None:
    def crashes(model, retain, forget, *, seed):
        raise KeyError("deep inside")

    with pytest.raises(AssertionError) as caught:
        next(check for check in unlearner_checks(crashes) if check.name == "works-under-no-grad")()
    assert isinstance(caught.value.__cause__, KeyError)
