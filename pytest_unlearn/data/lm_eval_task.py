"""Write questions as a task of lm-eval, whose harness then asks the same.

A task is a YAML file and a file of JSON lines: `lm_eval --include_path FOLDER --tasks NAME --log_samples` reads them.
Texts are looked up by field, never rendered, so that braces in them are no template; prompt and continuation are joined
without a space, so that whoever writes them decides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

VERSION = 1.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def write_choices_task(
    folder: str | Path, name: str, prompts: Sequence[str], choices: Sequence[Sequence[str]], answers: Sequence[int]
) -> Path:
    """Write questions with choices (`output_type: multiple_choice`).

    Args:
        folder: where the files go; it is made where there is none.
        name: the task's, of letters, digits, - and _.
        prompts: n texts before the choices.
        choices: of each, two or more; a choice that follows a space begins with one.
        answers: the number of the right choice of each, from 0.

    Returns:
        The path of the YAML file, beside which lie the questions. It names them by their absolute path, since lm-eval
        looks for them from wherever it is run.

    Raises:
        ValueError: another name, no questions, or numbers of them that do not match; the sentence says which.
    """
    rows = []
    for place, (prompt, offered, answer) in enumerate(_together(name, prompts, choices, answers)):
        options = list(offered)
        if isinstance(offered, str) or len(options) < 2 or not all(isinstance(one, str) and one for one in options):
            raise ValueError(f"choices[{place}] must be two texts or more, none of them empty.")
        if isinstance(answer, bool) or not 0 <= int(answer) < len(options) or int(answer) != answer:
            raise ValueError(f"answers[{place}] is {answer!r}: it is the number of a choice, 0 to {len(options) - 1}.")
        rows.append({"prompt": prompt, "choices": options, "answer": int(answer)})
    metrics = ["acc", "acc_norm"]
    fields = {"output_type": "multiple_choice", "doc_to_choice": "choices", "doc_to_target": "answer"}
    return _write(Path(folder), name, rows, fields, metrics)


def write_completions_task(folder: str | Path, name: str, prompts: Sequence[str], completions: Sequence[str]) -> Path:
    """Write prompts and their true continuations (`output_type: loglikelihood`).

    `completions` has one for each prompt; else as `write_choices_task`, and so are the errors.
    """
    rows = []
    for place, (prompt, completion) in enumerate(_together(name, prompts, completions)):
        if not isinstance(completion, str) or not completion:
            raise ValueError(f"completions[{place}] must be a text, and not empty.")
        rows.append({"prompt": prompt, "completion": completion})
    fields = {"output_type": "loglikelihood", "doc_to_target": "completion"}
    return _write(Path(folder), name, rows, fields, ["perplexity", "acc"])


def _together(name: str, prompts: Sequence[str], *others: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Check the name and that there is one of each for every prompt."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a task: letters, digits, - and _ are.")
    if isinstance(prompts, str) or not len(prompts) or any(len(other) != len(prompts) for other in others):
        counts = ", ".join(str(len(one)) for one in (prompts, *others))
        raise ValueError(f"a task needs as many of each, one prompt at least, and these are {counts}.")
    for place, prompt in enumerate(prompts):
        if not isinstance(prompt, str):
            raise ValueError(f"prompts[{place}] is a {type(prompt).__name__}, and a text is needed.")
    return list(zip(prompts, *others, strict=True))


def _write(
    folder: Path, name: str, rows: Sequence[Mapping[str, Any]], fields: Mapping[str, str], metrics: Sequence[str]
) -> Path:
    """Write both files."""
    folder.mkdir(parents=True, exist_ok=True)
    questions, task = folder / f"{name}.jsonl", folder / f"{name}.yaml"
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    questions.write_text("".join(lines), encoding="utf-8", newline="\n")
    config = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(questions.resolve())}},
        "test_split": "test",
        "num_fewshot": 0,
        "doc_to_text": "prompt",
        **fields,
        "target_delimiter": "",
        "metric_list": [{"metric": metric} for metric in metrics],
        "metadata": {"version": VERSION},
    }
    # a value of JSON is one of YAML
    text = "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in config.items())
    task.write_text(text, encoding="utf-8", newline="\n")
    return task
