"""Models are asked about frames, sparse matrices and texts as they take them, and answer by `classes_`."""

import re

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import nn

from pytest_unlearn import EstimatorRecipe, Split, TorchRecipe, UnlearningTask, Verdict, audit_forgotten, audit_utility
from pytest_unlearn.models.predict import evaluate
from tests.worlds.customers import customers, pipeline

pytest.importorskip("pandas")

GONE = list(range(0, 160, 2))
TRAIN, TEST = customers(250, seed=0), customers(250, seed=0, first=1000)
X, Y = TRAIN.drop(columns="churn"), TRAIN.churn
KEPT = ~TRAIN.customer_id.isin(GONE)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def split_of(**changed):
    return Split((TRAIN, "churn"), forget={"customer_id": GONE}, test=(TEST, "churn"), **changed)


def forest(seed, rows=slice(None), labels=Y):
    return pipeline(RandomForestClassifier(20, random_state=seed)).fit(X[rows], labels[rows])


class Watched:
    """A classifier that remembers what it was asked about."""

    def __init__(self, inner):
        self.inner, self.classes_, self.asked = inner, inner.classes_, []

    def predict_proba(self, inputs):
        self.asked.append(inputs)
        return self.inner.predict_proba(inputs)


def test_a_model_gets_frames_with_names_and_types_and_its_answers_are_its_own():
    task = UnlearningTask(split_of())
    model = Watched(forest(0))
    outputs = evaluate(model, task.controls, classes=task.split.classes)
    assert all(type(asked) is type(TEST) for asked in model.asked)
    assert all(asked.dtypes.equals(X.dtypes) for asked in model.asked)
    expected = np.log(np.maximum(model.predict_proba(TEST.drop(columns="churn")), 1e-12))
    assert np.allclose(outputs.logits, expected[task.controls.indices])
    assert [model.classes_[label] for label in outputs.labels] == TEST.churn.iloc[task.controls.indices].tolist()


def test_a_pipeline_from_joblib_with_classes_of_text_is_audited_as_it_is(tmp_path):
    joblib.dump(forest(9, KEPT), tmp_path / "model.joblib")
    references = [forest(seed, KEPT) for seed in (1, 2)]
    original, unlearned = forest(0), joblib.load(tmp_path / "model.joblib")
    task = UnlearningTask(split_of(), original=original, references=references)
    assert audit_forgotten(original, task.forget, max_mia_auc=0.7).verdict is Verdict.FAIL
    assert audit_forgotten(unlearned, task.forget, max_mia_auc=0.7).verdict is Verdict.PASS
    assert audit_utility(unlearned, task.test, max_drop=0.2).verdict is Verdict.PASS


def test_bare_frames_are_compared_by_the_names_of_their_classes():
    test = TEST.assign(churn=TEST.churn.where(TEST.index > 2, "another"))
    with pytest.warns(UserWarning, match="audit a task, whose Split takes groups="):
        evidence = audit_forgotten(
            forest(9, KEPT),
            (X[~KEPT], Y[~KEPT]),
            nonmembers=(test[test.columns[::-1]], "churn"),
            baseline=forest(0),
            references=[forest(1, KEPT), forest(2, KEPT)],
            max_mia_auc=0.7,
        )
    assert evidence.verdict is Verdict.PASS
    assert evidence.estimate.n_forget == (~KEPT).sum()


def test_a_classifier_by_numbers_is_read_by_sorted_names_and_refused_in_another_order():
    task = UnlearningTask(split_of())
    right, turned = (forest(0, labels=(name == Y).astype(int)) for name in ("stays", "leaves"))
    named = evaluate(forest(0), task.test, classes=task.split.classes)
    assert np.allclose(evaluate(right, task.test, classes=task.split.classes).logits, named.logits)
    with pytest.raises(ValueError, match="stand for other classes than the sorted names"):
        evaluate(turned, task.test, classes=task.split.classes)


