"""Items of lm-eval: as its two newest formats write them, and every file that is none of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pytest_unlearn import metrics
from pytest_unlearn.models.lm_eval_samples import read_lm_eval_samples, same_items


def sample(number=0, scores=(-1.5, -0.25), choices=(" A", " B"), target="1", **changes):
    """A line as lm-eval 0.4.9 writes it: numbers are strings, arguments are numbered."""
    return {
        "doc_id": number,
        "doc": {"question": "?", "answer": 1},
        "target": target,
        "arguments": {f"gen_args_{k}": {"arg_0": "Question: ?", "arg_1": choice} for k, choice in enumerate(choices)},
        "resps": [[[str(score), "False"]] for score in scores],
        "filtered_resps": [[str(score), "False"] for score in scores],
        "filter": "none",
        "metrics": ["acc"],
        "doc_hash": f"d{number}",
        "prompt_hash": "p",
        "target_hash": "t",
        "acc": 1.0,
        **changes,
    }


@pytest.fixture
def written(tmp_path):
    def write(*lines, name="samples_task_2026-01-01.jsonl"):
        path = tmp_path / name
        texts = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
        path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        return path

    return write


def test_multiple_choice(written):
    found = read_lm_eval_samples(written(sample(1, (-1.0, -1.0), target="0"), sample(0)))
    assert [item.id for item in found.items] == [0, 1]
    assert found.log_likelihoods.tolist() == [[-1.5, -0.25], [-1.0, -1.0]]
    assert found.answers.tolist() == [1, 0]
    assert found.right.tolist() == [1.0, 0.5]
    assert found.items[0].continuations == (" A", " B")
    assert found.items[0].contexts == ("Question: ?",) * 2
    assert found.items[0].document == {"question": "?", "answer": 1}
    assert metrics.wmdp_accuracy(found.log_likelihoods, found.answers).value == found.right.mean()


def test_log_likelihood_of_one_continuation(written):
    lines = [
        sample(k, (score,), (" the end",), "the end", filtered_resps=[[score, greedy]])
        for k, (score, greedy) in enumerate([(-3.5, True), (-900.0, False)])
    ]
    found = read_lm_eval_samples(written(*lines))
    assert found.log_likelihoods.tolist() == [[-3.5], [-900.0]]
    assert found.right.tolist() == [1.0, 0.0]


def test_the_older_format_of_lists_and_numbers(written):
    old = sample(arguments=[["Q", " A"], ["Q", " B"]], filtered_resps=[[-2.0, False], [-1.0, True]])
    del old["filter"], old["doc_hash"]
    found = read_lm_eval_samples(written(old))
    assert found.log_likelihoods.tolist() == [[-2.0, -1.0]]
    assert found.items[0].greedy == (False, True)
    assert found.items[0].hashes == ("", "p", "t")


def test_choices_without_the_question_are_left_out(written):
    line = sample(scores=(-1.0, -2.0, -3.0, -4.0), choices=(" A", " B", " A", " B"), acc_mutual_info=1.0)
    assert read_lm_eval_samples(written(line)).log_likelihoods.tolist() == [[-1.0, -2.0]]


def test_a_target_may_be_the_text_of_a_choice(written):
    assert read_lm_eval_samples(written(sample(target="B"))).answers.tolist() == [1]
    assert read_lm_eval_samples(written(sample(choices=(" 1", " 0"), target="7"))).items[0].target == "7"


@pytest.mark.parametrize(
    ("choices", "target", "said"),
    [
        ((" 1", " 0"), "0", "names two choices, by number and by text"),
        ((" A", " B"), "2", "names none of the choices"),
        ((" A", " B"), "C", "names none of the choices"),
        ((" A", " A"), "A", "names none of the choices"),
    ],
)
def test_an_answer_that_cannot_be_told_is_no_guess(written, choices, target, said):
    with pytest.raises(ValueError, match=f"item 0: the target '{target}' {said}"):
        _ = read_lm_eval_samples(written(sample(choices=choices, target=target))).answers


def test_a_separator_of_lines_within_a_text_separates_no_items(written):
    line = sample(choices=(" A\u2028B\x85", " C"), target="0")
    assert read_lm_eval_samples(written(line)).items[0].continuations[0] == " A\u2028B\x85"


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "samples.jsonl").write_bytes(b'{"doc_id": "\xff"}\n')
    with pytest.raises(ValueError, match=r"samples.jsonl, line 1 is no JSON"):
        read_lm_eval_samples(tmp_path / "samples.jsonl")


def test_filters_are_named(written):
    path = written(sample(), sample(filter="other", filtered_resps=[["-9", "True"], ["-1", "True"]]))
    with pytest.raises(ValueError, match="the filters none, other: name one"):
        read_lm_eval_samples(path)
    assert read_lm_eval_samples(path, filter="other").log_likelihoods.tolist() == [[-9.0, -1.0]]
    with pytest.raises(ValueError, match="no item of the filter third, only of none, other"):
        read_lm_eval_samples(path, filter="third")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1 is no JSON"),
        ("[1]", "line 1 has no doc_id"),
        ("null", "line 1 has no doc_id"),
        ({"doc_id": 0}, "line 1 has no doc:"),
        (sample(arguments={"gen_args_0": {"arg_0": "Q", "arg_1": {"until": []}}}), "output_type must be"),
        (sample(arguments={}), "0 requests and other numbers of responses"),
        (sample(filtered_resps=["some text", "more"]), "'some text' and no log-likelihood"),
        (sample(filtered_resps=[["-1", "False"]]), "2 requests and other numbers of responses"),
        (sample(scores=(-1.0, 0.5)), "the log-likelihood 0.5, which no model can give"),
        (sample(scores=(-1.0, float("-inf"))), "the log-likelihood -inf"),
        (sample(scores=(-1.0, "nan")), "the log-likelihood nan"),
        (sample(filtered_resps=[["-1", "maybe"], ["-1", "False"]]), "no log-likelihood"),
        (sample(filtered_resps=[["-1", []], ["-1", "False"]]), "no log-likelihood"),
        (sample("zero"), "doc_id 'zero', which is no whole number"),
    ],
)
def test_every_other_file_is_refused_with_its_line(written, line, said):
    with pytest.raises(ValueError, match=r"^samples_task_2026-01-01\.jsonl, line 1") as error:
        read_lm_eval_samples(written(line))
    assert said in str(error.value)


def test_an_empty_file_and_a_run_that_was_appended_are_refused(written):
    with pytest.raises(ValueError, match="has no item"):
        read_lm_eval_samples(written(""))
    with pytest.raises(ValueError, match="line 2 has item 0 a second time: lm-eval appended"):
        read_lm_eval_samples(written(sample(), sample()))
    with pytest.raises(FileNotFoundError):
        read_lm_eval_samples("no_such_samples.jsonl")


def test_items_of_several_models_belong_together_or_are_refused(written):
    ours = read_lm_eval_samples(written(sample(0), sample(1), name="ours.jsonl"))
    theirs = read_lm_eval_samples(written(sample(1, (-2, -3)), sample(0), name="theirs.jsonl"))
    assert same_items([ours, theirs])[1].log_likelihoods.tolist() == [[-1.5, -0.25], [-2.0, -3.0]]
    fewer = read_lm_eval_samples(written(sample(0), name="fewer.jsonl"))
    with pytest.raises(ValueError, match=r"item 1 is in one of ours.jsonl and fewer.jsonl alone"):
        same_items([ours, fewer])
    other = read_lm_eval_samples(written(sample(0), sample(1, prompt_hash="few-shot"), name="other.jsonl"))
    with pytest.raises(ValueError, match=r"item 1 of ours.jsonl and other.jsonl is not the same question"):
        same_items([ours, other])


def test_items_of_unequal_choices_have_no_matrix(written):
    found = read_lm_eval_samples(written(sample(0), sample(1, (-1, -2, -3), (" A", " B", " C"))))
    with pytest.raises(ValueError, match="items of 2 and of 3 choices"):
        _ = found.log_likelihoods
    assert np.array_equal(found.right, [1.0, 0.0])
