"""`card`: an audit's section in a model card, replaced as a whole by the next, and nothing else touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run, claim, write

CARD = "---\nlicense: mit\n---\n\n# My model\n\nIt classifies digits.\n"
FILES = [{"name": "model.safetensors", "sha256": "f11e" * 16}]


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return write(tmp_path / "report.json", claim(), claim("FAIL", 0.7, name="no_residual"), release_files=FILES)


def test_a_section_is_added_and_then_replaced(run: Run, report: Path, tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text(CARD)
    assert run("card", report, card).out.endswith("a section was added\n")
    first = card.read_text()
    assert first.startswith(CARD.rstrip())
    assert "f11e" * 16 in first
    assert "**NOT DECIDED.** No release gate decided on this model" in first
    assert "| no_residual | FAIL (a reason) | 0.700 [0.670, 0.730] | at most 0.55 |" in first
    assert run("card", report, card).out.endswith("the section was replaced\n")
    assert card.read_text() == first
    other = write(tmp_path / "other.json", claim(), release_files=FILES)
    card.write_text(first + "\n## Licence\n")
    run("card", other, card)
    assert "no_residual" not in card.read_text()
    assert card.read_text().endswith("\n## Licence\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "other.json", "report.json"]


def test_a_card_that_is_not_there_is_made(run: Run, report: Path, tmp_path: Path) -> None:
    assert run("card", report, tmp_path / "CARD.md").status == 0
    assert (tmp_path / "CARD.md").read_text().startswith("<!-- unlearning-audit: begin -->")


def test_what_cannot_be_read_is_refused_and_left_alone(run: Run, report: Path, tmp_path: Path) -> None:
    (tmp_path / "latin.md").write_bytes(b"caf\xe9")
    assert run("card", report, tmp_path / "latin.md").status == 2
    assert (tmp_path / "latin.md").read_bytes() == b"caf\xe9"
    assert run("card", report, tmp_path).status == 2
    assert run("card", tmp_path / "none.json", tmp_path / "latin.md").status == 2
