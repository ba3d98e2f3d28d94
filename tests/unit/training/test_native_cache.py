"""Boosted models and trees are stored without pickle, come back the same, and are checked when they do."""

import functools
import hashlib
import importlib
import importlib.util
import json
import pickle
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from pytest_unlearn import EstimatorRecipe, Split, UnlearningTask, Verdict, audit_utility
from pytest_unlearn.core import seal
from pytest_unlearn.models.adapters import model_digest
from pytest_unlearn.training import Store
from pytest_unlearn.training.cache import native
from pytest_unlearn.training.cache.serialize import decode, encode
from pytest_unlearn.training.cache.store import Payload
from pytest_unlearn.training.cache.tree_checks import check_native, check_trees
from tests.worlds.customers import customers, pipeline

X, Y = load_breast_cancer(return_X_y=True)
X, TEXT = X[:, :8], np.where(Y == 1, "benign", "malignant")
THREE = Y + (X[:, 0] > 15)
KEY = "b" * 64


def xgboost(**settings):
    return pytest.importorskip("xgboost").XGBClassifier(n_estimators=5, n_jobs=1, **settings)


def lightgbm(**settings):
    return pytest.importorskip("lightgbm").LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1, **settings)


def catboost(**settings):
    settings = {"iterations": 5, "verbose": False, "allow_writing_files": False, "thread_count": 1, **settings}
    return pytest.importorskip("catboost").CatBoostClassifier(**settings)


MADE = {
    "forest": lambda: RandomForestClassifier(3).fit(X, TEXT),
    "forest by leaves": lambda: ExtraTreesClassifier(3, max_leaf_nodes=9).fit(X, THREE),
    "one tree": lambda: DecisionTreeClassifier().fit(X, Y),
    "gradient boosting": lambda: GradientBoostingClassifier(n_estimators=3).fit(X, THREE),
    "histogram boosting": lambda: HistGradientBoostingClassifier(max_iter=3).fit(X, THREE),
    "ada boost": lambda: AdaBoostClassifier(n_estimators=3).fit(X, Y),
    "bagging": lambda: BaggingClassifier(n_estimators=3, max_features=0.5).fit(X, TEXT),
    "calibrated": lambda: CalibratedClassifierCV(HistGradientBoostingClassifier(max_iter=2), cv=2).fit(X, TEXT),
    "isotonic": lambda: CalibratedClassifierCV(RandomForestClassifier(2), method="isotonic", cv=2).fit(X, Y),
    "search": lambda: GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}, cv=2).fit(X, Y),
    "vote": lambda: VotingClassifier([("a", RandomForestClassifier(2)), ("b", LogisticRegression(max_iter=9))],
                                     voting="soft").fit(X, Y),
    "stack": lambda: StackingClassifier([("a", RandomForestClassifier(2))], cv=2).fit(X, Y),
    "xgboost": lambda: xgboost().fit(X, Y),
    "xgboost dart": lambda: xgboost(booster="dart").fit(X, THREE),
    "xgboost stopped early": lambda: xgboost(early_stopping_rounds=1).fit(X, Y, eval_set=[(X, 1 - Y)], verbose=False),
    "xgboost of lines": lambda: xgboost(booster="gblinear").fit(X, Y),
    "lightgbm": lambda: lightgbm().fit(X, TEXT),
    "catboost": lambda: catboost().fit(X, TEXT),
    "xgboost in a pipeline": lambda: make_pipeline(StandardScaler(), xgboost()).fit(X, THREE),
    "lightgbm calibrated": lambda: CalibratedClassifierCV(lightgbm(), cv=2).fit(X, TEXT),
    "lightgbm one a class": lambda: OneVsRestClassifier(lightgbm()).fit(X, THREE),
    "catboost in a search": lambda: GridSearchCV(catboost(), {"depth": [1, 2]}, cv=2).fit(X, Y),
    "three votes": lambda: VotingClassifier([("a", xgboost()), ("b", lightgbm()), ("c", catboost())],
                                            voting="soft").fit(X, Y),
}  # fmt: skip


