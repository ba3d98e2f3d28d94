"""Write what the reference pages say that the product knows: tables of settings, claims, names, and the schema.

`python -m tools.reference_pages` renews the tables in the pages, between two marks, where whoever reads the repository
sees them; a test compares. What takes Sphinx to read (signatures, docstrings) and what looks different under another
Python (the commands' help) is included when the pages are built, by `docs/conf.py`, and is not committed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest_unlearn
import unlearners
from pytest_unlearn.core import variables
from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.core.settings import TABLE as SETTINGS
from pytest_unlearn.core.settings import Spec

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "reference"
MADE = re.compile(r"(<!-- made: (\w+) -->\n\n).*?(\n<!-- made: end -->)", re.DOTALL)
SCHEMA = ROOT / "pytest_unlearn" / "report" / "schema" / "report-v1.json"
NEEDS = {
    "": "outputs of the model",
    "weights": "the model's weights",
    "whole classes": "a request that is one or several whole classes",
    "unlearner": "the method, which it runs",
    "canaries": "canaries, planted before training",
}
GROUPS = {
    "Data and task": ("Split", "UnlearningTask", "reserve_controls", "SavedOutputs"),
    "Recipes": ("TorchRecipe", "EstimatorRecipe", "Recipe"),
    "Frameworks": ("LightningRecipe", "TransformersRecipe", "TransformersClassifier", "audit_every", "onnx_model",
                   "endpoint", "save_outputs"),
    "Language models": ("TextSplit", "CausalRecipe", "SavedLogprobs", "record_logprobs", "counterfactual_twins"),
    "Evidence": ("Evidence", "Verdict", "Estimate", "Claim", "AuditFailure", "ReleaseFailure"),
    "Release policies": ("assert_release", "audit_release", "POLICIES", "Policy", "Step"),
    "Searching requests": ("stress", "forget_sets", "ForgetRequest", "audit_request", "Budget", "adaptive_adversary"),
    "Checking a method": ("parametrize_unlearners", "check_unlearner", "unlearner_checks", "unlearning_laws", "Case",
                          "Unsupported"),
    "Questions on facts": ("MultipleChoice", "Cloze", "OpenQuestion", "LmEvalSamples", "read_lm_eval_samples"),
    "Canaries": ("plant_canaries", "Canaries", "plant_text_canaries", "TextCanaries"),
}  # fmt: skip


def write(folder: Path) -> None:
    """Write every fragment, where its text has changed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in FRAGMENTS.items():
        text, file = make(), folder / f"{name}.md"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Make a table of Markdown."""
    names = list(head)
    lines = [names, ["---"] * len(names), *map(list, rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def settings() -> str:
    """List every setting, with all the ways to give it."""
    return table(
        ("setting", "command line", "ini", "marker", "default", "what it is"),
        [_setting(spec) for spec in SETTINGS.values()],
    )


def _setting(spec: Spec) -> Iterator[str]:
    yield f"`{spec.name}`"
    value = "" if spec.kind is bool and not spec.default else " VALUE"
    yield f"`{spec.option}{value}`" if spec.flag else ""
    yield f"`{spec.ini_name}`" if spec.ini else ""
    yield "yes" if spec.marker else ""
    default = "" if spec.default is None else str(spec.default)
    yield {"True": "`true`", "False": "`false`", "": "none"}.get(default, f"`{default}`")
    yield spec.help + (f" ({spec.rule})" if spec.rule and spec.rule not in spec.help else "")


def claims() -> str:
    """List every claim: what it states, its limit, what it needs."""
    rows = []
    for spec in TABLE.values():
        limit = "none is tolerated" if spec.limit.fixed else f"`{spec.limit.setting}`: {spec.limit.range}"
        steps = ", ".join(f"{name}{' (required)' if step.required else ''}" for name, step in spec.steps.items())
        assertion = f"[`assert_{spec.name}`](#pytest_unlearn.assert_{spec.name})"
        rows.append((f"`{spec.name}`", assertion, spec.states, limit, NEEDS[spec.needs], steps or "none"))
    return table(("claim", "assertion", "it states that", "limit", "it needs", "first asked by policy"), rows)


def headlines() -> str:
    """List what each claim's verdict is headed with."""
    return table(
        ("claim", "PASS", "FAIL", "INCONCLUSIVE"),
        ((f"`{spec.name}`", spec.passes, spec.fails, spec.inconclusive) for spec in TABLE.values()),
    )


def marker() -> str:
    """List what the marker takes."""
    taken = [f"`{spec.name}=`" for spec in SETTINGS.values() if spec.marker]
    return f"`@pytest.mark.unlearn(...)` takes {', '.join(taken[:-1])} and {taken[-1]}.\n"


def environment() -> str:
    """List the environment variables of the product."""
    lines = (ROOT / "pytest_unlearn" / "core" / "variables.py").read_text(encoding="utf-8").splitlines()
    said = {
        line.partition(" = ")[0]: lines[number + 1].strip('"')
        for number, line in enumerate(lines)
        if line[:1].isupper() and " = " in line
    }
    return table(("variable", "what it does"), ((f"`{getattr(variables, name)}`", text) for name, text in said.items()))


def schema() -> str:
    """List the fields of report.json and of the evidence in it."""
    document = json.loads(SCHEMA.read_text(encoding="utf-8"))
    parts = [("The document", document), *((f"`{name}`", part) for name, part in document["$defs"].items())]
    return "\n".join(
        f"### {title}\n\n{table(('field', 'type', '', 'what it is'), _fields(part))}"
        for title, part in parts
        if "properties" in part
    )


