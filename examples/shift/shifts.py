"""Five requests whose law is not that of the test set, and what is known of each without a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression

from examples.fashion_mnist import fashion_mnist
from examples.wages.panel import LABEL, PERSON, wage_panel
from pytest_unlearn import Split
from pytest_unlearn.data.matching import Match

YEAR = 1987
OUTSIDE = 3000  # images that nobody asks about: they say what is hard, and train no model that is audited


@dataclass(frozen=True, slots=True)
class Shift:
    """A request by another law: `split(draw, match)`, what it was chosen by, and how a release is judged."""

    split: Callable[[int, Match], Split]
    known: Match
    release: Match = "class"  # beside references
    limit: float = 0.6  # of a release


def one_style(draw: int, match: Match = "class") -> Split:
    """Delete one of three ways to write each digit, as a writer would have one."""
    x, y = _digits()
    order = np.random.default_rng(draw).permutation(len(y))
    train, test = np.split(order, [len(y) // 2])
    forget = np.flatnonzero(style(x[train], y[train]) == draw % 3)
    return Split((x[train], y[train]), forget=forget, test=(x[test], y[test]), match=match)


def bright_images(draw: int, match: Match = "class") -> Split:
    """Delete 300 of 1,500 pictures of clothes, the brighter the likelier."""
    x, y = _clothes()
    random = np.random.default_rng(draw)
    train, test = np.split(random.permutation(len(y))[:2400], [1500])
    chance = np.exp(8.0 * x[train].mean(axis=1))
    forget = random.choice(len(train), 300, replace=False, p=chance / chance.sum())
    return Split((x[train], y[train]), forget=forget, test=(x[test], y[test]), match=match)


def hardest_tenth(draw: int, match: Match = "class") -> Split:
    """Delete the tenth of 2,000 pictures of clothes that a model of other pictures finds hardest."""
    x, y = _clothes()
    train, test = np.split(np.random.default_rng(draw).permutation(len(y))[:4000], [2000])
    forget = np.argsort(-difficulty(x[train], y[train]), kind="stable")[: len(train) // 10]
    return Split((x[train], y[train]), forget=np.sort(forget), test=(x[test], y[test]), match=match)


def one_year(draw: int, match: Match = "class") -> Split:
    """Delete a survey of 1987: 240 men who were asked in that year alone, beside 65 men in other years.

    The men of the test set were asked in every year.
    """
    table = wage_panel()
    order = np.random.default_rng(draw).permutation(table[PERSON].unique())
    asked, others, unseen = np.split(order, [240, 305])
    goes = table[PERSON].isin(asked) & (table.year == YEAR)
    stays = table[PERSON].isin(others) & (table.year != YEAR)
    columns = table.drop(columns=[PERSON])
    train = columns[goes | stays].reset_index(drop=True)
    test = columns[table[PERSON].isin(unseen)].drop_duplicates().reset_index(drop=True)
    seen = {tuple(row) for row in train.drop(columns=LABEL).itertuples(index=False)}
    new = [tuple(row) not in seen for row in test.drop(columns=LABEL).itertuples(index=False)]
    return Split((train, LABEL), forget=(train.year == YEAR).to_numpy(), test=(test[new], LABEL), match=match)


def large_tumours(draw: int, match: Match = "class") -> Split:
    """Delete 150 of 320 biopsies, the larger the nuclei the likelier."""
    x, y = load_breast_cancer(return_X_y=True)
    random = np.random.default_rng(draw)
    train, test = np.split(random.permutation(len(y)), [320])
    chance = x[train, 0]
    forget = random.choice(len(train), 150, replace=False, p=chance / chance.sum())
    return Split((x[train], y[train]), forget=forget, test=(x[test], y[test]), match=match)


def style(x: Any, y: Any) -> Any:
    """Return which of three clusters of its digit each picture is nearest to."""
    return np.array([_styles()[int(label)].predict(row[None])[0] for row, label in zip(x, y, strict=True)])


def difficulty(x: Any, y: Any) -> Any:
    """Return minus the probability of the label, in a model of pictures that are in no split."""
    return -_outside().predict_proba(x)[np.arange(len(y)), np.asarray(y)]


def brightness(x: Any, _: Any) -> Any:
    """Return the mean of each picture's pixels."""
    return x.mean(axis=1)


def radius(x: Any, _: Any) -> Any:
    """Return the mean radius of nuclei."""
    return x[:, 0]


SHIFTS = {
    "one style": Shift(one_style, ("class", style)),
    "bright images": Shift(bright_images, brightness),
    "hardest tenth": Shift(hardest_tenth, difficulty, release=difficulty, limit=0.65),
    "one year": Shift(one_year, "year"),
    "large tumours": Shift(large_tumours, radius),
}


@cache
def _digits() -> tuple[Any, Any]:
    x, y = load_digits(return_X_y=True)
    return x / 16, y


@cache
def _styles() -> list[KMeans]:
    x, y = _digits()
    return [KMeans(3, n_init=1, random_state=0).fit(x[y == label]) for label in range(10)]


@cache
def _clothes() -> tuple[Any, Any]:
    """Fashion-MNIST's 10,000 test images as 7 x 7 pixels, each once."""
    _, _, x, y = fashion_mnist()
    small = x.reshape(len(x), 7, 4, 7, 4).mean(axis=(2, 4)).reshape(len(x), -1)
    first = np.sort(np.unique(small, axis=0, return_index=True)[1])
    return small[first], y[first]


@cache
def _outside() -> LogisticRegression:
    x, y, _, _ = fashion_mnist()
    small = x[:OUTSIDE].reshape(OUTSIDE, 7, 4, 7, 4).mean(axis=(2, 4)).reshape(OUTSIDE, -1)
    return LogisticRegression(max_iter=200).fit(small, y[:OUTSIDE])
