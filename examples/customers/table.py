"""A table as a company has it: several rows a customer, names of plans, missing values, and what came of it."""

import numpy as np
import pandas as pd


def customers(count: int = 1500, seed: int = 0) -> pd.DataFrame:
    """Make the table; its column "churn" is what a model is to predict."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(count), rng.integers(2, 7, count))
    traits, plan = rng.normal(size=(count, 3))[who], rng.choice(["basic", "plus", "pro"], count)[who]
    table = pd.DataFrame({"customer_id": who, "plan": plan, "region": rng.choice(["north", "south"], len(who))})
    table[["income", "usage", "calls"]] = traits + 0.3 * rng.normal(size=traits.shape)
    table.loc[rng.random(len(who)) < 0.05, "usage"] = np.nan
    leaves = traits[:, 0] - traits[:, 1] + (plan == "pro") + 2 * rng.normal(size=count)[who] > 0.5
    return table.assign(churn=np.where(leaves, "leaves", "stays"))
