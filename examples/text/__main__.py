"""Audit an original, a fine-tuned and a retrained model: `python -m examples.text light 3`."""

import sys

from examples.text.language_models import HEAVY, LIGHT, recipe, split
from examples.text.methods import FineTune
from pytest_unlearn import UnlearningTask, audit_text_forgotten, audit_text_utility

LIMIT = 0.65


def main(epochs: int, draws: int) -> None:
    """Print a line a model and draw: verdict and AUC, and what it lost."""
    for draw in range(draws):
        own = recipe(epochs, draw)
        task = UnlearningTask(split(draw), own, seed=10_000 * draw)
        for name, model in {
            "original": task.original,
            "fine-tuned": task.unlearn(FineTune(own)),
            "retrained": task.train_on([task.retain], first_seed=task.seed + 77)[0],
        }.items():
            found = audit_text_forgotten(model, task.forget, LIMIT)
            drop = audit_text_utility(model, task.test, baseline="retrained")
            attacks = ", ".join(f"{one} {estimate.value:.3f}" for one, estimate in found.attacks.items())
            print(
                f"draw {draw} {name:10} {found.verdict} ({attacks}); utility {drop.verdict} {drop.estimate.value:+.3f}"
            )
            print(f"    {found.reasons[:2]}", flush=True)


if __name__ == "__main__":
    main({"light": LIGHT, "heavy": HEAVY}[sys.argv[1]], int(sys.argv[2]))
