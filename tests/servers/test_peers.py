"""What the contract does not ask: several upstreams, refused handshakes, limits, the access log.

The peers, and the one WSGI server that has WebSockets, run for real on CPython.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.upstream import start_upstream
from servers import SERVERS
from tests.servers.conftest import PROMISED, Hop, Pair, launched, running
from tests.servers.wire import Wire, ask, head
from tests.websocket_wire import WebSocket

PEERS = [name for name, server in SERVERS.items() if server.own_client]
WEBSOCKETS = [name for name, one in SERVERS.items() if one.capabilities.websocket]
LIMIT = 100_000
ROUTES = """
[routes]
get-folder  = { methods = ["GET"], public = "/folder/<id>", upstream = "/vdr/v3/folders/<id>" }
upload-file = { methods = ["POST"], public = "/upload", upstream = "/vdr/v3/folders/1/files" }
missing     = { kind = "websocket", methods = ["GET"], public = "/missing", upstream = "/nowhere" }

[routes.events]
kind = "websocket"
methods = ["GET"]
public = "/events"
upstream = "/vdr/v3/events"

[routes.no-websocket]
kind = "websocket"
methods = ["GET"]
public = "/plain"
upstream = "/vdr/v3/folders/1"

[headers]
request = []
response = ["Content-Type"]
"""


def test_who_they_are() -> None:
    """The peers are named by what they are, and all of them have WebSockets."""
    assert len(PEERS) == 5
    assert set(WEBSOCKETS) == {*PEERS, "gevent-websocket"}


@pytest.fixture(scope="module", params=WEBSOCKETS)
def chosen(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hop]:
    """A hop with routes of its own, a limit and an access log, before two stubs."""
    folder = tmp_path_factory.mktemp("peer")
    (folder / "routes.toml").write_text(ROUTES)
    with ExitStack() as stack:
        stubs = [
            stack.enter_context(start_upstream(folder / f"stub-{number}")) for number in range(2)
        ]
        urls = [stub.base_url for stub in stubs]
        settings = {
            "ONEHOP_UPSTREAM": urls[0],
            "ONEHOP_UPSTREAMS": ",".join(urls),
            "ONEHOP_ROUTES": str(folder / "routes.toml"),
            "ONEHOP_MAX_BODY": str(LIMIT),
            "ONEHOP_ACCESS_LOG": "1",
        }
        pair = Pair(request.param, PROMISED[0])
        yield stack.enter_context(running(pair, folder / "log", settings))


def test_refused_by_the_upstream(chosen: Hop) -> None:
    """The client of a refused handshake gets the upstream's status, and 502 for what is no answer
    to one."""
    for path, status in (("/missing", 404), ("/plain", 502)):
        with WebSocket(chosen.port, path) as websocket:
            assert websocket.status == status
            assert "the upstream refused" in json.loads(websocket.refusal)["error"]


def test_no_such_websocket(chosen: Hop) -> None:
    """A handshake at a path that is nowhere is a 404."""
    with WebSocket(chosen.port, "/else") as websocket:
        assert websocket.status == 404


def test_no_handshake(chosen: Hop) -> None:
    """A plain request for a WebSocket is a mistake that is named."""
    answer = ask(chosen.port, "GET", "/events")
    assert (answer.status, answer.json()["error"]) == (
        400,
        "this path takes WebSocket handshakes only",
    )


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_too_large(chosen: Hop, framing: str) -> None:
    """A body over the limit is 413, whether it says so before or not."""
    with Wire(chosen.port) as wire:
        if framing == "length":
            wire.send(head("POST", "/upload", f"Content-Length: {LIMIT + 1}"))
            wire.send(b"x" * (LIMIT + 1))
        else:
            wire.send(head("POST", "/upload", "Transfer-Encoding: chunked"))
            for _ in range(3):
                wire.send(b"%x\r\n%s\r\n" % (LIMIT // 2, b"x" * (LIMIT // 2)))
            wire.send(b"0\r\n\r\n")
        answer = wire.answer("POST")
    assert answer.status == 413


def test_access_log(chosen: Hop) -> None:
    """A line of JSON per request, which never holds the query."""
    assert ask(chosen.port, "GET", "/folder/8?size=1024&token=secret").status == 200
    deadline = time.monotonic() + 5
    mine: dict[str, object] = {}
    while not mine and time.monotonic() < deadline:  # it is written after the answer
        log = chosen.process.log.read_text()
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        mine = next((line for line in lines if line["path"] == "/folder/8"), {})
    assert (mine["status"], mine["bytes"], mine["route"]) == (200, 1024, "get-folder")
    assert "secret" not in log


def test_upstreams_take_turns(tmp_path: Path) -> None:
    """Of four requests each of two upstreams gets two."""
    with ExitStack() as stack:
        stubs = [stack.enter_context(start_upstream(tmp_path / f"{number}")) for number in range(2)]
        urls = ",".join(stub.base_url for stub in stubs)
        settings = {"ONEHOP_UPSTREAM": stubs[0].base_url, "ONEHOP_UPSTREAMS": urls}
        pair = Pair("aiohttp-proxy", PROMISED[0])
        hop = stack.enter_context(running(pair, tmp_path / "log", settings))
        assert [ask(hop.port, "GET", "/folder/1").status for _ in range(4)] == [200] * 4
        own = [stub.counts()[stub.base_url] for stub in stubs]
    assert own[0] == own[1]
    assert own[0] >= 2


def test_a_wrong_setting_is_one_line(tmp_path: Path) -> None:
    """And the server ends with an error."""
    settings = {"ONEHOP_UPSTREAM": "nowhere"}
    pair = Pair("aiohttp-proxy", PROMISED[0])
    with launched(pair, 1, tmp_path / "log", settings) as process:
        assert process.popen.wait(10) == 2
    assert (tmp_path / "log").read_text().count("\n") == 1