def test_a_class_that_no_example_has_is_a_column_of_its_own():
    labels = Y.where(TRAIN.customer_id != 5, "mourns")
    task = UnlearningTask(Split((X[KEPT], Y[KEPT]), [0, 1], (TEST.drop(columns="churn"), TEST.churn)))
    outputs = evaluate(forest(0, labels=labels), task.test, classes=task.split.classes)
    assert outputs.logits.shape == (len(TEST), 3)


def test_labels_that_are_not_the_classifiers_are_told_beside_its_own():
    data = load_breast_cancer()
    split = Split((data.data[:300], data.target[:300]), [0, 1], (data.data[300:], data.target[300:]))
    model = LogisticRegression(max_iter=9).fit(data.data, data.target_names[data.target])
    with pytest.raises(ValueError, match="such as 'benign'.*task's labels integers"):
        evaluate(model, UnlearningTask(split).test, classes=split.classes)


def test_missing_values_reach_a_model_that_takes_them_and_stop_a_network_before_it_trains():
    data = load_breast_cancer()
    inputs = np.where(np.random.default_rng(0).random(data.data.shape) < 0.1, np.nan, data.data)
    split = Split((inputs[:300], data.target[:300]), np.arange(40), (inputs[300:], data.target[300:]))
    task = UnlearningTask(split, EstimatorRecipe(HistGradientBoostingClassifier(max_iter=20)), references=2)
    model = task.recipe(task.retain, seed=1)
    assert np.isfinite(evaluate(model, task.test, classes=split.classes).logits).all()
    with pytest.raises(ValueError, match=r"missing values \(NaN\), which a network cannot take"):
        TorchRecipe(lambda: nn.Linear(30, 2), epochs=1)(task.retain, seed=0)


def test_a_network_takes_the_numbers_of_a_frame_and_names_what_is_none():
    train, test = (part.drop(columns=["plan", "region", "usage"]) for part in (TRAIN, TEST))
    split = Split((train, "churn"), [0, 1], (test, "churn"), groups="customer_id")
    task = UnlearningTask(split, TorchRecipe(lambda: nn.Linear(3, 2), epochs=1))
    outputs = evaluate(task.recipe(task.retain, seed=0), task.test, classes=split.classes)
    assert outputs.logits.shape == (len(TEST), 2)
    with pytest.raises(ValueError, match="columns of text or names: encode them first, or use EstimatorRecipe"):
        TorchRecipe(lambda: nn.Linear(3, 2), epochs=1)(UnlearningTask(split_of()).retain, seed=0)


WORDS = [f"w{k}" for k in range(400)]


def letters(count, seed):
    rng = np.random.default_rng(seed)
    kinds = rng.choice(["ham", "spam"], count)
    return [" ".join(rng.choice(WORDS[:250] if kind == "ham" else WORDS[150:], 12)) for kind in kinds], kinds


@pytest.mark.slow
def test_texts_go_through_a_text_pipeline():
    split = Split(letters(600, 0), np.arange(150), letters(600, 1))
    recipe = EstimatorRecipe(make_pipeline(TfidfVectorizer(), LogisticRegression(C=1000.0)))
    task = UnlearningTask(split, recipe, references=2)
    again = task.recipe(task.retain.resampled(9), seed=9)
    assert again.classes_.tolist() == ["ham", "spam"]
    assert audit_forgotten(again, task.forget, max_mia_auc=0.65).verdict is Verdict.PASS
    assert audit_forgotten(task.original, task.forget, max_mia_auc=0.65).estimate.low > 0.55


def test_sparse_rows_stay_sparse():
    inputs = sparse.random(900, 200, density=0.05, random_state=0, format="csr")
    labels = (np.asarray(inputs[:, :60].sum(axis=1)).ravel() > 1.4).astype(int)
    split = Split((inputs[:450], labels[:450]), np.arange(90), (inputs[450:], labels[450:]))
    task = UnlearningTask(split, EstimatorRecipe(RandomForestClassifier(20)), references=2)
    watched = Watched(task.recipe(task.retain, seed=0))
    evaluate(watched, task.controls, classes=split.classes)
    assert all(sparse.issparse(asked) for asked in watched.asked)
    assert audit_forgotten(task.original, task.forget, max_mia_auc=0.7).verdict is Verdict.FAIL


