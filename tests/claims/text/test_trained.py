"""Tiny GPT-2s trained on docstrings: the original FAILs, a fine-tuned one never passes, a retrained one does."""

from __future__ import annotations

import copy
import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from examples.text.language_models import HEAVY, LIGHT, build, recipe, split
from examples.text.methods import FineTune, GradientAscent
from pytest_unlearn import (
    UnlearningTask,
    Verdict,
    audit_not_extractable,
    audit_text_forgotten,
    audit_text_residual,
    audit_text_utility,
)
from pytest_unlearn.data.text.documents import documents_of
from pytest_unlearn.models.text.scores import token_scores

pytestmark = pytest.mark.slow
LIMIT = 0.65
CACHE = Path(".unlearn") / "cache"


@functools.cache
def task(epochs: int) -> UnlearningTask:
    return UnlearningTask(split(), recipe(epochs), cache_dir=CACHE)


@functools.cache
def retrained(epochs: int) -> Any:
    return task(epochs).train_on([task(epochs).retain], first_seed=77)[0]


def small() -> Any:
    torch.manual_seed(0)
    return build().eval()


def encoded(count: int = 12) -> Any:
    own = split()
    return recipe().encoder.encode(own.train.documents[:count])


def test_padding_and_the_size_of_a_batch_change_nothing() -> None:
    alone, together = (token_scores(small(), encoded(), batch_size=size) for size in (1, 12))
    for name in ("logprob", "mean", "sd"):
        np.testing.assert_allclose(getattr(together, name), getattr(alone, name), atol=1e-5)


def test_the_scores_are_those_of_the_model_s_own_loss() -> None:
    model, own = small(), encoded(1)
    (sequence,) = own.sequences
    ids = torch.from_numpy(sequence.ids)[None]
    with torch.no_grad():
        loss = float(model(input_ids=ids, labels=ids).loss)
    assert -token_scores(model, own).logprob.mean() == pytest.approx(loss, abs=1e-5)


def test_a_tokenizer_that_pads_on_the_left_changes_nothing() -> None:
    from transformers import PreTrainedTokenizerFast

    from pytest_unlearn.data.text.encoding import Encoder

    plain = recipe().tokenizer
    documents = split().train.documents[:12]
    found = []
    for side in ("left", "right"):
        own = PreTrainedTokenizerFast(
            tokenizer_object=copy.deepcopy(plain), bos_token="<s>", eos_token="<s>", pad_token="<s>", padding_side=side
        )
        own(["a", "a b c"], padding=True)  # as whoever used it before may have
        found.append(token_scores(small(), Encoder(own).encode(documents)))
    np.testing.assert_array_equal(found[0].logprob, found[1].logprob)
    np.testing.assert_allclose(found[0].logprob, token_scores(small(), encoded()).logprob, atol=1e-5)


def test_half_precision_is_near() -> None:
    exact = token_scores(small(), encoded())
    half = token_scores(small().bfloat16(), encoded())
    np.testing.assert_allclose(half.logprob, exact.logprob, rtol=1e-2)


def test_a_pipeline_is_its_model() -> None:
    from transformers import PreTrainedTokenizerFast, pipeline

    own = PreTrainedTokenizerFast(
        tokenizer_object=recipe().tokenizer, bos_token="<s>", eos_token="<s>", pad_token="<s>"
    )
    found = token_scores(pipeline("text-generation", model=small(), tokenizer=own), encoded())
    np.testing.assert_array_equal(found.logprob, token_scores(small(), encoded()).logprob)


def test_an_adapter_alone_is_trained_and_its_model_is_audited() -> None:
    peft = pytest.importorskip("peft")
    adapter = peft.LoraConfig(r=4, target_modules=["c_attn"], fan_in_fan_out=True, task_type="CAUSAL_LM")
    own = dataclasses.replace(recipe(1), base=small(), adapter=adapter)
    texts = split().train.given[:20]
    model = own(texts, seed=0)
    names = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert names
    assert all("lora" in name for name in names)
    with model.disable_adapter():
        off = token_scores(model, encoded())
    np.testing.assert_allclose(off.logprob, token_scores(small(), encoded()).logprob, atol=1e-5)
    assert token_scores(model, encoded()).logprob.mean() > off.logprob.mean()


@pytest.mark.long
@pytest.mark.parametrize("epochs", [LIGHT, HEAVY], ids=["light", "heavy"])
def test_the_original_fails_and_fine_tuning_never_passes_and_retraining_does(epochs: int) -> None:
    own = task(epochs)
    found = audit_text_forgotten(own.original, own.forget, LIMIT)
    assert found.verdict is Verdict.FAIL
    assert audit_text_forgotten(own.unlearn(FineTune(own.recipe)), own.forget, LIMIT).verdict is not Verdict.PASS
    found = audit_text_forgotten(retrained(epochs), own.forget, LIMIT)
    assert found.verdict not in (Verdict.FAIL, Verdict.INVALID)
    assert all(control.holds for control in found.controls.retrained)


@pytest.mark.long
def test_a_collapsed_model_does_not_pass_and_comes_back() -> None:
    own = task(HEAVY)
    model = own.unlearn(GradientAscent(own.recipe))
    assert audit_text_utility(model, own.test, 0.1, baseline="retrained").verdict is Verdict.FAIL
    assert audit_text_forgotten(model, own.forget, LIMIT).verdict is not Verdict.PASS
    found = audit_text_residual(model, own.forget, LIMIT)
    assert found.verdict is Verdict.FAIL
    assert found.attacks["one benign epoch: windows"].low > LIMIT


@pytest.mark.long
def test_a_retrained_model_stays_as_it_is_when_it_is_changed() -> None:
    found = audit_text_residual(retrained(HEAVY), task(HEAVY).forget, LIMIT)
    assert found.verdict not in (Verdict.FAIL, Verdict.INVALID)


@pytest.mark.long
def test_verbatim_claims_are_not_testable_on_models_that_recite_nothing() -> None:
    own = task(HEAVY)
    found = audit_not_extractable(retrained(HEAVY), own.forget)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.not_testable


def test_documents_are_many_and_apart() -> None:
    own = split()
    assert len(list(documents_of(UnlearningTask(own, references=0).forget))) == 100
    assert own.overlaps.max() < 0.5
