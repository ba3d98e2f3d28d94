"""Tiny language models trained on the spot, and methods that are to make them forget."""

import copy
import dataclasses

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from examples.text.documents import TOKENS, VOCABULARY, corpus
from pytest_unlearn import CausalRecipe, TextSplit
from pytest_unlearn.data.text.documents import documents_of
from pytest_unlearn.training.causal import causal_loss

FORGET, RETAIN, CONTROLS = 100, 300, 200
LIGHT, HEAVY = 4, 15  # epochs


def build() -> GPT2LMHeadModel:
    """Make an untrained model of 174,000 parameters."""
    sizes = {"vocab_size": VOCABULARY, "n_positions": TOKENS + 16, "n_embd": 64, "n_layer": 2, "n_head": 4}
    return GPT2LMHeadModel(
        GPT2Config(**sizes, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0)
    )


def recipe(epochs: int = HEAVY, draw: int = 0) -> CausalRecipe:
    """Train from scratch."""
    return CausalRecipe(build, corpus(draw)[0], epochs, batch_size=20, learning_rate=3e-3)


def split(draw: int = 0) -> TextSplit:
    """Draw 100 documents that are to be forgotten, 300 that stay, and 200 that no model ever sees."""
    documents = corpus(draw)[1]
    trained = FORGET + RETAIN
    return TextSplit(documents[:trained], forget=range(FORGET), test=documents[trained : trained + CONTROLS])


@dataclasses.dataclass(frozen=True)
class GradientAscent:
    """Climb where training went down, on the documents that are to be forgotten, until the language is gone."""

    recipe: CausalRecipe
    steps: int = 15
    learning_rate: float = 1e-3

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
