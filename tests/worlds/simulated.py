"""Models whose outputs are drawn from a known law, so that an audit's verdict has a right answer."""

from __future__ import annotations

import numpy as np

from pytest_unlearn import SavedOutputs, Split, UnlearningTask

CLASSES = 4


def split(n_forget=600, n_controls=3000, n_retain=50, seed=0, **kwargs):
    """Inputs that say nothing; labels 0..3."""
    rng = np.random.default_rng(seed)

    def part(n):
        return rng.normal(size=(n, 3)), np.arange(n) % CLASSES

    train, test = part(n_forget + n_retain), part(n_controls)
    return Split(train, forget=np.arange(n_forget), test=test, **kwargs)


class World:
    """Each example has a difficulty; a model adds its own noise, and `boost` on the forget set if it remembers it.

    `skill` is how far above the others a model that never saw an example puts its true label's logit.
    """

    def __init__(self, data, seed=0, difficulty=2.0, skill=2.0, classes=CLASSES):
        self.split, self.seed, self.skill = data, seed, skill
        rng = np.random.default_rng(seed)
        self.labels = {"forget": data.train.labels[data.forget_indices], "test": data.test.labels}
        self.centres = {side: rng.normal(0, difficulty, (len(y), classes)) for side, y in self.labels.items()}

    def model(self, boost=0.0, control_boost=0.0, seed=0):
        """A model; `boost` is added to the true label's logit on the forget set."""
        rng, parts = np.random.default_rng([self.seed, seed]), {}
        for side, push in (("forget", boost), ("test", control_boost)):
            logits = self.centres[side] + rng.normal(size=self.centres[side].shape)
            logits[np.arange(len(logits)), self.labels[side]] += push + self.skill
            parts[side] = logits
        return SavedOutputs(**parts)

    def task(self, references=4, boost=1.5, **kwargs):
        """A task whose original remembers the forget set by `boost`."""
        return UnlearningTask(
            self.split, original=self.original(boost), references=self.references(references), **kwargs
        )

    def original(self, boost):
        """A model of its own seed that remembers the forget set by `boost`."""
        return self.model(boost, seed=999)

    def references(self, count):
        """Models that never saw the forget set."""
        return [self.model(seed=1000 + k) for k in range(count)]


def changed(model, forget=None, both=None):
    """The same saved model with its logits passed through a function."""
    parts = dict(model.parts)
    if both is not None:
        parts = {name: both(part) for name, part in parts.items()}
    if forget is not None:
        parts["forget"] = forget(parts["forget"])
    return SavedOutputs(**parts)
