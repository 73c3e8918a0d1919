"""The contract's checks of single messages: what a request carries to the upstream, and back.

Each check asks a running hop and raises `Broken` (or an OSError) at the first broken promise.
The stub's `echo=1` answers with the request as it arrived there; its `pause=BYTES:MS` is silent in
the middle of a body.
"""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor

from tests.servers.wire import Answer, Broken, Wire, ask, expect, head, request

PAUSE_MS = 500
SEEN_S = PAUSE_MS / 2000  # half the pause: shorter than that, both parts came together
LARGE = 10 * 2**20
HALF = 128 * 1024  # more than the app reads at once
CONTINUE_S = 1.5
BODY_METHODS = (("POST", "/folder/3/children"), ("PATCH", "/folder/3"), ("PUT", "/folder/3/parent"))


def methods(port: int) -> None:
    """Every method reaches the upstream as itself; HEAD has the head of a GET and no body."""
    expect("GET", ask(port, "GET", "/folder/3?echo=1").json()["method"], "GET")
    for method, path in BODY_METHODS:
        seen = ask(port, method, f"{path}?echo=1", body=b'{"name": "x"}').json()
        expect(method, (seen["method"], seen["received"]), (method, 13))
    expect("DELETE", ask(port, "DELETE", "/folder/3?echo=1").json()["method"], "DELETE")
    _head(port)
    answer = ask(port, "OPTIONS", "/folder/3")  # no route has it: the app itself says which
    expect("OPTIONS", (answer.status, "PATCH" in answer.first("allow")), (405, True))


def _head(port: int) -> None:
    with Wire(port) as wire:
        wire.send(request("HEAD", "/file/9/content?size=5000"))
        answer = wire.answer("HEAD")
        expect("HEAD", (answer.status, answer.first("content-length")), (200, "5000"))
        wire.is_open()  # or closed: but without a byte of a body


def query(port: int) -> None:
    """The query reaches the upstream byte for byte."""
    text = (
        "echo=1&q=a%2Fb%20%C3%A9%2f&plus=a+b&empty=&bare&repeat=1&repeat=2&size=700&s=/?:@!$'()*,;"
    )
    target = ask(port, "GET", f"/search?{text}").json()["target"]
    expect("the query", target.partition("?")[2], text)


def encoded_path(port: int) -> None:
    """A path segment reaches the upstream byte for byte: an encoded slash divides nothing."""
    for segment in ("a%2Fb", "%C3%A9%20%2f", "a+b,c;d=e@f"):
        answer = ask(port, "GET", f"/folder/{segment}?echo=1")
        expect("the status", answer.status, 200)
        expect("the path", answer.json()["target"], f"/vdr/v3/folders/{segment}?echo=1")


def repeated_request_headers(port: int) -> None:
    """A header sent twice arrives with both values, in order."""
    twice = ("Accept: text/a", "X-Other: 1", "Accept: text/b;q=0.5")
    pairs = ask(port, "GET", "/folder/3?echo=1", *twice).json()["headers"]
    values = ",".join(value for name, value in pairs if name.lower() == "accept").split(",")
    expect("Accept", [value.strip() for value in values], ["text/a", "text/b;q=0.5"])


def repeated_response_headers(port: int) -> None:
    """Two cookies stay two lines; a header that is a list may be joined."""
    answer = ask(port, "GET", "/me?cookies=2&vary=2")
    cookies = ["cookie-0=v; Path=/", "cookie-1=v; Path=/"]
    expect("Set-Cookie", answer.all("set-cookie"), cookies)
    values = ",".join(answer.all("vary")).split(",")
    expect("Vary", [value.strip() for value in values], ["X-Vary-0", "X-Vary-1"])


def empty_body(port: int) -> None:
    """A body of no bytes is a body of no bytes."""
    seen = ask(port, "POST", "/folder/3/files?echo=1", body=b"").json()
    expect("the body", (seen["method"], seen["received"]), ("POST", 0))


def large_body(port: int) -> None:
    """10 MiB arrive unchanged, and not only while the server is fresh."""
    body = (hashlib.shake_256(b"large").digest(65_521) * 161)[:LARGE]
    with ThreadPoolExecutor(8) as pool:
        for answer in pool.map(lambda _: ask(port, "GET", "/folder/17?size=1024"), range(32)):
            expect("the status", answer.status, 200)
    for _ in range(2):
        _arrived(ask(port, "POST", "/folder/3/files", body=body), body)


def chunked_request(port: int) -> None:
    """A body in chunks of several sizes arrives unchanged, and the connection is in order after."""
    pieces = [bytes([i]) * size for i, size in enumerate((1, 50_000, 17, 100_000, 4096))]
    with Wire(port) as wire:
        wire.send(head("POST", "/folder/3/files", "Transfer-Encoding: chunked"))
        for piece in pieces:
            wire.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        wire.send(b"0\r\n\r\n")
        _arrived(wire.answer("POST"), b"".join(pieces))


