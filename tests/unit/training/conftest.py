import pytest

from pytest_unlearn.training import pool
from pytest_unlearn.training.cache.store import _say_once


@pytest.fixture(autouse=True)
def _nothing_said_yet():
    _say_once.cache_clear()


@pytest.fixture
def only_helpers(monkeypatch):
    """Have helpers do all the work that workers are asked for, however short it is."""
    monkeypatch.setattr(pool, "PATIENCE", 0.0)
    monkeypatch.setattr(pool, "_claim", lambda parcel, position: False)
