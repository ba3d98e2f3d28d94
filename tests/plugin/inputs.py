"""What a user of the fixtures writes into conftest.py, as text to put together."""

INPUTS = """
import numpy as np, pytest
from sklearn.linear_model import LogisticRegression
from pytest_unlearn import Split, EstimatorRecipe

def make_split(forget=10, seed=0):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(120, 3)).astype("float32"), np.arange(120) % 2
    return Split((X[:60], y[:60]), forget=range(forget), test=(X[60:], y[60:]))

TRAININGS = []
class Counted(EstimatorRecipe):
    def __call__(self, dataset, *, seed):
        TRAININGS.append(seed)
        return super().__call__(dataset, seed=seed)
RECIPE = Counted(LogisticRegression(solver="saga", max_iter=5), key="v1")

def retrain(model, retain, forget, *, seed):
    return EstimatorRecipe(LogisticRegression())(retain, seed=seed)
"""
SPLIT = """
@pytest.fixture(scope="session")
def unlearn_split(): return make_split()
"""
RECIPE = """
@pytest.fixture(scope="session")
def unlearn_recipe(): return RECIPE
"""
UNLEARNER = """
@pytest.fixture(scope="session")
def unlearner(): return retrain
"""
OWN_MODELS = """
class Model:
    classes_ = np.array([0, 1])
    def __init__(self, name): self.name = name
    def __call__(self, x): return np.zeros((len(x), 2))
@pytest.fixture(scope="session")
def original_model(): return Model("mine")
@pytest.fixture(scope="session")
def retrained_models(): return [Model("r0"), Model("r1")]
"""
