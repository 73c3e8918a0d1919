"""One stub for all tests of this folder, and a client that reports what came over the wire."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.upstream import Upstream, start_upstream


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes


Fetch = Callable[..., Answer]


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    log: Path = tmp_path_factory.mktemp("upstream") / "stub.log"
    with start_upstream(log) as stub:
        yield stub


@pytest.fixture
def connection(upstream: Upstream) -> Iterator[http.client.HTTPConnection]:
    """One keep-alive connection."""
    client = http.client.HTTPConnection(urlsplit(upstream.base_url).netloc, timeout=10)
    yield client
    client.close()


@pytest.fixture
def fetch(connection: http.client.HTTPConnection) -> Fetch:
    """fetch(target, method="GET", body=None, **headers) -> Answer, on one connection."""

    def send(
        target: str, method: str = "GET", body: object = None, headers: dict[str, str] | None = None
    ) -> Answer:
        connection.request(method, target, body=body, headers=headers or {})  # type: ignore[arg-type]
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    return send


@pytest.fixture
def raw(upstream: Upstream) -> Iterator[socket.socket]:
    """A bare connection to the stub."""
    url = urlsplit(upstream.base_url)
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        yield connection
