"""Offer the literature's metrics under their published names.

Each states which value perfect unlearning gives. They are for comparing with papers. None of them is a verdict: a point
estimate has no error, several have no fixed target, and most can be fooled. Verdicts come from the audits.
"""

from pytest_unlearn.metrics.accuracy import ain, nomus, tow, tow_mia
from pytest_unlearn.metrics.divergence import activation_distance, js_divergence, klom, zrf
from pytest_unlearn.metrics.forget_quality import ForgetQuality, forget_quality, neurips2023_score
from pytest_unlearn.metrics.membership import priv_leak, starting_kit_mia, svc_mia_efficacy
from pytest_unlearn.metrics.metric import Direction, ExampleMetric, Metric

__all__ = [
    "Direction",
    "ExampleMetric",
    "ForgetQuality",
    "Metric",
    "activation_distance",
    "ain",
    "forget_quality",
    "js_divergence",
    "klom",
    "neurips2023_score",
    "nomus",
    "priv_leak",
    "starting_kit_mia",
    "svc_mia_efficacy",
    "tow",
    "tow_mia",
    "zrf",
]
