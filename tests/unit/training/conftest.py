import pytest

from pytest_unlearn.training.cache.store import _say_once


@pytest.fixture(autouse=True)
def _nothing_said_yet():
    _say_once.cache_clear()
