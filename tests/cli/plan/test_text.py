"""What is planned for documents: their number, what they can certify, and lines that documents can be asked."""

from __future__ import annotations

import pytest

from pytest_unlearn.cli.plan import outlook
from pytest_unlearn.cli.plan.asked import Asked
from pytest_unlearn.cli.plan.command import comparison
from pytest_unlearn.cli.plan.original import recognised
from pytest_unlearn.cli.plan.power import design
from pytest_unlearn.core.settings import Setting
from tests.worlds.documents import World


def asked(limit: float) -> Asked:
    values = {"max_mia_auc": limit, "confidence": 0.95, "max_share_left": 0.5}
    return Asked("limit", {name: Setting(value, "call keyword") for name, value in values.items()})


def test_documents_are_what_is_counted() -> None:
    assert list(comparison(design(World().task()))) == [
        "forget set: 150 of 300 training documents",
        "units of deletion: 150 documents",
        "controls: 300 never-trained documents",
    ]


def test_a_request_too_small_is_told_what_documents_can_be_asked_and_nothing_else() -> None:
    found = outlook.of(asked(0.6), design(World(forget=50, retain=250).task()), simulable=True)
    text = "\n".join(found.lines)
    assert not found.likely
    assert "assert_text_forgotten(unlearned_model, unlearning_task.forget, max_mia_auc=0.66): the smallest" in text
    assert "forget documents: with these controls a perfect method then passes 80% of the time" in text
    for foreign in ("assert_leakage_reduced", "assert_forgotten", "assert_algorithm", "forget examples"):
        assert foreign not in text


@pytest.mark.slow
def test_an_original_that_is_there_is_asked_as_the_audit_asks_it() -> None:
    world = World()
    seen = recognised(world.task(), world.original, world.references)
    weak = recognised(world.task(), world.trained(0, strength=0.2), world.references)
    assert seen is not None
    assert weak is not None
    assert 0.5 < weak < seen <= 1
    assert recognised(world.task(), world.original, []) is None


@pytest.mark.parametrize(("limit", "likely"), [(0.65, True), (0.55, False)])
def test_what_a_limit_takes_is_the_one_calculation_of_all_requests(limit: float, likely: bool) -> None:
    assert outlook.of(asked(limit), design(World().task()), simulable=False).likely is likely
