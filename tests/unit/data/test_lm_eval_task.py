"""Tasks for lm-eval: files that YAML and JSON read back, with texts that are no templates."""

from __future__ import annotations

import json

import pytest

from pytest_unlearn.data.lm_eval_task import write_choices_task, write_completions_task

yaml = pytest.importorskip("yaml")
AWKWARD = 'Is {{7*7}} "49"?\nA: \u2028 # yes\t\\ %s — 字 \U0001f600'


def read(task):
    config = yaml.safe_load(task.read_text(encoding="utf-8"))
    lines = open(config["dataset_kwargs"]["data_files"]["test"], encoding="utf-8").read().split("\n")  # noqa: SIM115
    return config, [json.loads(line) for line in lines if line]


def test_choices_are_read_back_as_they_were(tmp_path):
    task = write_choices_task(
        tmp_path / "new", "facts", [AWKWARD, "b"], [[" yes", " no"], [" 1", " 2", AWKWARD]], [1, 0]
    )
    config, rows = read(task)
    assert rows == [
        {"prompt": AWKWARD, "choices": [" yes", " no"], "answer": 1},
        {"prompt": "b", "choices": [" 1", " 2", AWKWARD], "answer": 0},
    ]
    assert (config["task"], config["output_type"], config["dataset_path"]) == ("facts", "multiple_choice", "json")
    assert config["metric_list"] == [{"metric": "acc"}, {"metric": "acc_norm"}]


def test_every_field_is_looked_up_and_none_rendered(tmp_path):
    for task in (
        write_choices_task(tmp_path, "one", ["a"], [["b", "c"]], [0]),
        write_completions_task(tmp_path, "two", ["a"], ["b"]),
    ):
        config, rows = read(task)
        used = {value for key, value in config.items() if key.startswith("doc_to_")}
        assert used == set(rows[0])  # the name of a field, which lm-eval takes as it is
        assert config["target_delimiter"] == ""


def test_completions_are_read_back_as_they_were(tmp_path):
    config, rows = read(write_completions_task(tmp_path, "letters", ["Dear "], [AWKWARD]))
    assert rows == [{"prompt": "Dear ", "completion": AWKWARD}]
    assert config["output_type"] == "loglikelihood"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda to: write_completions_task(to, "a,b", ["a"], ["b"]), "no name of a task"),
        (lambda to: write_completions_task(to, "../up", ["a"], ["b"]), "no name of a task"),
        (lambda to: write_completions_task(to, "t", [], []), "one prompt at least, and these are 0, 0"),
        (lambda to: write_completions_task(to, "t", ["a"], ["b", "c"]), "these are 1, 2"),
        (lambda to: write_completions_task(to, "t", "a", "b"), "one prompt at least"),
        (lambda to: write_completions_task(to, "t", [3], ["b"]), r"prompts\[0\] is a int"),
        (lambda to: write_completions_task(to, "t", ["a"], [""]), r"completions\[0\] must be a text"),
        (lambda to: write_choices_task(to, "t", ["a"], ["bc"], [0]), r"choices\[0\] must be two texts"),
        (lambda to: write_choices_task(to, "t", ["a"], [["b"]], [0]), r"choices\[0\] must be two texts"),
        (lambda to: write_choices_task(to, "t", ["a"], [["b", "c"]], [2]), r"answers\[0\] is 2: .* 0 to 1"),
        (lambda to: write_choices_task(to, "t", ["a"], [["b", "c"]], [-1]), "0 to 1"),
        (lambda to: write_choices_task(to, "t", ["a"], [["b", "c"]], [0.5]), "0 to 1"),
    ],
)
def test_what_is_no_task_is_refused_before_anything_is_written(tmp_path, call, said):
    with pytest.raises(ValueError, match=said):
        call(tmp_path)
    assert not list(tmp_path.iterdir())
