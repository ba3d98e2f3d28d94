"""Share trainings out between this process and helpers, started once and kept.

Whoever is free takes the next job: this process from the front of the list, helpers from its back. So jobs that are
over before a helper has started are done here, and nobody has to know beforehand how long they take.
"""

from __future__ import annotations

import atexit
import importlib
import logging
import math
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Work = Callable[[int, Any], Any]
PATIENCE = 1.0
"""Seconds that trainings have to take here before helpers are started: a start takes two, with the import of torch."""
IDLE = 300  # seconds after which a helper that has nothing to do ends
_ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")}
_logger = logging.getLogger("pytest_unlearn")


class _Pool:
    """The helpers of this process, as many as were last asked for."""

    def __init__(self) -> None:
        self._executor: Any = None
        self._of: tuple[int, int] | None = None  # how many, and whose: a fork has none
        self._answered = -math.inf
        self._lock = threading.Lock()

    def warm(self, count: int) -> bool:
        """Whether so many helpers are likely there, and need no start."""
        return self._of == (count, os.getpid()) and time.monotonic() - self._answered < IDLE

    def answered(self) -> None:
        """Note that a helper has just done something."""
        self._answered = time.monotonic()

    def submit(self, count: int, calls: Sequence[tuple[Any, ...]]) -> list[Future[Any]]:
        """Have so many helpers make these calls, started first where there are none."""
        with self._lock:
            try:
                return [self._started(count).submit(*call) for call in calls]
            except BrokenExecutor:  # one was killed since, or gave up
                self.end()
                return [self._started(count).submit(*call) for call in calls]

    def _started(self, count: int) -> Any:
        from joblib.externals.loky import ProcessPoolExecutor

        if self._of != (count, os.getpid()):
            self.end()
            self._executor = ProcessPoolExecutor(
                count, timeout=IDLE, env=_ONE_THREAD, initializer=_watch, initargs=(os.getpid(),)
            )
            self._of = (count, os.getpid())
        return self._executor

    def end(self) -> None:
        """Let the helpers go."""
        if self._of is not None and self._of[1] == os.getpid():
            self._executor.shutdown(wait=False)
        self._executor, self._of, self._answered = None, None, -math.inf


_POOL = _Pool()
atexit.register(_POOL.end)  # before the modules go that it needs for it


def share_out(
    jobs: Sequence[Any],
    here: Work,
    there: Work,
    helpers: int,
    pickler: Any,
    sending: Callable[[], AbstractContextManager[None]],
) -> Iterator[Any]:
    """Yield what is made of each job, in the order in which they are done.

    Args:
        jobs: what is to be done; they are pickled once, and read once by each helper.
        here: `here(position, job)`, called in this process.
        there: the same for a helper.
        helpers: how many other processes work at the same time.
        pickler: a module with `dumps` and `loads`.
        sending: a block in which the code of modules that a helper could not import is pickled, too.

    Raises:
        Exception: what the first job raises that fails; the others are left, and helpers at work on them stop.
    """
    with tempfile.TemporaryDirectory(prefix="unlearn-") as folder, sending():
        # Pickled here and now: in a thread beside a training it would meet objects that change.
        parcel = _Parcel(folder, pickler.__name__, pickler.dumps(list(jobs)))
        team = _Team(parcel, jobs, here, there, helpers)
        team.start(0.0 if _POOL.warm(helpers) else PATIENCE)
        try:
            for position in range(len(jobs)):
                yield from team.done()
                if _claim(folder, position):
                    yield team.work(position)
            yield from team.rest()
        finally:
            team.leave()  # and who is still at work on a job gives up when the folder is gone


class _Team:
    """This process and its helpers, at work on one list of jobs."""

    def __init__(self, parcel: _Parcel, jobs: Sequence[Any], here: Work, there: Work, helpers: int) -> None:
        self._parcel, self._jobs, self._here, self._there, self._helpers = parcel, jobs, here, there, helpers
        self._ours: set[int] = set()
        self._futures: dict[int, Future[Any]] = {}
        self._over = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(0, self._submit)

    def start(self, patience: float) -> None:
        """Hand the jobs to the helpers in a while, unless all is over by then."""
        if patience == 0:
            self._submit()
            return
        self._timer = threading.Timer(patience, self._submit)
        self._timer.daemon = True
        self._timer.start()

    def _submit(self) -> None:
        positions = [position for position in reversed(range(len(self._jobs))) if position not in self._ours]
        with self._lock:
            if not self._over:
                calls = [(_help, self._parcel.folder, self._parcel, position, self._there) for position in positions]
                self._futures = dict(zip(positions, _POOL.submit(self._helpers, calls), strict=True))

    def work(self, position: int) -> Any:
        """Do a job here."""
        self._ours.add(position)
        if position in self._futures:
            self._futures[position].cancel()
        with in_this_process():
            return self._here(position, self._jobs[position])

    def done(self) -> Iterator[Any]:
        """Yield what helpers have finished since the last time."""
        with self._lock:
            finished = [position for position, future in self._futures.items() if future.done()]
        for position in finished:
            yield from self._taken(position)

    def rest(self) -> Iterator[Any]:
        """Yield what helpers are still at work on, as they finish."""
        while left := [future for position, future in self._futures.items() if position not in self._ours]:
            wait(left, return_when=FIRST_COMPLETED)
            yield from self.done()

    def _taken(self, position: int) -> Iterator[Any]:
        future = self._futures.pop(position)
        if position in self._ours:
            return
        try:
            made = future.result()
        except BrokenExecutor:
            if Path(self._parcel.folder, str(position)).exists():
                _logger.warning("a process that trained a model was killed: the model is trained again in this one")
                yield self.work(position)
            return
        _POOL.answered()
        if made is not None:
            yield made[0]

    def leave(self) -> None:
        """Start nothing any more."""
        self._timer.cancel()
        with self._lock:
            self._over = True


@contextmanager
def in_this_process() -> Iterator[None]:
    """Use no other process for a block, whoever asks: an estimator's `n_jobs`, too."""
    from joblib import parallel_config

    with parallel_config("sequential"):
        yield


def _claim(folder: str, position: int) -> bool:
    """Take a job; False if somebody has it, or if all of them are over."""
    try:
        os.close(os.open(Path(folder, str(position)), os.O_CREAT | os.O_EXCL))
    except (FileExistsError, FileNotFoundError):
        return False
    return True


@dataclass(frozen=True)
class _Parcel:
    """A list of jobs on its way, which arrives as the list."""

    folder: str
    pickler: str
    content: bytes

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpacked, (self.folder, self.pickler, self.content)


def _unpacked(folder: str, pickler: str, content: bytes) -> list[Any]:
    if folder not in _LISTS:
        _LISTS.clear()
        _LISTS[folder] = importlib.import_module(pickler).loads(content)
    return _LISTS[folder]


_LISTS: dict[str, list[Any]] = {}  # in a helper: the last list of jobs
_AT_WORK: set[str] = set()  # in a helper: the folder of the list that it is at work on


def _help(folder: str, jobs: list[Any], position: int, work: Work) -> tuple[Any] | None:
    """Do a job in a helper, unless somebody has it."""
    if not _claim(folder, position):
        return None
    _AT_WORK.add(folder)
    try:
        with in_this_process():
            return (work(position, jobs[position]),)
    finally:
        _AT_WORK.clear()


def _watch(parent: int) -> None:
    """End this helper when nobody waits for it: its parent is gone, however it went, or has left its list of jobs."""

    def watch() -> None:
        while os.getppid() == parent and all(Path(folder).exists() for folder in list(_AT_WORK)):
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="pytest-unlearn parent", daemon=True).start()
