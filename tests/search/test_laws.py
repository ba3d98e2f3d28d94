"""The laws of unlearning: retraining keeps them all, and each is broken by a method made for it."""

from __future__ import annotations

import itertools
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pytest_unlearn import EstimatorRecipe, ForgetRequest, UnlearningTask, audit_request, unlearning_laws
from pytest_unlearn.search.laws import LAWS, LawBroken, check_law
from pytest_unlearn.search.screening import RequestRunner
from tests.search.conftest import LIMIT, RECIPE
from tests.search.weaknesses import FirstOnly, Forgets, large

HONEST = Forgets(RECIPE)
NAMES = [law.name for law in LAWS]


@pytest.fixture(autouse=True)
def _always_alike(monkeypatch):
    monkeypatch.setenv("CI", "true")


def check(name, unlearner, task, **rest):
    law = next(law for law in LAWS if law.name == name)
    check_law(law, unlearner, task, **{"budget": 2, "families": ["random"], "sizes": (40, 60), **rest})


class Answers:
    """A model that answers as another does, but for what `twist` makes of its answers."""

    def __init__(self, model, twist):
        self.model, self.twist = model, twist

    def __call__(self, inputs):
        return self.twist(np.log(np.clip(self.model.predict_proba(np.asarray(inputs)), 1e-12, None)))


def spoilt_by_nothing(model, retain, forget, *, seed):
    return HONEST(model, retain, forget, seed=seed) if len(forget) else Answers(model, np.zeros_like)


def fond_of_sorted_requests(model, retain, forget, *, seed):
    tidy = bool((np.diff(forget.indices) > 0).all())
    return HONEST(model, retain, forget, seed=seed) if tidy else model


def normalising_each_batch(model, retain, forget, *, seed):
    return Answers(HONEST(model, retain, forget, seed=seed), lambda logits: logits - logits.mean(axis=0))


class WorksInBatches:
    """Leaves in what does not fill a batch."""

    batch_size = 64

    def __call__(self, model, retain, forget, *, seed):
        rest = len(forget) % self.batch_size if self.batch_size < 64 else 0
        return Forgets(RECIPE, lambda _, asked: np.arange(len(asked)) < rest)(model, retain, forget, seed=seed)


class Undoes:
    """Hands back the original when it is given a model that it left before."""

    def __init__(self, original):
        self.original = original

    def __call__(self, model, retain, forget, *, seed):
        return HONEST(model, retain, forget, seed=seed) if model is self.original else self.original


class Restless:
    """Retrains with another seed at every call."""

    def __init__(self):
        self.seeds = itertools.count(1000)

    def __call__(self, model, retain, forget, *, seed):
        return RECIPE(retain, seed=next(self.seeds))


def helpless_with_little(model, retain, forget, *, seed):
    if len(retain) < len(forget):
        raise IndexError("index 3 is out of bounds for axis 0 with size 1")
    return HONEST(model, retain, forget, seed=seed)


DAILY = ("order", "commutation", "corrupting-requests")


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in DAILY else pytest.mark.slow) for n in NAMES])
def test_retraining_keeps_every_law(world, name):
    check(name, HONEST, world.task)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("determinism", "empty-request")])
def test_a_seed_of_its_own_at_every_call_breaks_no_other_law_than_determinism(world, name):
    check(name, Restless(), world.task)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "method", "says"),
    [
        ("empty-request", lambda task: spoilt_by_nothing, "90.0% of the probability on the forget set moves"),
        ("order", lambda task: fond_of_sorted_requests, "the labels of the forget set moves"),
        ("batch-size", lambda task: normalising_each_batch, "ValueError"),
        ("batch-size", lambda task: WorksInBatches(), "the labels of the forget set moves"),
        pytest.param(
            "monotonicity",
            lambda task: Forgets(RECIPE, partial(large, least=70)),
            "the labels of the first request moves",
            marks=[pytest.mark.slow, pytest.mark.long],
        ),
        ("idempotence", lambda task: Undoes(task.original), "the labels of the forget set moves"),
        pytest.param(
            "commutation",
            lambda task: FirstOnly(RECIPE, task.original),
            "the labels of the forget set moves",
            marks=[pytest.mark.slow, pytest.mark.long],
        ),
        ("determinism", lambda task: Restless(), "at most 0.0% may"),
        ("corrupting-requests", lambda task: helpless_with_little, "IndexError: index 3 is out of bounds"),
    ],
)
def test_each_law_is_broken_by_a_method_made_for_it(world, name, method, says):
    with pytest.raises(LawBroken, match=f"^{name}: .* Not so here, twice: ") as broken:
        check(name, method(world.task), world.task)
    assert says in str(broken.value)
    assert "ForgetRequest('" in str(broken.value)


@pytest.mark.slow
def test_an_error_that_says_what_is_the_matter_is_as_good_as_a_model(world):
    def refuses(model, retain, forget, *, seed):
        if len(retain) < 50:
            raise ValueError("50 examples are needed in retain")
        return HONEST(model, retain, forget, seed=seed)

    check("corrupting-requests", refuses, world.task)


@pytest.mark.slow
def test_what_the_recipe_cannot_do_either_is_no_fault_of_the_method(world):
    from sklearn.linear_model import LogisticRegression

    recipe = EstimatorRecipe(LogisticRegression(max_iter=200))  # refuses to be fitted on one example
    task = UnlearningTask(world.task.split, recipe, references=0, cache_dir=world.task.store.directory)
    check("corrupting-requests", Forgets(recipe), task)


