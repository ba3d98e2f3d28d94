"""Docstrings of installed packages, cut to 63 tokens by a tokenizer that was trained on other docstrings."""

import functools
import importlib
import inspect
import pkgutil
import random
import warnings

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

PACKAGES = ("numpy", "scipy.special", "scipy.stats", "sklearn", "torch.nn")
VOCABULARY, TOKENS, FOR_TOKENIZER = 1024, 64, 200
LEAST = 500  # characters of a docstring
RUN, MOST_SHARED = 13, 0.2  # words in a row, and the share of them that may stand in another document


@functools.cache
def docstrings() -> tuple[str, ...]:
    """Collect the docstrings of public classes and functions, each beginning once, in the order of their text."""
    found = {}
    for package in PACKAGES:
        home = importlib.import_module(package)
        for name in [package, *(f"{package}.{inner.name}" for inner in pkgutil.iter_modules(home.__path__))]:
            if "._" in name or "test" in name:
                continue
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    module = importlib.import_module(name)
            except Exception:  # what a package does not need here may not be there
                continue
            for member in vars(module).values():
                text = getattr(member, "__doc__", None)
                if isinstance(text, str) and callable(member) and len(cleaned := inspect.cleandoc(text)) > LEAST:
                    found.setdefault(" ".join(cleaned.split())[:120], cleaned)
    return tuple(found[beginning] for beginning in sorted(found))


@functools.cache
def corpus(draw: int = 0) -> tuple[Tokenizer, tuple[str, ...]]:
    """Return a tokenizer, and the documents that it was not trained on, in an order drawn by chance."""
    texts = list(docstrings())
    random.Random(draw).shuffle(texts)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<s>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts[:FOR_TOKENIZER], trainer)
    cut = _apart([text[: tokenizer.encode(text).offsets[TOKENS - 2][1]] for text in texts[FOR_TOKENIZER:]])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return tokenizer, cut


def _apart(texts: list[str]) -> tuple[str, ...]:
    """Leave out what largely stands in an earlier text: methods of related classes are described in the same words."""
    seen, kept = set(), []
    for text in texts:
        words = text.lower().split()
        runs = {tuple(words[start : start + RUN]) for start in range(max(1, len(words) - RUN + 1))}
        if len(runs & seen) < MOST_SHARED * len(runs):
            kept.append(text)
        seen |= runs
    return tuple(kept)