NATIVE = ("xgboost", "lightgbm", "catboost", "three")


@pytest.mark.parametrize("name", MADE)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_model_comes_back_with_the_same_answers_classes_and_digest(name):
    model = MADE[name]()
    payload = encode(model)
    again = decode(payload)
    assert (model.predict_proba(X) == again.predict_proba(X)).all()
    assert model.classes_.tolist() == again.classes_.tolist()
    assert model_digest(model) == model_digest(again) != ""
    assert payload.kind == (
        "native"
        if any(word in name for word in ("boost ", "xgb", "lightgbm", "catb", "three")) and name != "ada boost"
        else "skops"
    )
    other = decode(Payload(payload.kind, payload.data, json.loads(json.dumps(payload.structure))))
    assert model_digest(other) == model_digest(model)


FRAME = customers(80, seed=3)


@pytest.mark.parametrize(
    "made",
    [
        pipeline,
        lambda: pipeline(RandomForestClassifier(3)),
        lambda: HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype"),
        lambda: make_pipeline(
            make_column_transformer(
                (OrdinalEncoder(), make_column_selector(dtype_exclude=np.number)),
                ("passthrough", make_column_selector(dtype_include=np.number)),
            ),
            RandomForestClassifier(3),
        ),
        lambda: make_pipeline(
            make_column_transformer((OneHotEncoder(sparse_output=False), ["plan", "region"]), remainder="passthrough"),
            lightgbm(),
        ),
        lambda: lightgbm(),
        lambda: catboost(cat_features=["plan", "region"]),
    ],
)
def test_pipelines_over_frames_come_back_with_their_categories(made):
    inputs, labels = FRAME.drop(columns="churn").astype({"plan": "category"}), FRAME.churn
    model = made().fit(inputs, labels)
    again = decode(encode(model))
    assert (model.predict_proba(inputs) == again.predict_proba(inputs)).all()
    assert model.classes_.tolist() == again.classes_.tolist() == ["leaves", "stays"]


def test_a_pipeline_of_texts_comes_back():
    texts = [f"the {'good' if k % 2 else 'bad'} letter {k}" for k in range(40)]
    model = make_pipeline(TfidfVectorizer(), RandomForestClassifier(3)).fit(texts, ["yes", "no"] * 20)
    assert (decode(encode(model)).predict_proba(texts) == model.predict_proba(texts)).all()


def test_a_model_trained_twice_by_one_seed_is_one_model_to_catboost_too():
    one, two = (catboost(random_seed=3).fit(X, Y) for _ in range(2))
    assert model_digest(one) == model_digest(two)
    assert model_digest(one) != model_digest(catboost(random_seed=4).fit(X, Y))


def test_asking_a_boosted_model_does_not_change_its_digest():
    for model in (xgboost().fit(X, Y), lightgbm().fit(X, Y), catboost().fit(X, Y)):
        before = model_digest(model)
        model.predict_proba(X)
        assert model_digest(model) == before


def test_what_is_trusted_besides_what_skops_trusts_is_this_and_nothing_else():
    assert set(native.TRUSTED) == {
        "builtins.object", "collections.OrderedDict", "functools.partial", "lightgbm.sklearn.LGBMClassifier",
        "numpy.dtype", "numpy.floating", "numpy.integer", "numpy.number", "numpy.object_",
        "sklearn.calibration._CalibratedClassifier", "sklearn.calibration._SigmoidCalibration",
        "sklearn.compose._column_transformer.make_column_selector",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.metrics._scorer._PassthroughScorer", "sklearn.metrics._scorer._Scorer",
        "sklearn.model_selection._split.KFold", "sklearn.model_selection._split.StratifiedKFold",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer", "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch", "sklearn.utils.validation.check_array", "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRFClassifier",
    }  # fmt: skip


class Evil:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (self.mark, "w")


