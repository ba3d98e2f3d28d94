"""Tiny language models trained on the spot."""

from transformers import GPT2Config, GPT2LMHeadModel

from examples.text.documents import TOKENS, VOCABULARY, corpus
from pytest_unlearn import CausalRecipe, TextSplit

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
