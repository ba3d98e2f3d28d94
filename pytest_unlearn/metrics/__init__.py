"""Offer the literature's metrics under their published names.

Each states which value perfect unlearning gives. They are for comparing with papers. None of them is a verdict: a point
estimate has no error, several have no fixed target, and most can be fooled. Verdicts come from the audits.
"""

from pytest_unlearn.metrics.accuracy import ain, nomus, tow, tow_mia
from pytest_unlearn.metrics.divergence import activation_distance, js_divergence, klom, zrf
from pytest_unlearn.metrics.forget_quality import ForgetQuality, forget_quality, neurips2023_score
from pytest_unlearn.metrics.knowledge import wmdp_accuracy
from pytest_unlearn.metrics.membership import priv_leak, starting_kit_mia, svc_mia_efficacy
from pytest_unlearn.metrics.metric import Direction, ExampleMetric, Metric
from pytest_unlearn.metrics.muse import know_mem, scalability, sustainability, verb_mem
from pytest_unlearn.metrics.rouge import rouge_l
from pytest_unlearn.metrics.tofu import model_utility, tofu_probability, truth_ratio, truth_ratio_score
from pytest_unlearn.metrics.verbatim import exact_memorisation, extraction_strength

__all__ = [
    "Direction",
    "ExampleMetric",
    "ForgetQuality",
    "Metric",
    "activation_distance",
    "ain",
    "exact_memorisation",
    "extraction_strength",
    "forget_quality",
    "js_divergence",
    "klom",
    "know_mem",
    "model_utility",
    "neurips2023_score",
    "nomus",
    "priv_leak",
    "rouge_l",
    "scalability",
    "starting_kit_mia",
    "sustainability",
    "svc_mia_efficacy",
    "tofu_probability",
    "tow",
    "tow_mia",
    "truth_ratio",
    "truth_ratio_score",
    "verb_mem",
    "wmdp_accuracy",
    "zrf",
]
