"""Explain the words of a report, and link each where it is first used in a text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

TERMS: Mapping[str, str] = {
    "forget set": "the training examples that have to be forgotten: what the request asks to delete",
    "controls": "examples that no model was trained on, which the forget set is compared with",
    "original": "the model that was trained on everything, before unlearning",
    "retrained": "trained from the start without the forget set: how a model looks that has never seen it",
    "membership": "whether an example was in the training data; an attack guesses it from a model's behaviour",
    "attack": "a score for each example, higher for what looks like training data, and the statistic that judges it",
    "AUC": "how often a deleted example looks more like training data than one never used: 0.5 is chance, 1 always",
    "bounds": "a number is known up to chance alone: each bound holds at the stated confidence, by itself",
    "corrected": "bounds that allow for how many attacks looked, so that an honest model is not accused by luck (Holm)",
    "deciding": "an attack that PASS depends on; it must lie within the limit on both sides",
    "tripwire": "an attack that PASS does not depend on, and that can make the verdict FAIL",
    "recognisable": "the forget set still looks like training data",
    "over-forgotten": "the model is conspicuously bad on the forget set, which gives it away as well",
    "not testable": "not even the original shows the data plainly enough, so that nothing could be proven of any model",
    "INCONCLUSIVE": "neither proven nor refuted: too few examples, or a control is missing",
    "INVALID": "the audit cannot be interpreted, since one of its own checks fails",
    "gate": "the decision to release: every required claim was proven, in a complete run",
    "share left": "how much of what the original showed is left in this model, from 0 to 1",
}
"""In plain words; docs/glossary.md has more of them."""
PATTERN = re.compile(r"(?<![\w-])(" + "|".join(sorted(map(re.escape, TERMS), key=len, reverse=True)) + r")(?![\w-])")


def anchor(term: str) -> str:
    """Return the fragment that a term is explained at."""
    return "term-" + re.sub(r"\W+", "-", term.lower())


def linked(text: str) -> str:
    """Return a text as HTML, the first use of each term linked."""
    seen: set[str] = set()

    def link(found: re.Match[str]) -> str:
        term = found[0]
        if term in seen:
            return term
        seen.add(term)
        return f'<a href="#{anchor(term)}">{term}</a>'

    return PATTERN.sub(link, escape(text).replace("&#x27;", "&#39;"))
