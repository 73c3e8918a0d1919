"""The stub as a process: what really comes over the socket."""

import hashlib
import http.client
import itertools
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from bench.model import UserError
from bench.processes import ROOT, port_in_use
from bench.upstream import Upstream, start_upstream

Fetch = Callable[..., Any]
FOLDER = "/vdr/v3/folders/17"
FILE = "/vdr/v3/files/5/content"


def receive_all(connection: socket.socket) -> bytes:
    """Until the other side closes."""
    return b"".join(iter(lambda: connection.recv(2**16), b""))


def test_a_document_is_the_same_every_time(fetch: Fetch) -> None:
    """The first answer is made, the later ones are kept: equal byte for byte, on one connection."""
    answers = [fetch(f"{FOLDER}?size=1024") for _ in range(3)]
    assert {(a.status, len(a.body)) for a in answers} == {(200, 1024)}
    assert len({(a.body, str(a.headers)) for a in answers}) == 1


def test_an_upload_is_counted_and_hashed(fetch: Fetch) -> None:
    """With a length and in chunks."""
    body = bytes(range(256)) * 5000
    known = {"received": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    for sent in (body, iter([body[:1000], body[1000:]])):
        answer = fetch(f"{FOLDER}/files", "POST", sent)
        assert answer.status == 201
        assert known.items() <= json.loads(answer.body).items()


def test_echo_shows_the_request_as_it_arrived(fetch: Fetch) -> None:
    """Raw target, headers in order and in their own case, the body's facts."""
    target = "/vdr/v3/echo?empty=&a=%2F&a=2"
    seen = json.loads(fetch(target, "PUT", b"xyz", {"X-Odd-Case": "1"}).body)
    assert (seen["method"], seen["target"], seen["received"]) == ("PUT", target, 3)
    assert ["X-Odd-Case", "1"] in seen["headers"]


def test_a_header_that_selects_is_never_answered_from_the_kept_reply(fetch: Fetch) -> None:
    """A plain GET first, then a range, a known ETag and a login on the same target."""
    whole = fetch(f"{FILE}?size=1000")
    part = fetch(f"{FILE}?size=1000", headers={"Range": "bytes=10-19"})
    assert (part.status, part.body) == (206, whole.body[10:20])
    assert (
        fetch(f"{FILE}?size=1000", headers={"If-None-Match": whole.headers["ETag"]}).status == 304
    )
    assert fetch(f"{FOLDER}?auth=1", headers={"Authorization": "Bearer t"}).status == 200
    assert fetch(f"{FOLDER}?auth=1").status == 401


@pytest.mark.parametrize("chunked", [0, 1])
def test_a_download_streams_whole_in_bounded_memory(
    upstream: Upstream, connection: http.client.HTTPConnection, chunked: int
) -> None:
    """512 MiB to a reader leave the stub's memory where it was."""
    size = 512 * 2**20
    connection.request("GET", f"{FILE}?size={size}&chunked={chunked}")
    response = connection.getresponse()
    before = psutil.Process(upstream.process.pid).memory_info().rss
    received = sum(len(piece) for piece in iter(lambda: response.read(2**20), b""))
    assert received == size
    assert psutil.Process(upstream.process.pid).memory_info().rss - before < 16 * 2**20


def test_a_reader_that_does_not_read_holds_nothing_up(fetch: Fetch, raw: socket.socket) -> None:
    """Its download waits in bounded memory; others are served meanwhile."""
    raw.sendall(f"GET {FILE}?size=1073741824 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert fetch(f"{FOLDER}?size=64").status == 200


def test_direct_downloads_are_reproducible(fetch: Fetch) -> None:
    """Content depends on path, id and size only."""
    digests = {hashlib.sha256(fetch(f"{FILE}?size=3000000").body).hexdigest() for _ in range(2)}
    other = hashlib.sha256(fetch(f"{FILE}?size=3000001").body).hexdigest()
    assert len(digests) == 1
    assert other not in digests


@pytest.mark.parametrize("tail", ["", "&chunked=1"])
def test_a_break_cuts_in_the_middle_of_the_body(raw: socket.socket, tail: str) -> None:
    """Exactly the bytes asked for arrive after a whole head, then the connection ends."""
    raw.sendall(f"GET {FILE}?size=1000&break=100{tail} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = receive_all(raw).partition(b"\r\n\r\n")
    assert len(body) == (100 if not tail else len(b"64\r\n") + 100 + 2)
    assert (b"Content-Length: 1000" in head) == (not tail)


def test_a_break_of_a_large_download_cuts_too(connection: http.client.HTTPConnection) -> None:
    """A stream of several writes ends early as well."""
    connection.request("GET", f"{FILE}?size=9000000&break=5000000")
    with pytest.raises(http.client.IncompleteRead) as caught:
        connection.getresponse().read()
    assert len(caught.value.partial) == 5_000_000


@pytest.mark.parametrize("wanted_ms", [1, 5, 20])
def test_a_delay_is_never_early_and_hardly_late(fetch: Fetch, wanted_ms: int) -> None:
    """None of 20 comes too soon; the quickest, least disturbed one exceeds the wish by < 1 ms."""
    taken = []
    for _ in range(20):
        begin = time.perf_counter()
        fetch(f"{FOLDER}?delay={wanted_ms}")
        taken.append((time.perf_counter() - begin) * 1000)
    assert wanted_ms <= min(taken) < wanted_ms + 1


def test_delays_overlap(upstream: Upstream) -> None:
    """Twenty connections that wait 200 ms each wait 200 ms together."""
    address = urlsplit(upstream.base_url).netloc
    clients = [http.client.HTTPConnection(address, timeout=10) for _ in range(20)]
    begin = time.monotonic()
    for client in clients:
        client.request("GET", f"{FOLDER}?delay=200")
    assert {client.getresponse().status for client in clients} == {200}
    assert 0.2 <= time.monotonic() - begin < 1.5
    for client in clients:
        client.close()


def test_no_answer_meets_the_delayed_acknowledgement(fetch: Fetch) -> None:
    """Bodies of one write, of two and of chunks: none has the 40 ms plateau."""
    for query in ("size=1024", "size=70000", "size=70000&chunked=1", "size=1500000"):
        taken = []
        for _ in range(10):
            begin = time.perf_counter()
            fetch(f"{FILE}?{query}")
            taken.append(time.perf_counter() - begin)
        assert sorted(taken)[5] < 0.02, query


def test_pipelined_requests_are_answered_in_order(raw: socket.socket) -> None:
    """The slow first one holds the others back; none is lost, none overtakes."""
    first = f"GET {FOLDER}?delay=50 HTTP/1.1\r\nHost: x\r\n\r\n"
    later = "".join(f"GET /vdr/v3/files/{i} HTTP/1.1\r\nHost: x\r\n\r\n" for i in range(200))
    last = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    raw.sendall((first + later + last).encode())
    received = receive_all(raw)
    assert received.count(b"HTTP/1.1 200 OK") == 202
    places = [received.index(f'"id":"{i}"'.encode()) for i in range(0, 200, 20) if i != 0]
    assert all(a < b for a, b in itertools.pairwise(places))


@pytest.mark.parametrize(
    ("request_line", "status"),
    [(b"GET /healthz HTTP/1.0", b"200"), (b"nonsense", b"400"), (b"GET  / HTTP/9.9", b"400")],
)
def test_old_and_broken_requests_are_answered_and_closed(
    raw: socket.socket, request_line: bytes, status: bytes
) -> None:
    """HTTP/1.0 gets its answer, nonsense gets 400; both connections end."""
    raw.sendall(request_line + b"\r\nHost: x\r\n\r\n")
    received = receive_all(raw)
    assert received.split()[1] == status
    assert b"Connection: close" in received


def test_expect_is_answered_before_the_body(raw: socket.socket) -> None:
    """A client that waits for 100 Continue gets it."""
    raw.sendall(
        f"POST {FOLDER}/files HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n".encode()
    )
    assert raw.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    raw.sendall(b"abc")
    assert b'"received":3' in receive_all(raw)


def test_many_headers_and_cookies_are_sent(raw: socket.socket) -> None:
    """As many as asked for, each on a line of its own."""
    raw.sendall(
        f"GET {FOLDER}?headers=10000&cookies=3 HTTP/1.1\r\nHost: x\r\n"
        "Connection: close\r\n\r\n".encode()
    )
    head = receive_all(raw).partition(b"\r\n\r\n")[0]
    assert (head.count(b"\r\nX-Extra-"), head.count(b"\r\nSet-Cookie: ")) == (10_000, 3)


def test_connections_that_come_and_go_leave_no_memory(upstream: Upstream) -> None:
    """The collector is nearly off: nothing may wait for it."""
    address = urlsplit(upstream.base_url)

    def visit(times: int) -> int:
        for _ in range(times):
            with socket.create_connection((address.hostname, address.port)) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                connection.recv(1000)
        return psutil.Process(upstream.process.pid).memory_info().rss

    settled = visit(500)
    assert visit(2000) - settled < 2 * 2**20


def test_the_stub_leaves_no_process_and_no_port(tmp_path: Path) -> None:
    """Stopped at the end of the block, within its grace, with a connection still open."""
    with start_upstream(tmp_path / "log") as stub:
        url = urlsplit(stub.base_url)
        host, port = str(url.hostname), url.port or 0
        with socket.create_connection((host, port)):
            begin = time.monotonic()
            stub.process.stop()
        assert time.monotonic() - begin < 1.5
    assert stub.process.returncode == 0
    assert not port_in_use(host, port)


def test_a_port_in_use_is_the_users_mistake(upstream: Upstream, tmp_path: Path) -> None:
    """One line that names the port, from the harness and from the command line."""
    port = urlsplit(upstream.base_url).port
    with pytest.raises(UserError, match=f"port {port}"), start_upstream(tmp_path / "l", port=port):
        pass
    command = [sys.executable, "-m", "bench.upstream", "--port", str(port)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("steer", ["", "&chunked=1"])
def test_a_pause_is_silence_in_the_middle_of_a_body(raw: socket.socket, steer: str) -> None:
    """What stands before it comes before it, the rest after it, and nothing is lost."""
    target = f"{FILE}?size=200000&pause=100000:300{steer}"
    raw.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    pieces, times = [], []
    while piece := raw.recv(2**16):
        pieces.append(piece)
        times.append(time.perf_counter())
    gaps = [after - before for before, after in itertools.pairwise(times)]
    longest = gaps.index(max(gaps))
    assert gaps[longest] > 0.2
    body = b"".join(pieces[: longest + 1]).partition(b"\r\n\r\n")[2]
    assert 100_000 <= len(body) < 100_020  # a chunk's head and end
    assert len(b"".join(pieces)) > 200_000


def test_a_body_says_how_long_it_took_to_arrive(raw: socket.socket, fetch: Fetch) -> None:
    """`echo=1` on any resource; body_ms is from the first piece to the last."""
    head = b"POST /vdr/v3/folders/3/files?echo=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n"
    raw.sendall(head + b"Connection: close\r\n\r\nabc")
    time.sleep(0.2)
    raw.sendall(b"def")
    seen = json.loads(receive_all(raw).partition(b"\r\n\r\n")[2])
    assert (seen["method"], seen["received"]) == ("POST", 6)
    assert seen["body_ms"] >= 150
    assert json.loads(fetch(f"{FOLDER}?echo=1").body)["body_ms"] == 0


def test_a_list_header_comes_as_often_as_asked(fetch: Fetch) -> None:
    """`vary=2` gives two Vary headers."""
    assert fetch(f"{FOLDER}?vary=2").headers.get_all("Vary") == ["X-Vary-0", "X-Vary-1"]
