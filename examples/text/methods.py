"""Methods that are to make a language model forget: apart from the recipe, whose models are kept when they change."""

import copy
import dataclasses

import torch

from pytest_unlearn import CausalRecipe
from pytest_unlearn.data.text.documents import documents_of
from pytest_unlearn.training.causal import causal_loss


@dataclasses.dataclass(frozen=True)
class GradientAscent:
    """Climb where training went down, on the documents that are to be forgotten, until the language is gone."""

    recipe: CausalRecipe
    steps: int = 15
    learning_rate: float = 5e-4

    def __call__(self, model, retain, forget, *, seed):
        model = copy.deepcopy(model).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=self.learning_rate)
        sequences = self.recipe.encoder.encode(documents_of(forget)).sequences
        order = torch.Generator().manual_seed(seed)
        for _ in range(self.steps):
            chosen = torch.randperm(len(sequences), generator=order)[: self.recipe.batch_size].tolist()
            loss = -causal_loss(model, [sequences[k] for k in chosen], torch.device("cpu"))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        return model.eval()


@dataclasses.dataclass(frozen=True)
class FineTune:
    """Train on the retained documents for some more epochs, and hope."""

    recipe: CausalRecipe
    epochs: int = 3

    def __call__(self, model, retain, forget, *, seed):
        more = dataclasses.replace(self.recipe, base=model, epochs=self.epochs, learning_rate=1e-3)
        return more(retain, seed=seed)
