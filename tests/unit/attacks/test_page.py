"""docs/attacks.md says what attacks declare and what was measured."""

from __future__ import annotations

from pytest_unlearn.attacks.registry import ALWAYS, NAMED
from tools.judged.attack_page import MEASURED, PAGE, page


def test_the_page_is_up_to_date():
    assert PAGE.read_text() == page(MEASURED.read_text()), "run `python -m tools.judged.attack_page`"


def test_every_attack_is_on_it_with_what_it_found():
    text = PAGE.read_text()
    for attack in (*ALWAYS, *NAMED):
        assert f"| {attack.name} |" in text
    assert text.count("| RMIA | - | 0.") == 2  # one row a world
