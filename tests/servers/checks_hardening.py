"""The contract's checks of what a server must not let through, hide or make up.

As in checks_messages: a check asks a running hop and raises `Broken` or an OSError. A refusal with
a status of 4xx or 501 is always right; so is a connection that is closed without an answer.
"""

from __future__ import annotations

from tests.servers.wire import HOST, Answer, Broken, Wire, ask, expect, request

LONG = 7000
OWN = {"host", "connection", "accept-encoding", "user-agent"}  # of a front that is a proxy itself
ADDED = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "via", "x-request-id"}


def _raw(port: int, text: str) -> Answer | None:
    """The answer to these very bytes; None for a connection that was closed instead."""
    with Wire(port, timeout_s=5) as wire:
        wire.send(text.encode("latin-1"))
        try:
            return wire.answer()
        except (Broken, ConnectionError):
            return None


def _refused(what: str, answer: Answer | None) -> bool:
    if answer is not None and answer.status >= 500 and answer.status != 501:
        raise Broken(f"{what}: {answer.status}")
    return answer is None or answer.status >= 400


def _get(target: str, *lines: str, host: str = f"Host: {HOST}\r\n", method: str = "GET") -> str:
    more = "".join(f"{line}\r\n" for line in lines)
    return f"{method} {target} HTTP/1.1\r\n{host}{more}\r\n"


def targets(port: int) -> None:
    """Absolute-form is a path, `//` is another one, and nothing climbs or hides behind a `#`."""
    answer = _raw(port, _get(f"http://{HOST}/folder/17?echo=1"))
    if not _refused("absolute-form", answer):
        assert answer
        expect("absolute-form", answer.json()["target"], "/vdr/v3/folders/17?echo=1")
    for target in (
        *("//folder/1", "/file/..;/content", "/file/..%3b/content", "/file/%2e%2e", "/file/..%2f"),
        *("/file/..%00", "/file/%252e%252e", "/file/..\\x", "/file/a\\x"),
    ):
        if not _refused(target, _raw(port, _get(target))):
            raise Broken(f"{target} was served")
    for target in ("/folder/..#", "/folder/1#/x"):
        answer = _raw(port, _get(target))
        if not _refused(target, answer):
            assert answer
            expect("the id", answer.json()["id"].replace("%23", "#"), target[8:])


def heads(port: int) -> None:
    """Two Host lines, none, and a method in lower case."""
    for what, text in (
        ("two hosts", _get("/folder/1", "Host: else.test")),
        ("no host", _get("/folder/1", host="")),
        ("lower case", _get("/folder/1", method="get")),
    ):
        if not _refused(what, _raw(port, text)):
            raise Broken(f"{what}: served")


def underscores(port: int) -> None:
    """A name with an underscore never becomes the dashed one, nor does it frame a body."""
    lines = ("If_Match: forged", "X_Forwarded_For: 6.6.6.6", "Content_Type: forged/x")
    answer = _raw(port, _get("/folder/1?echo=1", *lines))
    if not _refused("underscores", answer):
        assert answer
        pairs = {name.lower(): value for name, value in answer.json()["headers"]}
        forged = [name for name, value in pairs.items() if "forged" in value or "6.6.6.6" in value]
        expect("forged headers", forged, [])
    text = f"POST /folder/3/files?echo=1 HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 5\r\n"
    answer = _raw(port, text + "Content_Length: 0\r\n\r\nhello")
    if not _refused("Content_Length", answer):
        assert answer
        expect("the body", answer.json()["received"], 5)


def forwarding(port: int) -> None:
    """Without our setting nobody is believed about scheme, address or mount point."""
    lines = ("X-Forwarded-Proto: https", "X-Forwarded-Ssl: on", "X-Forwarded-Protocol: ssl")
    more = ("SCRIPT_NAME: /evil", "Script-Name: /evil", "Forwarded: for=6.6.6.6;proto=https")
    answer = _raw(port, _get("/folder/1?echo=1", *lines, *more, "X-Forwarded-For: 6.6.6.6"))
    if not _refused("forwarding", answer):
        assert answer
        pairs = {name.lower(): value for name, value in answer.json()["headers"]}
        expect("the scheme", pairs["x-forwarded-proto"], "http")
        expect("the address", pairs["x-forwarded-for"], f"6.6.6.6, {HOST}")
        expect("the target", answer.json()["target"], "/vdr/v3/folders/1?echo=1")


def cookies(port: int) -> None:
    """Two Cookie lines are one list, joined as RFC 9110's commas are not."""
    answer = ask(port, "GET", "/me?echo=1", "Cookie: a=1", "Cookie: b=2")
    found = [value for name, value in answer.json()["headers"] if name.lower() == "cookie"]
    expect("Cookie", "; ".join(found), "a=1; b=2")


def long_target(port: int) -> None:
    """A target of 7 kB arrives whole."""
    value = "x" * LONG
    answer = ask(port, "GET", f"/search?echo=1&q={value}")
    expect("the target", answer.json()["target"].count("x"), LONG)


def inventions(port: int) -> None:
    """No request header that nobody sent; no length where there is no body."""
    names = {name.lower() for name, _ in ask(port, "GET", "/folder/1?echo=1").json()["headers"]}
    expect("invented request headers", sorted(names - OWN - ADDED), [])
    for status in (204, 304):
        answer = ask(port, "GET", f"/folder/17?status={status}")
        expect(f"Content-Length of {status}", answer.all("content-length"), [])
    with Wire(port) as wire:
        wire.send(request("HEAD", "/file/9/content?size=5000&chunked=1"))
        expect("Content-Length of HEAD", wire.answer("HEAD").all("content-length"), [])


def bad_chunks(port: int) -> None:
    """A malformed chunked body is the client's mistake: 4xx, and not a body for the upstream."""
    head = _get("/folder/3/files?echo=1", "Transfer-Encoding: chunked", method="POST")
    for chunks in ("5\r\nhello\r\nG\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n"):
        if not _refused(repr(chunks), _raw(port, head + chunks)):
            raise Broken(f"{chunks!r} was taken")
