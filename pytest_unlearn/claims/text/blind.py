"""Blind baseline of documents: the request against controls without any model.

Source: Das, Zhang and Tramer 2024, "Blind baselines beat membership inference attacks for foundation models".
"""

from __future__ import annotations

import zlib

import numpy as np

from pytest_unlearn.claims.common.blind_baseline import MOST_CONTROLS, blind_result, cross_fitted
from pytest_unlearn.claims.text.inputs import TextInputs
from pytest_unlearn.core.evidence import ControlResult, FloatArray
from pytest_unlearn.data.text.documents import Document, documents_of
from pytest_unlearn.statistics import auc_measure, folds

WORDS = 512  # columns that words are hashed into


def blind_text_control(inputs: TextInputs, limit: float, confidence: float, seed: int = 0) -> ControlResult:
    """Build the blind control of documents: without any model.

    It holds unless a classifier surely tells the sets apart, which sees words, length, digits, and how far a document
    can be compressed.
    """
    order = np.random.default_rng(seed).permutation(len(inputs.controls))
    chosen = np.sort(order[:MOST_CONTROLS])
    forget, everything = list(documents_of(inputs.forget)), list(documents_of(inputs.controls))
    pairing = inputs.pairing.among_controls(chosen)
    controls = [everything[k] for k in chosen]
    member = np.repeat([1, 0], [len(forget), len(controls)])
    units = pairing.units(len(forget), len(controls))
    scores = cross_fitted(_features([*forget, *controls]), member, folds(member, units, seed=seed), seed)
    measure = auc_measure(scores[member == 1], scores[member == 0], **pairing.labels)
    return blind_result(measure.at(confidence), limit)


def _features(documents: list[Document]) -> FloatArray:
    from sklearn.feature_extraction.text import HashingVectorizer

    texts = [" ".join(map(str, one.words)) for one in documents]
    words = HashingVectorizer(n_features=WORDS, alternate_sign=False, token_pattern=r"\S+").transform(texts).toarray()
    plain = np.array([_plain(text) for text in texts])
    return np.asarray(np.column_stack([words, plain]), dtype=np.float64)


def _plain(text: str) -> tuple[float, ...]:
    raw = text.encode(errors="surrogatepass")
    digits = sum(letter.isdigit() for letter in text)
    return len(raw), len(zlib.compress(raw)) / max(1, len(raw)), digits / max(1, len(text))
