"""What a language model thinks of each token: closed forms, and the same in any batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pytest_unlearn.core.token_scores import TokenScores
from pytest_unlearn.data.text.documents import Documents
from pytest_unlearn.data.text.encoding import Encoder
from pytest_unlearn.models.text.scores import FLOOR, token_scores
from tests.worlds.language import VOCABULARY, Bigrams, bigrams, letters

TEXTS = ["abcdefgh", "ba", "hhhh", "abcabcabcabcabca"]


def scored(model: object, texts: list = TEXTS, *, max_length: int | None = None, **how: int) -> TokenScores:
    return token_scores(model, Encoder(letters, max_length).encode(Documents(texts, "forget").documents), **how)


def test_log_probabilities_are_those_of_the_closed_form() -> None:
    model, found = bigrams(), scored(bigrams())
    assert found.lengths.tolist() == [7, 1, 3, 15]
    expected = np.concatenate([model.log_probabilities(letters(text)) for text in TEXTS])
    np.testing.assert_allclose(found.logprob, expected, atol=1e-12)


def test_mean_and_spread_are_those_of_the_model_s_own_law() -> None:
    model, found = bigrams(), scored(bigrams(), ["ab"])
    law = torch.log_softmax(model.logits.double(), dim=-1).numpy()[0]
    mean = float((np.exp(law) * law).sum())
    assert found.mean[0] == pytest.approx(mean, abs=1e-12)
    assert found.sd[0] == pytest.approx(float((np.exp(law) * (law - mean) ** 2).sum()) ** 0.5, abs=1e-12)
    assert found.hit[0] == (law.argmax() == 1)


def test_a_uniform_law_has_no_spread() -> None:
    found = scored(Bigrams(np.zeros((VOCABULARY, VOCABULARY))))
    np.testing.assert_allclose(found.logprob, -np.log(VOCABULARY))
    np.testing.assert_allclose(found.sd, 0.0, atol=1e-12)


def test_a_token_that_is_ruled_out_has_the_lowest_score_there_is() -> None:
    logits = np.zeros((VOCABULARY, VOCABULARY))
    logits[:, 1] = -np.inf
    found = scored(Bigrams(logits), ["ab"])
    assert found.logprob.tolist() == [FLOOR]
    assert np.isfinite(found.sd).all()


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_the_size_of_a_batch_changes_nothing(batch_size: int) -> None:
    found, alone = scored(bigrams(), batch_size=batch_size), scored(bigrams(), batch_size=1)
    np.testing.assert_allclose(found.logprob, alone.logprob, atol=1e-12)


def test_chunks_score_each_token_once_and_are_one_document() -> None:
    whole, cut = scored(bigrams()), scored(bigrams(), max_length=4)
    assert cut.offsets.tolist() == whole.offsets.tolist()
    np.testing.assert_allclose(cut.logprob, whole.logprob)  # the last token is all that these models look at


def test_what_follows_a_prompt_alone_is_scored() -> None:
    found = scored(
        bigrams(), [{"prompt": "abc", "completion": "de"}, {"input_ids": [0, 1, 2], "labels": [-100, -100, 2]}]
    )
    model = bigrams()
    assert found.lengths.tolist() == [2, 1]
    np.testing.assert_allclose(found.logprob[:2], model.log_probabilities(letters("cde")))
    np.testing.assert_allclose(found.logprob[2:], model.log_probabilities([1, 2]))


def test_half_precision_stays_near() -> None:
    exact, half = (
        scored(Bigrams(bigrams().logits.numpy())),
        scored(Bigrams(bigrams().logits.bfloat16().float().numpy())),
    )
    np.testing.assert_allclose(half.logprob, exact.logprob, atol=0.05)


class Counting(Bigrams):
    """Answers otherwise each time it is asked."""

    asked = 0

    def __call__(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        self.asked += 1
        return super().__call__(input_ids, attention_mask) * (1 + self.asked)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Counting(bigrams().logits.numpy()), "changed when it was asked again alone"),
        (lambda ids, mask: torch.full((*ids.shape, VOCABULARY), float("nan")), "not finite"),
        (lambda ids, mask: torch.zeros(len(ids), VOCABULARY), "logits have the shape"),
        (lambda ids, mask: torch.zeros(*ids.shape, 4), "holds? the token id 7, and the model answers for 4 tokens"),
        (lambda ids, mask: 1 / 0, "ZeroDivisionError"),
    ],
    ids=["changing", "nan", "shape", "vocabulary", "raising"],
)
def test_a_model_that_cannot_be_judged_is_refused(model: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        scored(model)
