"""Reference difference: a model's statistic minus the references' mean, example by example.

Source: offline LiRA with a fixed variance (Carlini et al. 2022); with K references and within-example deviation d its
AUC is Phi(d / sqrt(2 (1 + 1/K))).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pytest_unlearn.attacks.setting import Pairing, Signal
from pytest_unlearn.evidence import Answers, Scores


def reference_difference(signal: Signal, target: Answers, references: Sequence[Answers], pairing: Pairing) -> Scores:
    """Is the model more confident on the forget set than the references are? AUC 0.5 if forgotten."""
    forget, controls = signal(target.forget), signal(target.controls)
    return Scores(
        forget=forget - np.mean([signal(reference.forget) for reference in references], axis=0),
        controls=controls - np.mean([signal(reference.controls) for reference in references], axis=0),
        tie_share=pairing.tie_share(forget, controls),
    )
