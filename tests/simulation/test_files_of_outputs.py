"""What two retrained models and nothing but files say of honest models, and of models that forgot nothing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from pytest_unlearn.__main__ import main
from tests.cli.test_files import AUDIT, make_files

SEEDS = range(20, 32)

pytestmark = [pytest.mark.slow, pytest.mark.long]


def verdict(folder: Path, released: str) -> str:
    (folder / "audit.toml").write_text(AUDIT.replace('"released"', f'"{released}"'))
    main(["files", str(folder / "audit.toml")])
    claims = json.loads((folder / ".unlearn" / "report" / "report.json").read_text())["claims"]
    return next(one["evidence"]["verdict"] for one in claims if one["evidence"]["claim"]["name"] == "forgotten")


def test_honest_models_are_never_accused_and_mostly_released_and_others_never(tmp_path: Path) -> None:
    honest, remembers = Counter[str](), Counter[str]()
    for seed in SEEDS:
        folder = tmp_path / str(seed)
        make_files.save(folder, make_files.models(seed), seed)
        second = make_files.models(seed, references=0, released="original")["released"]
        make_files.save(folder, {"second_original": second}, seed)
        honest[verdict(folder, "released")] += 1
        remembers[verdict(folder, "second_original")] += 1
    assert set(honest) <= {"PASS", "INCONCLUSIVE"}, honest
    assert honest["PASS"] >= 2 / 3 * len(SEEDS), honest
    assert remembers["PASS"] == 0, remembers
    assert remembers["FAIL"] >= 2 / 3 * len(SEEDS), remembers
