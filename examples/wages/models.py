"""What is trained on the panel, and ways to take persons out of it again."""

from __future__ import annotations

from typing import Any

from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from xgboost import XGBClassifier

from examples.wages.panel import PERSON
from pytest_unlearn import EstimatorRecipe


def pipeline(classifier: Any) -> Pipeline:
    """Leave the number of the person out."""
    return make_pipeline(make_column_transformer(("drop", [PERSON]), remainder="passthrough"), classifier)


RECIPES = {
    "random forest": EstimatorRecipe(pipeline(RandomForestClassifier(100))),
    "histogram boosting": EstimatorRecipe(pipeline(HistGradientBoostingClassifier(max_iter=200, min_samples_leaf=2))),
    "XGBoost": EstimatorRecipe(pipeline(XGBClassifier(n_estimators=200, n_jobs=1))),
    "LightGBM": EstimatorRecipe(pipeline(LGBMClassifier(n_estimators=200, min_child_samples=2, n_jobs=1, verbose=-1))),
}
MORE_TREES = {"XGBoost": "xgb_model", "LightGBM": "init_model"}  # what a fit goes on from


def boost_on(name: str, model: Pipeline, retain: Any) -> Pipeline:
    """Go on boosting for 50 trees on what is retained: fine-tuning, of trees."""
    columns, classifier = model[0], model[-1]
    rows, labels = retain.arrays()
    more = clone(classifier).set_params(n_estimators=50)
    more.fit(columns.transform(rows), labels, **{MORE_TREES[name]: _of(classifier)})
    return Pipeline([("columns", columns), ("more", more)])


def _of(classifier: Any) -> Any:
    return classifier.get_booster() if isinstance(classifier, XGBClassifier) else classifier.booster_