@pytest.mark.parametrize("hidden", [lambda evil: evil, lambda evil: [RandomForestClassifier(2).fit(X, Y), evil]])
def test_a_file_that_would_make_anything_else_is_refused_by_name(hidden, tmp_path):
    from skops import io

    outer = io.dumps(hidden(Opener(str(tmp_path / "mark"))))
    with pytest.raises(ValueError, match=r"it would make .*Opener, which is no part of a model"):
        native.read(outer, [{"kind": "skops", "size": len(outer)}])
    assert not (tmp_path / "mark").exists()


class Opener:
    """Writes a file when it is read back."""

    def __init__(self, mark):
        self.mark = mark

    def __setstate__(self, state):
        open(state["mark"], "w").close()


@pytest.mark.parametrize("function", ["os.system", "builtins.eval", "numpy.load", "joblib.load"])
def test_a_partial_of_another_function_is_refused(function):
    from skops import io

    module, _, name = function.rpartition(".")
    outer = io.dumps({"f": functools.partial(getattr(importlib.import_module(module), name), "echo")})
    with pytest.raises(Exception, match=name):
        native.read(outer, [{"kind": "skops", "size": len(outer)}])


@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "catboost"])
def test_a_pickle_in_place_of_a_native_model_is_not_loaded(library, tmp_path):
    pytest.importorskip(library)
    store = Store(tmp_path / "cache")
    assert store.put(KEY, MADE[library](), {})
    payload = next(store.directory.glob("*.native"))
    sidecar = json.loads((store.directory / f"{KEY}.json").read_text())
    size = sidecar["structure"]["parts"][0]["size"]
    trap = pickle.dumps(Evil(str(tmp_path / "mark")))
    data = payload.read_bytes()[:size] + trap
    payload.write_bytes(data)
    sidecar["structure"]["parts"][1]["size"] = len(trap)
    sidecar.pop("seal")
    sidecar |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    (store.directory / f"{KEY}.json").write_text(json.dumps({**sidecar, "seal": seal.digest(sidecar)}))
    assert store.fetch(KEY).damage
    assert not (tmp_path / "mark").exists()


def changed_nodes(model, **values):
    state = model.tree_.__getstate__()
    for name, value in values.items():
        state["nodes"][name][0] = value
    model.tree_.__setstate__(state)
    return model


@pytest.mark.parametrize(
    "values", [{"left_child": 10_000}, {"right_child": -7}, {"left_child": 0}, {"feature": 8}, {"feature": -3}]
)
def test_a_tree_that_points_beyond_itself_is_refused(values):
    sound = DecisionTreeClassifier(random_state=0).fit(X, Y)
    check_trees(sound)
    with pytest.raises(ValueError, match="a stored tree"):
        check_trees(changed_nodes(sound, **values))
    forest = RandomForestClassifier(2, random_state=0).fit(X, Y)
    check_trees(forest)
    changed_nodes(forest.estimators_[1], **values)
    with pytest.raises(ValueError, match="a stored tree"):
        check_trees(make_pipeline(StandardScaler(), forest))


@pytest.mark.parametrize(("name", "value"), [("left", 10_000), ("right", 0), ("feature_idx", 8), ("feature_idx", -1)])
def test_a_histogram_tree_that_points_beyond_itself_is_refused(name, value):
    model = HistGradientBoostingClassifier(max_iter=2).fit(X, Y)
    check_trees(model)
    model._predictors[1][0].nodes[name][0] = value
    with pytest.raises(ValueError, match="a stored tree"):
        check_trees(model)


def test_a_forest_whose_model_has_fewer_features_than_its_trees_is_refused():
    forest = RandomForestClassifier(2).fit(X, Y)
    forest.n_features_in_ = 2
    with pytest.raises(ValueError, match="features that its model does not have"):
        check_trees(forest)


@pytest.mark.parametrize(("name", "value"), [("left_children", 999), ("right_children", 0), ("split_indices", 8)])
def test_a_tree_of_xgboost_that_points_beyond_itself_is_refused(name, value):
    model = json.loads(bytes(xgboost().fit(X, Y).get_booster().save_raw("json")))
    check_native("xgboost", json.dumps(model).encode())
    model["learner"]["gradient_booster"]["model"]["trees"][2][name][0] = value
    with pytest.raises(ValueError, match="a stored tree"):
        check_native("xgboost", json.dumps(model).encode())


