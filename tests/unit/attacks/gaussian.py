"""Answers whose logit-scaled confidence is drawn from known normal laws."""

from __future__ import annotations

import numpy as np

from pytest_unlearn.core.evidence import Answers, Outputs


def binary(values):
    """Outputs of a two-class model whose logit-scaled confidence is `values`."""
    values = np.asarray(values, dtype=float)
    return Outputs(logits=np.stack([values, np.zeros_like(values)], axis=1), labels=np.zeros(len(values), dtype=int))


def answers(forget, controls, **rest):
    """A model's answers, from its confidence on both sets."""
    return Answers(forget=binary(forget), controls=binary(controls), **rest)


class Population:
    """Example i has a level a_i ~ N(0, spread^2); a model's confidence is N(a_i, 1), and `shift` more if it saw it."""

    def __init__(self, forget, controls, spread=3.0, seed=0):
        self.rng = np.random.default_rng(seed)
        self.levels = [self.rng.normal(0, spread, count) for count in (forget, controls)]

    def model(self, shift=0.0, **rest):
        """The answers of a model of its own seed; `shift` is a number or an array over the forget set."""
        drawn = [level + self.rng.normal(size=len(level)) for level in self.levels]
        return answers(drawn[0] + shift, drawn[1], **rest)

    def models(self, count):
        """As many that never saw the forget set."""
        return [self.model() for _ in range(count)]
