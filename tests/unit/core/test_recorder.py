"""The recorder: everything in order, or one worst case a claim and a count."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pytest_unlearn.core.recorder import Recorder, current, plain, record, recording
from tests.evidences import evidence

ROOT = Path(__file__).parents[3]


def test_outside_a_test_recording_does_nothing() -> None:
    code = "from pytest_unlearn.core.recorder import current, record; from tests.evidences import evidence; "
    subprocess.run([sys.executable, "-c", code + "record(evidence()); assert current() is None"], check=True, cwd=ROOT)


def test_entries_are_json_and_drained_once() -> None:
    with recording(Recorder("test_a")) as recorder:
        record(evidence("PASS"))
        record(evidence("PASS"))
        assert current() is recorder
    entries = recorder.drain()
    assert [entry["count"] for entry in entries] == [1, 1]
    assert json.loads(json.dumps(entries)) == entries
    assert recorder.drain() == []


def test_nested_audits_of_one_test_are_told_apart_in_other_threads_too() -> None:
    with recording(Recorder("test_a")) as outer:
        with recording(Recorder("test_a")) as inner, ThreadPoolExecutor(1) as threads:
            assert threads.submit(current).result() is inner
        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(current).result() is outer


@pytest.mark.parametrize("order", [1, -1])
def test_collapsing_keeps_the_gravest_verdict_and_counts(order: int) -> None:
    found = [evidence("PASS", 0.9), evidence("INCONCLUSIVE", 0.54), evidence("FAIL", 0.6), evidence("INVALID", 0.1)]
    recorder = Recorder(collapse=True)
    for one in found[::order]:
        recorder.add(one.to_json())
    (entry,) = recorder.entries
    assert (entry["verdict"], entry["count"]) == ("INVALID", 4)


@pytest.mark.parametrize(
    ("limits", "values", "worst"),
    [
        ({"highest": 0.55}, [0.5, 0.7, 0.6], 0.7),
        ({"highest": None, "lowest": 0.45}, [0.5, 0.3, 0.4], 0.3),
        ({"highest": 0.55, "lowest": 0.45}, [0.5, 0.56, 0.40], 0.40),
        ({"highest": 0.55}, [0.5, 0.54, float("nan")], None),
    ],
)
def test_among_equal_verdicts_the_one_closest_to_or_furthest_beyond_its_limit(
    limits: dict[str, float | None], values: list[float], worst: float | None
) -> None:
    recorder = Recorder(collapse=True)
    for value in values:
        recorder.add(evidence("FAIL", value, **limits).to_json())
    assert recorder.entries[0]["estimate"]["value"] == worst


def test_collapsing_keeps_claims_apart() -> None:
    recorder = Recorder(collapse=True)
    for name in ("forgotten", "utility", "forgotten"):
        recorder.add(evidence(name=name).to_json())
    assert [(entry["claim"]["name"], entry["count"]) for entry in recorder.entries] == [
        ("forgotten", 2),
        ("utility", 1),
    ]


def test_plain_turns_anything_into_json() -> None:
    class Odd:
        def __repr__(self) -> str:
            return "odd"

    value = {"a": np.float32(0.5), "b": np.arange(2), "c": float("inf"), "d": Odd(), 1: None}
    assert plain(value) == {"a": 0.5, "b": [0, 1], "c": None, "d": "odd", "1": None}