def _fields(part: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    required = part.get("required", ())
    for name, field in part["properties"].items():
        inner = [f"`{key}`" for key in field.get("properties", ())]
        about = " ".join([field.get("description", ""), *([f"({', '.join(inner)})"] if inner else [])]).strip()
        yield f"`{name}`", _type(field), "required" if name in required else "", about


def _type(field: dict[str, Any]) -> str:
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field:
        return " or ".join(f"`{json.dumps(value)}`" for value in field["enum"])
    if "$ref" in field:
        return f"`{field['$ref'].rpartition('/')[2]}`"
    found = field.get("type", "any")
    return " or ".join(found) if isinstance(found, list) else str(found)


def groups() -> dict[str, list[str]]:
    """Sort the public names: each is in one group."""
    rest = [name for name in pytest_unlearn.__all__ if name != "__version__"]
    sorted_names: dict[str, list[str]] = {"Assertions": [f"assert_{name}" for name in TABLE]}
    sorted_names["Audits"] = [f"audit_{name}" for name in TABLE]
    sorted_names |= {title: [name for name in names if name in rest] for title, names in GROUPS.items()}
    taken = {name for names in sorted_names.values() for name in names}
    others = [name for name in rest if name not in taken]
    return sorted_names | ({"More": others} if others else {})


def api() -> str:
    """List every public name, for autodoc to document."""
    return "\n".join(
        f"## {title}\n\n" + "\n".join(_entry("pytest_unlearn", name, getattr(pytest_unlearn, name)) for name in names)
        for title, names in groups().items()
    )


def methods() -> str:
    """List every reference method, for autodoc to document."""
    classes = sorted({method.__name__ for method in every_method().values()})
    entries = "\n".join(_entry("unlearners", name, getattr(unlearners, name)) for name in classes)
    return f"## Their arguments\n\n{entries}"


def every_method() -> dict[str, type]:
    """List the reference methods by name."""
    return {**unlearners.UNLEARNERS, **unlearners.TEXT_UNLEARNERS}


def metrics() -> str:
    """List the literature's metrics, for autodoc to document."""
    from pytest_unlearn import metrics as module

    return "\n".join(
        _entry("pytest_unlearn.metrics", name, getattr(module, name))
        for name in module.__all__
        if callable(getattr(module, name))
    )


def commands() -> str:
    """Show what each command says of itself."""
    from pytest_unlearn.__main__ import PROGRAM, parser

    (found,) = (action for action in parser()._actions if action.dest == "command")
    texts = {name: command.format_help() for name, command in dict(found.choices or {}).items()}
    return "\n".join(
        f"## {name}\n\n```text\n{text.replace('__main__.py', PROGRAM)}```\n" for name, text in texts.items()
    )


def attacks() -> str:
    """List what an attack of one's own is made of."""
    return _entry("pytest_unlearn.attacks.attack", "Attack", type)


def _entry(module: str, name: str, value: Any) -> str:
    if isinstance(value, type):
        body, options = "autoclass", "    :members:\n"
    else:
        body, options = ("autofunction" if callable(value) else "autodata"), ""
    return f"```{{eval-rst}}\n.. {body}:: {module}.{name}\n{options}```\n"


def _summary(value: Any) -> str:
    return str(value.__doc__ or "").strip().partition("\n")[0]


def names() -> str:
    """List every public name with the first sentence on it."""
    rows = (
        (f"`{name}`", title, _summary(getattr(pytest_unlearn, name)))
        for title, group in groups().items()
        for name in group
    )
    return table(("name", "kind", "what it is"), rows)


def metric_names() -> str:
    """List every metric with the first sentence on it."""
    from pytest_unlearn import metrics as module

    found = ((name, getattr(module, name)) for name in module.__all__)
    return table(
        ("metric", "what it is"), ((f"`{name}`", _summary(one)) for name, one in found if isinstance(one, FunctionType))
    )


def method_names() -> str:
    """List every reference method with the first sentence on it."""
    rows = ((f"`{name}`", f"`{method.__name__}`", _summary(method)) for name, method in every_method().items())
    return table(("name in `UNLEARNERS`, or `TEXT_UNLEARNERS`", "class", "what it does"), rows)


def command_names() -> str:
    """List every command with what it is for."""
    from pytest_unlearn.__main__ import parser

    (found,) = (action for action in parser()._actions if action.dest == "command")
    return table(
        ("command", "what it does"),
        ((f"`{one.dest}`", str(one.help)) for one in found._choices_actions),  # type: ignore[attr-defined]
    )


def renewed(page: str) -> str:
    """Return a page with its tables made again."""
    return MADE.sub(lambda found: f"{found[1]}{TABLES[found[2]]().strip()}\n{found[3]}", page)


FRAGMENTS: dict[str, Callable[[], str]] = {made.__name__: made for made in (api, methods, metrics, attacks, commands)}
TABLES: dict[str, Callable[[], str]] = {
    made.__name__: made
    for made in (
        settings, claims, headlines, marker, environment, schema, names, metric_names, method_names, command_names,
    )
}  # fmt: skip

if __name__ == "__main__":
    for file in sorted(PAGES.glob("*.md")):
        text = file.read_text(encoding="utf-8")
        if renewed(text) != text:
            file.write_text(renewed(text), encoding="utf-8")
