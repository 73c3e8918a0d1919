"""The app's Python 2 sibling before upstreams that lie: what it has of the app's own checks."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.proxy_app.client_contract.breaks import BROKEN
from tests.proxy_app.scripted import Exchange, Upstream
from tests.servers.conftest import Hop, Pair, running
from tests.servers.wire import ask

HEADS = (
    *("no-http", "bad-status", "status-beyond", "folded-header", "bare-cr", "nul", "two-framings"),
    *("two-lengths", "signed-length", "other-coding", "control-in-value", "space-before-colon"),
    *("bad-name", "huge-length", "no-header", "upgrade"),
)
FORGED = "HTTP/1.1 200 OK\r\nX-Forged: 1\r\nContent-Length: 6\r\n\r\nforged"
OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(scope="module")
def sibling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hop, Upstream]]:
    upstream = Upstream(Exchange.answer)
    settings = {"ONEHOP_UPSTREAM": upstream.url, "ONEHOP_READ_TIMEOUT": "1"}
    pair = Pair("fapws3", "cpython-2.7")
    with running(pair, tmp_path_factory.mktemp("py2") / "log", settings) as hop:
        yield hop, upstream
    upstream.close()


@pytest.mark.parametrize("name", HEADS)
def test_refuses(sibling: tuple[Hop, Upstream], name: str) -> None:
    """A head that is not HTTP is a 502, and the next request is served."""
    hop, upstream = sibling

    def script(exchange: Exchange) -> None:
        exchange.send(BROKEN[name])
        exchange.close()

    upstream.script = script
    assert ask(hop.port, "GET", "/folder/1").status == 502
    upstream.script = Exchange.answer
    assert ask(hop.port, "GET", "/folder/1").body == b"{}"


@pytest.mark.parametrize("pause_s", [0.0, 0.03])
def test_never_serves_what_nobody_asked_for(sibling: tuple[Hop, Upstream], pause_s: float) -> None:
    """A second answer, at once or a moment later, is nobody's."""
    hop, upstream = sibling

    def script(exchange: Exchange) -> None:
        exchange.send(OK if pause_s else OK + FORGED)
        time.sleep(pause_s)
        if pause_s:
            exchange.send(FORGED)

    upstream.script = script
    for _ in range(3):
        assert ask(hop.port, "GET", "/folder/1").body == b"ok"
        time.sleep(2 * pause_s)
