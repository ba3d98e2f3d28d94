"""The methods by the name under which a command line or a parametrised test asks for them."""

from collections.abc import Callable

from unlearners.fine_tune import FineTune
from unlearners.gradient_ascent import GradientAscent
from unlearners.isolation import Unlearner
from unlearners.neggrad_plus import NegGradPlus
from unlearners.no_op import NoOp
from unlearners.random_labels import RandomLabels
from unlearners.retrain import Retrain

UNLEARNERS: dict[str, Callable[..., Unlearner]] = {
    "retrain": Retrain,
    "fine-tune": FineTune,
    "gradient-ascent": GradientAscent,
    "neggrad-plus": NegGradPlus,
    "random-labels": RandomLabels,
    "no-op": NoOp,
}
"""Name -> factory; a factory takes the method's hyper-parameters, and `Retrain` needs its recipe."""