class Unsupported(Exception):  # noqa: N818 - the name is what counts
    """As a method raises it where it does not apply."""


@pytest.mark.slow
def test_a_method_that_does_not_apply_to_some_requests_is_held_to_the_others(world):
    restless = Restless()

    def picky(model, retain, forget, *, seed):
        if len(forget) < 42:  # the plainest request is drawn first
            raise Unsupported("42 examples or more")
        return restless(model, retain, forget, seed=seed)

    with pytest.raises(LawBroken, match="determinism"):
        check("determinism", picky, world.task, budget=6)


def test_a_method_that_never_applies_says_so(world):
    def never(model, retain, forget, *, seed):
        raise Unsupported("linear models only")

    with pytest.raises(Unsupported):
        check("order", never, world.task)


@pytest.mark.slow
def test_a_method_cannot_widen_what_is_allowed_by_noise_of_its_own(world):
    def ruins(model, retain, forget, *, seed):
        return lambda inputs: np.random.default_rng([seed, len(inputs)]).normal(size=(len(inputs), 10)) * 9

    with pytest.raises(LawBroken, match="^empty-request"):
        check("empty-request", ruins, world.task, budget=1)


@pytest.mark.slow
def test_a_law_that_is_broken_under_the_seed_of_releases_only_is_broken(world):
    def ruins_one(model, retain, forget, *, seed):
        if seed != world.task.seed:
            return HONEST(model, retain, forget, seed=seed)
        return Answers(model, np.zeros_like)

    with pytest.raises(LawBroken, match="^empty-request"):
        check("empty-request", ruins_one, world.task, budget=1)


@pytest.mark.slow
def test_examples_named_twice_reach_the_method(world):
    def helpless(model, retain, forget, *, seed):
        if len(set(forget.indices)) < len(forget):
            raise IndexError("out of bounds")
        return HONEST(model, retain, forget, seed=seed)

    with pytest.raises(LawBroken, match="IndexError: out of bounds"):
        check("corrupting-requests", helpless, world.task, budget=1)


@pytest.mark.slow
def test_a_model_that_answers_alike_to_everything_is_not_usable(world):
    def gives_up(model, retain, forget, *, seed):
        usable = len(forget) < 50 or len(set(forget.labels)) > 1
        return HONEST(model, retain, forget, seed=seed) if usable else Answers(model, np.zeros_like)

    with pytest.raises(LawBroken, match="alike to everything, where a retrained one does not"):
        check("corrupting-requests", gives_up, world.task, budget=1)


@pytest.mark.slow
def test_a_law_is_tried_once_however_little_time_there_is_and_what_the_method_raised_is_the_cause(world):
    with pytest.raises(LawBroken, match="IndexError") as broken:
        check("corrupting-requests", helpless_with_little, world.task, budget=timedelta(microseconds=1))
    assert isinstance(broken.value.__cause__, IndexError)


def test_what_is_no_law_is_refused(world):
    with pytest.raises(TypeError, match="a law is one of LAWS, not 'order'"):
        check_law("order", HONEST, world.task)
    with pytest.raises(ValueError, match="laws are checked on single requests"):
        check("order", HONEST, world.task, families=["sequence"])


def test_laws_need_a_recipe(world):
    with pytest.raises(ValueError, match="give the task a recipe"):
        check("order", HONEST, UnlearningTask(world.task.split, references=0))


class TestAsTests:
    SUITE = """
    import pytest
    from pytest_unlearn import unlearning_laws
    from tests.search.conftest import RECIPE
    from tests.search.weaknesses import FirstOnly, Forgets, noisy_digits

    @pytest.fixture(scope="session")
    def unlearn_split():
        return noisy_digits(train=300)[0]

    @pytest.fixture(scope="session")
    def unlearn_recipe():
        return RECIPE

    @pytest.fixture(scope="session")
    def unlearner(original_model):
        return FirstOnly(RECIPE, original_model)

    class Unsupported(Exception):
        pass

    def unsupported(model, retain, forget, *, seed):
        raise Unsupported("linear models only")

    test_laws = unlearning_laws(families=["random"], budget=1)
    test_others = unlearning_laws(unsupported, families=["random"], budget=1)
    """

    @pytest.mark.long
    @pytest.mark.slow
    def test_one_test_a_law_of_the_fixtures_or_of_a_method_given(self, pytester, monkeypatch):
        monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        pytester.makepyfile(self.SUITE)
        result = pytester.runpytest_subprocess("-pno:cacheprovider")
        result.assert_outcomes(passed=len(LAWS) - 1, failed=1, skipped=len(LAWS))
        result.stdout.fnmatch_lines(
            ["*FAILED *test_laws?commutation? - *LawBroken*commutation: two requests in a row*"]
        )

    def test_a_budget_of_nothing_is_refused_where_the_tests_are_defined(self):
        with pytest.raises(ValueError, match="at least 1"):
            unlearning_laws(budget=0)


@pytest.mark.slow
@pytest.mark.parametrize("family", [pytest.param("repeated", marks=pytest.mark.slow), "class-but-one", "all-but-one"])
def test_a_corrupting_request_never_passes_what_keeps_it(world, family):
    keeps = Forgets(RECIPE, partial(large, least=0))
    assert audit_request(keeps, world.task, ForgetRequest(family, size=80), max_mia_auc=LIMIT).verdict != "PASS"
    assert (
        RequestRunner(world.task, keeps, LIMIT, 0.95).blank_result(ForgetRequest("repeated", size=80), "").examples
        == 80
    )
