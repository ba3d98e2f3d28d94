"""Endpoints are asked in batches, again where they are busy, no faster than allowed, and say what is wrong."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from pytest_unlearn import endpoint
from tests.worlds.noise import noise

pytest.importorskip("urllib3")

WEIGHTS = np.random.default_rng(0).normal(size=(12, 3))
X = noise(70, 0)[0].astype(np.float64)


class Server(ThreadingHTTPServer):
    """A model behind HTTP on this machine, which first answers what `before` lists: status and headers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.before: list[tuple[int, dict[str, str]]] = []
        self.asked: list[tuple[float, int, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/models/m:predict?key=secret"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rows = np.array(body["instances"])
        self.server.asked.append((time.monotonic(), len(rows), dict(self.headers)))
        status, headers = self.server.before.pop(0) if self.server.before else (200, {})
        answer = json.dumps({"predictions": (rows @ WEIGHTS).tolist()} if status == 200 else {"error": "no such model"})
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_batches_are_cut_small_and_answers_put_together(server: Server):
    found = endpoint(server.url, batch_size=32, headers={"Authorization": "Bearer me"})(X)
    np.testing.assert_allclose(found, X @ WEIGHTS)
    assert [count for _, count, _ in server.asked] == [32, 32, 6]
    assert {headers["Authorization"] for _, _, headers in server.asked} == {"Bearer me"}
    assert {headers["Content-Type"] for _, _, headers in server.asked} == {"application/json"}


def test_a_busy_server_is_asked_again_when_it_says(server: Server):
    server.before = [(503, {"Retry-After": "0"}), (429, {"Retry-After": "1"})]
    np.testing.assert_allclose(endpoint(server.url)(X[:5]), X[:5] @ WEIGHTS)
    _, second, third = (when for when, _, _ in server.asked)
    assert third - second >= 1


def test_no_more_requests_are_made_than_a_second_allows(server: Server, monkeypatch: pytest.MonkeyPatch):
    class Clock:
        now, slept = 100.0, list[float]()

        def monotonic(self) -> float:
            return self.now

        def sleep(self, seconds: float) -> None:
            self.slept.append(seconds)
            self.now += seconds + 0.125

    clock = Clock()
    monkeypatch.setattr("pytest_unlearn.models.endpoint.time", clock)
    endpoint(server.url, batch_size=10, per_second=2)(X[:40])
    assert clock.slept == [0.0, 0.375, 0.375, 0.375]


def test_what_a_server_refuses_is_told_once_and_without_the_key(server: Server):
    server.before = [(404, {})]
    with pytest.raises(ConnectionError, match=r"/v1/models/m:predict answered 404: .*no such model") as raised:
        endpoint(server.url)(X[:5])
    assert "secret" not in str(raised.value)
    assert len(server.asked) == 1


def test_a_server_that_stays_busy_is_given_up(server: Server):
    server.before = [(503, {"Retry-After": "0"})] * 3
    with pytest.raises(ConnectionError, match="503 in 3 tries: ask more slowly"):
        endpoint(server.url, retries=2)(X[:5])
    assert len(server.asked) == 3


def test_examples_are_not_sent_on_to_another_address(server: Server):
    server.before = [(307, {"Location": server.url})]
    with pytest.raises(ConnectionError, match="answered 307"):
        endpoint(server.url)(X[:5])
    assert len(server.asked) == 1


def test_a_server_that_is_not_there_is_named():
    with pytest.raises(ConnectionError, match=r"http://127.0.0.1/x gave no answer in 1 tries"):
        endpoint("http://127.0.0.1:9/x", retries=0, timeout=2)(X[:5])


def test_another_protocol_is_two_functions(server: Server):
    ask = endpoint(
        server.url,
        encode=lambda batch: json.dumps({"instances": (2 * batch).tolist()}).encode(),
        decode=lambda body: np.array(json.loads(body)["predictions"])[:, :2],
    )
    np.testing.assert_allclose(ask(X[:5]), (2 * X[:5] @ WEIGHTS)[:, :2])


@pytest.mark.parametrize(
    ("decoded", "match"), [(lambda _: [[1.0]], "rows of shape"), (None, "an answer with")], ids=["rows", "names"]
)
def test_answers_that_are_no_rows_are_refused(server: Server, decoded: Any, match: str):
    from pytest_unlearn.models.endpoint import from_predictions

    with pytest.raises(ValueError, match=match):
        endpoint(server.url, decode=decoded or (lambda _: from_predictions(b'{"result": []}')))(X[:5])


def test_without_urllib3_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "urllib3", None)
    with pytest.raises(ImportError, match=r"pytest-unlearn\[http\]"):
        endpoint("http://a.example/x")


def test_what_is_no_endpoint_is_refused():
    with pytest.raises(ValueError, match="no URL of an endpoint"):
        endpoint("file:///etc/passwd")
    with pytest.raises(ValueError, match="per_second"):
        endpoint("http://a.example/x", per_second=0)
