"""Score documents beside their own counterfactual twins, in the place of controls.

The score of a document is how much more probable it is than its twin, and that of the twin the same with the other
sign: AUC .5 where documents and twins are interchangeable (the signed-rank statistic), clustered by pair.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.attacks.text.references import TextSignal, window_share
from pytest_unlearn.attacks.thresholds import revealed
from pytest_unlearn.core.evidence import FloatArray, Scores
from pytest_unlearn.core.token_scores import TextAnswers


def twin_difference(
    signal: TextSignal, target: TextAnswers, references: Sequence[TextAnswers], pairing: Pairing
) -> Scores:
    """Score by a signal less the twin's, beyond what any references prefer.

    AUC 0.5 if forgotten with references; without them for a model that also finds swapped names as likely as true ones.
    """
    forget, controls = revealed(signal, target)  # type: ignore[arg-type]
    usual = [signal(one.forget) - signal(one.controls) for one in references]
    return _paired(forget - controls - (np.mean(usual, axis=0) if usual else 0.0), pairing)


def twin_windows(target: TextAnswers, references: Sequence[TextAnswers], pairing: Pairing) -> Scores:
    """Score by the windows above references, less the twin's: AUC 0.5 if forgotten."""
    forget, controls = (
        window_share(getattr(target, side), [getattr(one, side) for one in references])
        for side in ("forget", "controls")
    )
    return _paired(forget - controls, pairing)


def _paired(preference: FloatArray, pairing: Pairing) -> Scores:
    return Scores(forget=preference, controls=-preference, tie_share=pairing.tie_share(preference, -preference))