@pytest.mark.parametrize(("name", "value"), [("left_child", 999), ("right_child", -999), ("split_feature", 8)])
def test_a_tree_of_lightgbm_that_points_beyond_itself_is_refused(name, value):
    text = lightgbm().fit(X, Y).booster_.model_to_string()
    check_native("lightgbm", text.encode())
    before, _, after = text.partition(f"\n{name}=")
    _, _, rest = after.partition(" ")
    with pytest.raises(ValueError, match="a stored tree"):
        check_native("lightgbm", f"{before}\n{name}={value} {rest}".encode())


SECOND_RUN = """
    import pickle, sys
    import joblib

    def forbidden(*_, **__):
        raise AssertionError("something was unpickled")

    pickle.load = pickle.loads = pickle.Unpickler = joblib.load = forbidden
    from tests.unit.training.test_native_cache import customers_task, shown

    for name in sys.argv[2:]:
        print(shown(name, customers_task(name, sys.argv[1])))
"""


def customers_task(name, folder):
    """Return a task of customers whose recipe is named, with its cache in a folder."""
    train, test = customers(60, seed=0), customers(40, seed=0, first=1000)
    split = Split((train, "churn"), forget={"customer_id": [3, 17]}, test=(test, "churn"))
    if name == "texts":
        letters = [f"{'good' if k % 2 else 'bad'} news of {k}" for k in range(80)]
        split = Split((letters[:40], ["yes", "no"] * 20), forget=range(9), test=(letters[40:], ["yes", "no"] * 20))
        recipe = EstimatorRecipe(make_pipeline(TfidfVectorizer(), LogisticRegression()))
        return UnlearningTask(split, recipe, references=2, cache_dir=folder)
    made = {"forest": lambda: RandomForestClassifier(3), "xgboost": xgboost, "lightgbm": lightgbm, "catboost": catboost}
    recipe = EstimatorRecipe(pipeline(made[name]() if name in made else None))
    return UnlearningTask(split, recipe, references=2, cache_dir=folder)


def shown(name, task):
    """Say where the models are from, and what they are."""
    models = [task.original, *task.retrained]
    evidence = audit_utility(models[1], task.test, max_drop=0.9)
    assert evidence.verdict is Verdict.PASS
    sources = [trained.source for trained in task.trained_references]
    return name, sources, [model_digest(model)[:9] for model in models], models[0].classes_.tolist()


@pytest.mark.slow
def test_a_second_process_trains_nothing_and_unpickles_nothing(tmp_path):
    names = ["forest", "histogram", "texts"]
    names += [name for name in ("xgboost", "lightgbm", "catboost") if importlib.util.find_spec(name)]
    first = [shown(name, customers_task(name, tmp_path)) for name in names]
    assert all(sources == ["trained"] * 2 for _, sources, *_ in first)
    command = [sys.executable, "-c", textwrap.dedent(SECOND_RUN), str(tmp_path), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    expected = [(name, ["store"] * 2, *rest) for name, _, *rest in first]
    assert done.stdout.splitlines() == [str(one) for one in expected], done.stderr


def test_what_a_key_did_not_seal_is_not_taken(tmp_path):
    first = Store(tmp_path, seal.Keys(run=b"r" * 32, key=b"k" * 32))
    model = HistGradientBoostingClassifier(max_iter=2).fit(X, Y)
    assert first.put(KEY, model, {})
    again = Store(tmp_path, seal.Keys(run=b"s" * 32, key=b"k" * 32)).peek(KEY)
    assert again.sealed == "key"
    assert (again.model.predict_proba(X) == model.predict_proba(X)).all()
    assert Store(tmp_path, seal.Keys(run=b"s" * 32, key=b"l" * 32)).peek(KEY).unsealed


def test_joblib_and_pickle_are_named_nowhere_in_what_reads_models():
    for module in (native, sys.modules["pytest_unlearn.training.natives"]):
        assert not any(value in (joblib.load, joblib, pickle) for value in vars(module).values())