def test_slices_and_rows_that_stand_out_work_by_position():
    task = UnlearningTask(split_of(), original=forest(0), references=[forest(seed, KEPT) for seed in (1, 2)])
    pro = (TRAIN.plan == "pro").to_numpy()[task.forget.indices]
    evidence = audit_forgotten(forest(0), task.forget, max_mia_auc=0.7, slices={"pro": pro})
    assert evidence.verdict is Verdict.FAIL
    assert any("pro" in attack for attack in map(str, evidence.attacks))
    named = [int(text) for text in re.findall(r"#(\d+) ", str(evidence))]
    assert named
    assert set(named) <= set(task.forget.indices.tolist())


@pytest.mark.parametrize("kind", ["xgboost", "lightgbm", "catboost", "calibrated", "skorch"])
def test_other_libraries_train_by_seed_and_answer_by_named_classes(kind):
    task = UnlearningTask(split_of())
    recipe = EstimatorRecipe(pipeline(MADE[kind]()) if kind != "calibrated" else MADE[kind]())
    one, again = (recipe(task.retain, seed=3) for _ in range(2))
    first, second = (evaluate(model, task.test, classes=task.split.classes).logits for model in (one, again))
    assert np.array_equal(first, second)
    right = (first.argmax(axis=1) == task.test.labels).mean()
    assert right > max(np.bincount(task.test.labels)) / len(task.test)


def network():
    torch, skorch = pytest.importorskip("torch"), pytest.importorskip("skorch")
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import FunctionTransformer

    build = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 2))
    net = skorch.NeuralNetClassifier(
        build, criterion=nn.CrossEntropyLoss, max_epochs=30, optimizer=torch.optim.Adam, lr=0.01, verbose=0,
        train_split=None,
    )  # fmt: skip
    return make_pipeline(SimpleImputer(), FunctionTransformer(np.float32), net)


MADE = {
    "xgboost": lambda: pytest.importorskip("xgboost").XGBClassifier(n_estimators=20),
    "lightgbm": lambda: pytest.importorskip("lightgbm").LGBMClassifier(n_estimators=20, verbose=-1),
    "catboost": lambda: pytest.importorskip("catboost").CatBoostClassifier(iterations=20),
    "calibrated": lambda: CalibratedClassifierCV(pipeline(), cv=3),
    "skorch": network,
}


def test_catboost_is_seeded_says_nothing_and_leaves_nothing_behind(tmp_path, monkeypatch, capfd):
    catboost = pytest.importorskip("catboost")
    monkeypatch.chdir(tmp_path)
    train, test = (part.astype({"region": str}) for part in (TRAIN, TEST))
    task = UnlearningTask(Split((train, "churn"), {"customer_id": GONE}, (test, "churn")))
    recipe = EstimatorRecipe(catboost.CatBoostClassifier(iterations=9, cat_features=["plan", "region"]))
    one, again, other = (recipe(task.retain, seed=seed) for seed in (1, 1, 2))
    asked = test.drop(columns="churn")
    assert np.array_equal(one.predict_proba(asked), again.predict_proba(asked))
    assert not np.array_equal(one.predict_proba(asked), other.predict_proba(asked))
    assert [path.name for path in tmp_path.iterdir()] == []
    assert capfd.readouterr().out == ""


@pytest.mark.slow
def test_a_network_of_skorch_that_was_asked_is_still_the_same_model():
    task = UnlearningTask(split_of(), EstimatorRecipe(pipeline(network())), references=2)
    evidence = audit_forgotten(task.retrained[0], task.forget, max_mia_auc=0.7)
    assert evidence.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)
    assert not any("no-op" in reason for reason in evidence.reasons)