def _arrived(answer: Answer, body: bytes) -> None:
    expect("the status", answer.status, 201)
    seen = answer.json()
    expect("the bytes that arrived", seen["received"], len(body))
    expect("their hash", seen["sha256"], hashlib.sha256(body).hexdigest())


def expect_continue(port: int) -> None:
    """100 Continue comes before the body is sent, and the body then arrives."""
    body = b"x" * 3000
    with Wire(port, timeout_s=CONTINUE_S) as wire:
        length = f"Content-Length: {len(body)}"
        wire.send(head("POST", "/folder/3/files", length, "Expect: 100-continue"))
        expect("the interim status", wire.head()[1], 100)
        wire.socket.settimeout(20)
        wire.send(body)
        _arrived(wire.answer("POST"), body)


def streamed_request(port: int) -> None:
    """The upstream has the first half of a body well before the second is sent.

    Asked again with a longer pause: a process per request may not have begun within the first.
    """
    try:
        _held_back(port, PAUSE_MS / 1000)
    except Broken:
        _held_back(port, 4 * PAUSE_MS / 1000)


def _held_back(port: int, pause_s: float) -> None:
    body = bytes(2 * HALF)
    with Wire(port) as wire:
        length = f"Content-Length: {len(body)}"
        wire.send(head("POST", "/folder/3/files?echo=1", length) + body[:HALF])
        time.sleep(pause_s)
        wire.send(body[HALF:])
        seen = wire.answer("POST").json()
    expect("the bytes that arrived", seen["received"], len(body))
    if seen["body_ms"] < SEEN_S * 1000:
        raise Broken(f"the upstream had the whole body within {seen['body_ms']:.0f} ms: buffered")


def streamed_response(port: int) -> None:
    """The client has the first half of a body well before the second is made; length or chunks."""
    for steer in ("", "&chunked=1"):
        target = f"/file/9/content?size={2 * HALF}&pause={HALF}:{PAUSE_MS}{steer}"
        answer = ask(port, "GET", target)
        expect("the length", len(answer.body), 2 * HALF)
        if answer.last_s - answer.first_s < SEEN_S:
            took = (answer.last_s - answer.first_s) * 1000
            raise Broken(f"the whole body came within {took:.0f} ms: buffered")


def downloads(port: int) -> None:
    """A range, its headers and the file's name come through; a range that is not there is 416."""
    whole = ask(port, "GET", "/file/9/content?size=70000")
    named = whole.first("content-disposition"), whole.first("accept-ranges")
    expect("the name", named, ('attachment; filename="file-9.bin"', "bytes"))
    part = ask(port, "GET", "/file/9/content?size=70000", "Range: bytes=1000-1999")
    expect("the status", part.status, 206)
    expect("Content-Range", part.first("content-range"), "bytes 1000-1999/70000")
    expect("the part", part.body, whole.body[1000:2000])
    beyond = ask(port, "GET", "/file/9/content?size=70000", "Range: bytes=90000-")
    expect("the status", beyond.status, 416)


def bodyless(port: int) -> None:
    """After the head of a 204 or a 304 comes the next response or the end: no byte, no chunk."""
    for status in (204, 304):
        with Wire(port) as wire:
            wire.send(request("GET", f"/folder/17?status={status}"))
            answer = wire.answer()
            expect("the status", answer.status, status)
            expect("Transfer-Encoding", answer.all("transfer-encoding"), [])
            if wire.is_open():
                wire.send(request("GET", "/folder/18?size=1024"))
                expect("the next answer", len(wire.answer().body), 1024)


def upstream_too_slow(port: int) -> None:
    """An upstream that stays silent is a 504."""
    answer = ask(port, "GET", "/folder/17?delay=4000")
    expect("the status", answer.status, 504)
    expect("a JSON error", "error" in answer.json(), True)


def upstream_breaks_off(port: int) -> None:
    """Broken off before the head is out: 502. After it: never an end that looks clean."""
    expect("the status", ask(port, "GET", "/folder/17?size=1024&break=10").status, 502)
    for steer in ("", "&chunked=1"):
        try:
            answer = ask(port, "GET", f"/file/9/content?size=300000&break=200000{steer}")
        except (Broken, ConnectionError):
            continue
        if answer.status < 500:
            what = f"{len(answer.body)} of 300000 bytes, framed by {answer.framing}"
            raise Broken(f"a body that the upstream broke off ended cleanly ({what})")
    expect("the status after it", ask(port, "GET", "/folder/17").status, 200)
