"""Pictures of the examples are of what their READMEs say."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.picture import NAME, Audit, audits

HERE = Path(__file__).parent
DRAWN = sorted(HERE.glob(f"*/{NAME}"))
TABLE = """
| wrong | table |
|---|---|
| PASS | no interval |

| request | draw | model | audit | AUC | test |
|---|---|---|---|---|---|
| random | 0 | original | FAIL (recognisable) | 0.863 [0.824, 0.894] | 0.5 |
| random | 0 | cut, then tuned | PASS | 0.478 [0.427, 0.528] | INVALID 0.5 [0.4, 0.6] |

| another | 1 | FAIL | 0.9 [0.8, 0.95] |
"""


def test_a_picture_is_of_the_first_table_with_intervals():
    assert list(audits(TABLE)) == [
        Audit("random, original", "FAIL", 0.863, 0.824, 0.894),
        Audit("random, cut, then tuned", "PASS", 0.478, 0.427, 0.528),
    ]


@pytest.mark.parametrize("picture", DRAWN, ids=lambda path: path.parent.name)
def test_a_picture_is_what_its_readme_says(picture):
    readme = (picture.parent / "README.md").read_text(encoding="utf-8")
    drawn = picture.read_text(encoding="utf-8")
    assert f"]({NAME})" in readme
    assert all(f"<!-- {one.model} -->" in drawn or f">{one.model}</text>" in drawn for one in audits(readme))


def test_pictures_were_drawn_of_several_examples():
    assert len(DRAWN) > 3
