"""Ask a model behind HTTP: in batches, again if busy, as fast as allowed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from pytest_unlearn.core.arguments import finite_number, whole_number
from pytest_unlearn.core.text import printable, shortened
from pytest_unlearn.data.dataset import to_numpy

BUSY = (408, 425, 429, 500, 502, 503, 504)
LONGEST_WAIT = 60.0  # seconds between two tries, where the server does not say
_ANSWERS = ("predictions", "outputs", "logits", "probabilities")


def as_instances(batch: Any) -> bytes:
    """Write a batch as `{"instances": [...]}`, as KServe takes it."""
    return json.dumps({"instances": to_numpy(batch).tolist()}).encode()


def from_predictions(body: bytes) -> Any:
    """Read rows from `{"predictions": [...]}`, or from a bare list of them.

    Returns:
        Outputs, shape (examples, classes).

    Raises:
        ValueError: no such answer.
    """
    answer = json.loads(body)
    if isinstance(answer, Mapping):
        names = [name for name in _ANSWERS if name in answer]
        if len(names) != 1:
            raise ValueError(f"an answer with {sorted(map(str, answer))} and not predictions alone: pass decode=")
        answer = answer[names[0]]
    return np.asarray(answer, dtype=np.float64)


def endpoint(
    url: str,
    *,
    encode: Callable[[Any], bytes] = as_instances,
    decode: Callable[[bytes], Any] = from_predictions,
    headers: Mapping[str, str] | None = None,
    batch_size: int = 32,
    retries: int = 6,
    per_second: float | None = None,
    timeout: float = 60.0,
) -> Callable[[Any], Any]:
    """Make a model of an HTTP endpoint: a callable from a batch to outputs.

    Every question costs money or quota, so that `save_outputs` writes what it answers to files before anything is
    audited. Examples of the request are sent to it: only ask a server that may see them. Redirections are not followed.

    Args:
        url: where batches are posted.
        encode: makes the body of a request of a batch, shape (examples, ...).
        decode: makes rows of the body of the answer: logits or probabilities, shape (examples, classes).
        headers: of each request, such as `{"Authorization": ...}`; JSON is the content type unless they say another.
        batch_size: examples a request.
        retries: how often a request is made again that got no answer, or 408, 425, 429, 500, 502, 503 or 504: when
            `Retry-After` says, else after 0.5, 1, 2, ... seconds.
        per_second: requests a second at most, retries not counted.
        timeout: seconds until a request counts as not answered.

    Returns:
        The model, which any audit, `UnlearningTask` and `save_outputs` take.

    Raises:
        ImportError: urllib3 is not installed.
        ValueError: no URL of http, or a number out of its range; when asked, an answer that cannot be read.
        ConnectionError: when asked: no answer, or another status than 200; the sentence says which.
    """
    try:
        import urllib3
    except ImportError as error:
        raise ImportError("endpoint() takes urllib3: `pip install 'pytest-unlearn[http]'`") from error
    place = urlsplit(url)
    if place.scheme not in ("http", "https") or not place.netloc:
        raise ValueError(f"{url!r} is no URL of an endpoint, such as 'https://models.example/v1/models/m:predict'")
    whole_number(batch_size, "batch_size", 1)
    whole_number(retries, "retries", 0)
    finite_number(timeout, "timeout", 0)
    if per_second is not None:
        finite_number(per_second, "per_second", 0)
    shown = f"{place.scheme}://{place.hostname}{place.path}"  # without what may be a key
    again = urllib3.Retry(
        total=retries,
        redirect=False,
        status_forcelist=BUSY,
        allowed_methods=None,
        backoff_factor=0.5,
        backoff_max=LONGEST_WAIT,
        raise_on_status=False,
    )
    pool = urllib3.PoolManager(timeout=timeout, retries=again)
    pace = _Pace(0.0 if per_second is None else 1.0 / per_second)
    sent = {"Content-Type": "application/json", **(headers or {})}

    def post(batch: Any) -> Any:
        pace.wait()
        try:
            answer = pool.request("POST", url, body=encode(batch), headers=sent, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise ConnectionError(
                f"{shown} gave no answer in {retries + 1} tries of {timeout:g} s ({type(error).__name__}): is it "
                "there? More of both is said with retries= and timeout=."
            ) from None
        if answer.status != 200:
            said = shortened(printable(answer.data.decode("utf-8", "replace").strip()), 200)
            tries = f" in {retries + 1} tries: ask more slowly, with per_second=" if answer.status in BUSY else ""
            raise ConnectionError(f"{shown} answered {answer.status}{tries}: {said or 'nothing else'}")
        rows = np.asarray(decode(answer.data))
        if rows.shape[:1] != (len(batch),):
            raise ValueError(f"{shown} answered rows of shape {rows.shape} to {len(batch)} examples: one row each")
        return rows

    def ask(batch: Any) -> Any:
        return np.concatenate([post(batch[start : start + batch_size]) for start in range(0, len(batch), batch_size)])

    return ask


class _Pace:
    """Let callers go on no sooner than so many seconds after each other."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._next, self._lock = seconds, 0.0, threading.Lock()

    def wait(self) -> None:
        with self._lock:
            now = time.monotonic()
            until = max(now, self._next)
            self._next = until + self._seconds
        time.sleep(until - now)
