"""Persons are classes, photographs are compared with others of the same person, and networks are asked to search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from examples.people.__main__ import methods, photographs_of, retrieval_task
from examples.people.network import Recogniser, Retrieval, recipe
from examples.people.persons import persons, photograph
from examples.people.requests import GALLERY, LEAVE, TRAINED, album, ten_photographs, whole_persons
from pytest_unlearn import UnlearningTask, audit_class_forgotten, audit_forgotten, audit_matches_retrained


@pytest.fixture(scope="module", autouse=True)
def everybody():
    try:
        return persons()
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def of():
    return album(0)


def test_there_are_more_than_two_hundred_persons_and_no_photograph_is_there_twice(everybody):
    looks = {photograph.tobytes() for photograph in everybody.photographs.reshape(-1, 24 * 24)}
    assert len(everybody.photographs) == len(everybody.names) > 200
    assert len(looks) == 52 * len(everybody.names)


def test_a_typeface_under_two_names_is_one_person(tmp_path: Path):
    from matplotlib import get_data_path

    file = (Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf").read_bytes()
    files = [tmp_path / "one.ttf", tmp_path / "two.ttf"]
    for path in files:
        path.write_bytes(file)
    assert photograph(files).names == ("one",)


def test_everybody_has_as_many_photographs_in_training_and_others_in_gallery_and_test(of):
    trained, left = (np.bincount(part[1]) for part in (of.train, of.test))
    assert set(trained) == {TRAINED}
    assert set(left) == {52 - TRAINED - GALLERY}
    assert of.gallery.shape[:2] == (of.persons, GALLERY)


def test_who_leaves_leaves_with_every_photograph(of):
    split = whole_persons(of, 0)
    asked = {int(split.train[i][1]) for i in split.forget_indices}
    assert len(split.forget_indices) == TRAINED * len(asked) == TRAINED * LEAVE
    assert not asked & {int(split.train[i][1]) for i in split.retain_indices}


def test_ten_photographs_are_counted_as_their_person(of):
    with pytest.warns(UserWarning, match="partly forgotten"):  # as it has to be told, and is meant here
        split = ten_photographs(of, 0)
    assert len(np.unique(split.groups[split.forget_indices])) == len(split.forget_indices) // 10
    assert {int(split.train[i][1]) for i in split.forget_indices} <= {
        int(split.train[i][1]) for i in split.retain_indices
    }


def test_who_is_asked_for_and_everybody_else_are_all_that_nobody_trained_on(of):
    split = whole_persons(of, 0)
    task = UnlearningTask(split, recipe(of.persons), cache_dir=None)
    theirs, others = (photographs_of(split, task, asked=asked) for asked in (True, False))
    assert len(theirs) == LEAVE * (52 - TRAINED - GALLERY)
    assert len(theirs) + len(others) == len(split.test)


def test_a_search_finds_the_photographs_that_it_was_given(of):
    torch.manual_seed(0)
    network = Recogniser(of.persons).eval()
    search = Retrieval(network, of.gallery[:, :1]).eval()
    with torch.no_grad():
        answers = search(of.gallery[:, 0]).argmax(1)
    assert (answers == torch.arange(of.persons)).float().mean() > 0.99
    assert not any(isinstance(module, nn.Linear) and module is network.persons for module in search.modules())


@pytest.mark.slow
@pytest.mark.long
def test_of_a_hundred_persons_forty_leave_and_methods_that_train_on_do_not_pass(tmp_path: Path):
    of = album(0, most=100)
    split = whole_persons(of, 0)
    training = recipe(of.persons, epochs=12)
    task = UnlearningTask(split, training, cache_dir=tmp_path)
    lookup = retrieval_task(task, of.gallery)
    tried = {
        name: method(task.original, task.retain, task.forget, seed=500)
        for name, method in methods(training, "persons").items()
    }
    verdicts = {
        name: audit_forgotten(model, task.forget, max_mia_auc=0.65).verdict.value for name, model in tried.items()
    }
    assert audit_forgotten(task.original, task.forget, max_mia_auc=0.65).verdict.value == "FAIL"
    assert verdicts["fine-tuned"] != "PASS"
    assert verdicts["retrained"] not in ("FAIL", "INVALID")
    assert audit_class_forgotten(tried["retrained"], task.forget).verdict.value not in ("FAIL", "INVALID")
    searched = Retrieval(tried["retrained"], of.gallery)
    theirs = photographs_of(split, lookup, asked=True)
    assert audit_matches_retrained(searched, theirs, max_gap=0.1).verdict.value not in ("FAIL", "INVALID")
