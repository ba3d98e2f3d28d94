"""Customers as a company has them: several rows each, names of plans, missing values, labels of text."""

from __future__ import annotations

import numpy as np
import pytest


def customers(count: int, seed: int, first: int = 0):
    """Return a frame of `count` customers with ids from `first` on, 2 to 6 rows each, and its column "churn"."""
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng([seed, first])
    who = np.repeat(np.arange(count), rng.integers(2, 7, count))
    traits = rng.normal(size=(count, 3))
    frame = pandas.DataFrame(traits[who] + 0.3 * rng.normal(size=(len(who), 3)), columns=["income", "usage", "calls"])
    plan = rng.choice(["basic", "plus", "pro"], count)
    frame.insert(0, "customer_id", first + who)
    frame["plan"], frame["region"] = plan[who], pandas.Categorical(rng.choice(["n", "s", "e", "w"], len(who)))
    frame.loc[rng.random(len(who)) < 0.05, "usage"] = np.nan
    score = traits[:, 0] - traits[:, 1] + 0.5 * (plan == "pro") + rng.normal(size=count)
    frame["churn"] = np.where(score > 0.3, "leaves", "stays")[who]
    return frame


NUMBERS, NAMES = ["income", "usage", "calls"], ["plan", "region"]


def pipeline(classifier=None):
    """Return a pipeline over such frames that finds its columns by name."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer((encoder, NAMES), ("passthrough", NUMBERS))
    default = HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=3)
    return make_pipeline(columns, default if classifier is None else classifier)
