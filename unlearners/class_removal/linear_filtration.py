"""Map the logits linearly, so that a class disappears."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from unlearners._core.distillation import answers
from unlearners._core.isolation import Examples, Unsupported
from unlearners._core.layers import last_linear, require_classes, require_untied
from unlearners._core.method import NetworkMethod
from unlearners._core.training import stack
from unlearners.class_removal.whole_classes import whole_classes

NEVER = -1e4


@dataclass(frozen=True, kw_only=True)
class LinearFiltration(NetworkMethod):
    """Multiply weight and bias of the last layer by F = B A^-1.

    Source: Baumhauer, Schoettle and Zeppelzauer 2022, "Machine unlearning: linear filtration for logit-based
    classifiers". Column c of A is the mean logit vector of class c, over retain and forget, in eval mode. B is A
    without the rows of the forgotten classes, and with their columns replaced, so that the mean logits of a kept class
    stay as they are and those of a forgotten class become what `mode` sets:

    "normalise": as they were, shifted together so that their mean is the mean of B's other columns. Softmax does not
        see the shift: the kept class that the network finds likeliest for a forgotten one stays likeliest.
    "randomise": standard normal numbers, one draw a class.
    "zero": zero, which is the uniform distribution.

    Shallow by design: every layer before the last is bit-identical, and so is the representation of the forgotten
    data, which anybody who holds the weights can read out. No guarantee. Only whole classes can be forgotten.

    Defaults: the paper's proposal is "normalise", as in the authors' code. That removes the outputs of the forgotten
    classes; here the shape of the output stays, and their logit is -10000, a probability of zero (without a bias in
    the last layer: the mean of the kept logits, which is never the largest). Logits of classes that neither set holds
    are not touched. A singular A is taken by its pseudo-inverse where that reproduces B up to a shift of all logits of
    a class, which softmax does not see, and refused otherwise.
    """

    mode: Literal["normalise", "randomise", "zero"] = "normalise"

    def __post_init__(self) -> None:
        if self.mode not in ("normalise", "randomise", "zero"):
            raise ValueError(f'mode is "normalise", "randomise" or "zero": {self}')

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        model.eval()
        (x, y), (gone, labels) = stack(retain, model), stack(forget, model)
        require_classes(model, x, "LinearFiltration")
        _, layer = last_linear(model, x, "LinearFiltration")
        require_untied(model, layer, "LinearFiltration")
        if not all(p.requires_grad for p in layer.parameters()):
            raise Unsupported("LinearFiltration changes the last layer alone, and that layer is frozen.")
        removed = whole_classes(y.tolist(), labels.tolist(), "LinearFiltration")
        everyone = torch.cat([y, labels])
        present = torch.tensor(sorted({*everyone.tolist()}), device=y.device)
        lost = torch.isin(present, torch.tensor(removed, device=y.device))
        logits = torch.cat([answers(model, x), answers(model, gone)])
        means = class_means(logits, everyone, present)
        target = self.target(means, lost, order)
        replace_logits(layer, filtration(means, target, logits.dtype), present, ~lost)

    def target(self, means: Tensor, lost: Tensor, order: Generator) -> Tensor:
        """Compute B: the mean logits that the kept outputs shall have, by class."""
        target = means[~lost].clone()
        if self.mode == "normalise":
            target[:, lost] += target[:, ~lost].mean() - target[:, lost].mean(0)
        else:
            draw = torch.randn(target[:, lost].shape, generator=order, dtype=target.dtype).to(target.device)
            target[:, lost] = draw if self.mode == "randomise" else 0.0
        return target


def class_means(logits: Tensor, y: Tensor, classes: Tensor) -> Tensor:
    """Compute A: the mean logits of each class, a column a class."""
    return torch.stack([logits[y == c][:, classes].double().mean(0) for c in classes], 1)


def filtration(means: Tensor, target: Tensor, dtype: torch.dtype) -> Tensor:
    """Solve for F = B A^-1."""
    # Below the rounding of the logits a singular value is zero: logits that sum to zero make A singular.
    rounding = 10 * len(means) * torch.finfo(dtype).eps
    result: Tensor = target @ torch.linalg.pinv(means, rtol=rounding)
    miss = result @ means - target
    if float((miss - miss.mean(0)).abs().max()) > rounding**0.5 * float(means.abs().max()):
        raise Unsupported(
            "LinearFiltration needs a network whose classes have linearly independent mean logits, and these do not."
        )
    return result


def replace_logits(layer: nn.Linear, result: Tensor, present: Tensor, kept: Tensor) -> None:
    """Give F z to the kept classes, and a logit that never wins to the others."""
    with torch.no_grad():
        for parameter in layer.parameters():
            mapped = result @ parameter[present].double()
            parameter[present[kept]] = mapped.to(parameter.dtype)
            parameter[present[~kept]] = 0.0 if layer.bias is not None else mapped.mean(0).to(parameter.dtype)
        if layer.bias is not None:
            layer.bias[present[~kept]] = NEVER
