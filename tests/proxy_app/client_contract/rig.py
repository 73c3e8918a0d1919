"""What the checks are written with: a client and its upstream, scripts, waiting, failing."""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from proxy_app.body import Body
from proxy_app.clients import Answer, create_client
from proxy_app.faults import Fault
from proxy_app.settings import load_settings
from tests.proxy_app.scripted import Exchange, Script, Upstream

OK = "HTTP/1.1 200 OK\r\n"
BIG = 300_000  # more than is ever read whole


class Hop:
    """A client by name, with an upstream for each check."""

    def __init__(self, client: str):
        self.client = client
        self._exits = contextlib.ExitStack()

    def start(
        self, script: Script = Exchange.answer, tls: ssl.SSLContext | None = None, **options: object
    ) -> Asker:
        """A running upstream and a client for it."""
        running = Upstream(script, tls)
        self._exits.callback(running.close)
        return Asker(running, self.connect(running.url, **options))

    def connect(self, url: str, **options: object) -> Any:
        """A client for a URL."""
        names = {f"ONEHOP_{name.upper()}": str(value) for name, value in options.items()}
        known = {"ONEHOP_UPSTREAM": url, "ONEHOP_CLIENT": self.client, "ONEHOP_ENV_FILE": ""}
        return create_client(load_settings({"ONEHOP_READ_TIMEOUT": "5", **known, **names}))

    def close(self) -> None:
        self._exits.close()


class Asker:
    """A client and its upstream."""

    def __init__(self, upstream: Upstream, client: Any):
        self.upstream, self.client = upstream, client

    def ask(
        self,
        method: str = "GET",
        target: str = "/a",
        headers: list[tuple[str, str]] | None = None,
        body: bytes | Iterator[bytes] | None = None,
        length: int | None = None,
    ) -> Answer:
        """One exchange; the body bytes are of known length, an iterator's is `length`."""
        found = None
        if isinstance(body, bytes):
            found = Body(len(body), iter([body]))
        elif body is not None:
            found = Body(length, body)
        answer: Answer = self.client.exchange(method, target, headers or [], found)
        return answer

    def read(self, *arguments: Any, **named: Any) -> bytes:
        """The whole body of an exchange."""
        return whole(self.ask(*arguments, **named))


def whole(answer: Answer) -> bytes:
    """The body to its end."""
    return answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)


def close(answer: Answer) -> None:
    """What a server does when its client has gone."""
    assert not isinstance(answer.body, bytes)
    answer.body.close()  # type: ignore[attr-defined]


def wait_for(truth: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    """Poll until it is true or the time is up."""
    end = time.monotonic() + timeout_s
    while not truth() and time.monotonic() < end:
        time.sleep(0.01)
    return truth()


def fails(
    kind: type[Fault] | tuple[type[Fault], ...], act: Callable[[], object], within_s: float = 3.0
) -> None:
    """Raises that very kind of Fault, and soon."""
    begin = time.monotonic()
    try:
        act()
    except kind:
        assert time.monotonic() - begin < within_s, "it took too long"
        return
    raise AssertionError(f"no {kind}")


class Gate:
    """Holds a script up until the check opens it; fails the check when that takes too long."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.late = False

    def wait(self) -> None:
        self.late = not self._event.wait(1)

    def open(self) -> None:
        assert not self.late, "the client waited for more than was there"
        self._event.set()


def sends(*parts: str | bytes, close: bool = False) -> Script:
    """A script that sends these, each in a packet of its own."""

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.send(*parts)
        if close:
            exchange.close()

    return script


Check = Callable[[Hop], None]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    """Under its name, with dashes."""
    CHECKS[function.__name__.replace("_", "-")] = function
    return function
