"""What was trained on 750 customers, of whom 25 asked to be forgotten; 750 others were never seen."""

import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from examples.customers.table import customers
from pytest_unlearn import EstimatorRecipe, Split
from unlearners import Retrain

COLUMNS = make_column_transformer(
    (OneHotEncoder(sparse_output=False), ["plan", "region"]), ("passthrough", ["income", "usage", "calls"])
)
PIPELINE = make_pipeline(COLUMNS, HistGradientBoostingClassifier(max_iter=100, min_samples_leaf=2))


@pytest.fixture(scope="session")
def unlearn_split():
    table = customers()
    trained = table.customer_id < 750
    return Split((table[trained], "churn"), forget={"customer_id": range(25)}, test=(table[~trained], "churn"))


@pytest.fixture(scope="session")
def unlearn_recipe():
    return EstimatorRecipe(PIPELINE)


@pytest.fixture(scope="session")
def unlearner(unlearn_recipe):
    return Retrain(unlearn_recipe)
