"""Reports of several hundred claims shorten most evidence; a policy and a comparison still find what they need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run, claim, provenance, write

MANY = 250


def large(path: Path, last: dict[str, Any] | None = None, **task: Any) -> Path:
    claims = [claim(nodeid=f"test_it.py::test_a[{k:03}]", provenance=provenance(**task)) for k in range(MANY)]
    return write(path, *claims[:-1], last or claims[-1])


def test_most_entries_are_shortened(tmp_path: Path) -> None:
    claims = json.loads(large(tmp_path / "report.json").read_text())["claims"]
    assert sum(entry.get("brief", False) for entry in claims) == MANY - 20


@pytest.mark.slow
def test_a_policy_looks_at_every_one_of_them(run: Run, tmp_path: Path) -> None:
    good = large(tmp_path / "good.json")
    assert run("check", good).status == 0
    assert run("check", good, "--max-mia-auc", "0.54").out.count("was judged at a max_mia_auc of 0.55") == MANY
    bad = large(tmp_path / "bad.json", claim("FAIL", 0.7, nodeid="test_it.py::test_z", outcome="failed"))
    done = run("check", bad)
    assert done.status == 1
    assert "forgotten is FAIL in test_it.py::test_z" in done.out


@pytest.mark.parametrize("altered", ["estimate", "verdict"])
def test_a_shortened_entry_that_contradicts_itself_is_refused(run: Run, tmp_path: Path, altered: str) -> None:
    path = large(tmp_path / "report.json")
    document = json.loads(path.read_text())
    entry = next(entry for entry in document["claims"] if entry.get("brief"))
    if altered == "estimate":
        entry["evidence"]["estimate"]["high"] = 0.9
    else:
        entry["evidence"]["verdict"] = "FAIL"
    path.write_text(json.dumps(document))
    assert run("check", path).status == 2


@pytest.mark.slow
def test_they_are_compared_by_the_digest_of_data_and_recipe(run: Run, tmp_path: Path) -> None:
    old = large(tmp_path / "old.json", recipe="r")
    assert run("compare", old, large(tmp_path / "same.json", recipe="r"), "--fail-on-regression").status == 0
    other = run("compare", old, large(tmp_path / "other.json", recipe="another"), "--fail-on-regression")
    assert other.status == 3
    assert "the data, the request or the recipe differ" in other.out
    worse = claim("FAIL", 0.7, nodeid=f"test_it.py::test_a[{MANY - 1}]", provenance=provenance(recipe="r"))
    done = run("compare", old, large(tmp_path / "worse.json", worse, recipe="r"), "--fail-on-regression")
    assert done.status == 1
    assert done.out.count("REGRESSION") == 1, done.out


def test_waived_controls_stay_visible(run: Run, tmp_path: Path) -> None:
    waived = {**provenance(recipe="r"), "settings": {"require_controls": False}}
    loose = claim(nodeid="test_it.py::test_a[249]", provenance=waived)
    old, new = large(tmp_path / "old.json", recipe="r"), large(tmp_path / "new.json", loose, recipe="r")
    assert json.loads(new.read_text())["claims"][-1]["brief"]
    assert run("compare", old, new).out.count("controls are no longer required") == 1
