"""The contract that every stack passes before any load: the hop answers as the upstream does.

bench.exchange speaks to both, apart from the load's own client. Each check compares what came
through the hop with what the upstream itself answers, or with what the contract says. The first
broken promise is a TargetError.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from urllib.parse import urlsplit

from bench.exchange import Answer, ask
from bench.model import TargetError
from servers.spec import AS_SHIPPED, Server

HOP_BY_HOP = ("proxy-authenticate", "te", "trailer", "upgrade")


def verify(
    proxied: str, direct: str, *, straight: bool = False, excused: Collection[str] = ()
) -> tuple[str, ...]:
    """Hold the hop at `proxied` to the contract over the stub at `direct`.

    `straight`: no app is on the way, so that both have to answer alike to the same targets.
    Returns what is broken of the `excused` checks; raises TargetError, naming the check and what
    was seen, for the first of the others.
    """
    breaches = []
    for name, check in (STRAIGHT if straight else CHECKS).items():
        try:
            check(proxied, direct)
        except (TargetError, ValueError) as error:  # ValueError: no JSON where there should be some
            breach = f"contract, {name}: {error}"
            if name not in excused:
                raise TargetError(breach) from error
            breaches.append(breach)
    return tuple(breaches)


def excused_checks(
    server: Server, track: str, interpreter: str, family: str, version: str
) -> frozenset[str]:
    """What a server may break and yet be measured, its breaches told beside its figures.

    As shipped: all but plain reading, for the defaults' price is what is asked there. Else what it
    says that it cannot do, in this version.
    """
    if track == AS_SHIPPED:
        return frozenset(CHECKS) - {"read"}
    denied = (
        check
        for check, needs in NEEDS.items()
        if any(server.capabilities.of(one, interpreter, family, version) for one in needs)
    )
    return frozenset(denied)


def _expect(what: str, seen: object, wanted: object) -> None:
    if seen != wanted:
        raise TargetError(f"{what} is {_short(seen)}, not {_short(wanted)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"


def _same(proxied: Answer, direct: Answer, *names: str) -> None:
    _expect("the status", proxied.status, direct.status)
    for name in ("content-type", "etag", *names):
        _expect(name, proxied.all(name), direct.all(name))
    _expect("the body", proxied.body, direct.body)


def _read(proxied: str, direct: str) -> None:
    answer = ask(proxied, "GET", "/folder/17?size=1024")
    _same(answer, ask(direct, "GET", "/vdr/v3/folders/17?size=1024"))
    _expect("the length of the body", len(answer.body), 1024)
    for name in HOP_BY_HOP:
        _expect(name, answer.all(name), [])


def _query(proxied: str, direct: str) -> None:
    query = "q=a%2Fb%20%C3%A9&empty=&repeat=1&repeat=2&size=700"
    _same(ask(proxied, "GET", f"/search?{query}"), ask(direct, "GET", f"/vdr/v3/search?{query}"))


def _status(proxied: str, direct: str) -> None:
    for status in (204, 304, 403, 404, 409, 500, 503):
        target = f"17?status={status}"
        hop = ask(proxied, "GET", f"/folder/{target}")
        _same(hop, ask(direct, "GET", f"/vdr/v3/folders/{target}"))


def _cookies(proxied: str, direct: str) -> None:
    hop = ask(proxied, "GET", "/me?cookies=2")
    _same(hop, ask(direct, "GET", "/vdr/v3/users/current?cookies=2"), "set-cookie")
    _expect("the number of cookies", len(hop.all("set-cookie")), 2)


def _conditional(proxied: str, direct: str) -> None:
    etag = ask(direct, "GET", "/vdr/v3/files/5").first("etag")
    hop = ask(proxied, "GET", "/file/5", headers={"If-None-Match": etag})
    _expect("the status", hop.status, 304)
    _expect("the body", hop.body, b"")


def _download(proxied: str, direct: str) -> None:
    names = ("content-length", "content-disposition", "accept-ranges")
    hop = ask(proxied, "GET", "/file/9/content?size=1048576")
    _same(hop, ask(direct, "GET", "/vdr/v3/files/9/content?size=1048576"), *names)
    part = {"Range": "bytes=1000-1999"}
    hop = ask(proxied, "GET", "/file/9/content", headers=part)
    _same(hop, ask(direct, "GET", "/vdr/v3/files/9/content", headers=part), "content-range")
    _expect("the status", hop.status, 206)
    hop = ask(proxied, "HEAD", "/file/9/content?size=5000")
    _expect("the length of a HEAD answer", hop.first("content-length"), "5000")


def _upload(proxied: str, direct: str) -> None:
    body = bytes(range(256)) * 1024
    for method in ("POST", "PUT"):
        hop = ask(proxied, method, "/folder/3/files", body)
        _same(hop, ask(direct, method, "/vdr/v3/folders/3/files", body))
        _expect("the bytes that arrived", json.loads(hop.body).get("received"), len(body))


def _methods(proxied: str, direct: str) -> None:
    for method, public, private in (
        ("POST", "/folder/3/children", "/vdr/v3/folders/3/items"),
        ("PATCH", "/folder/3", "/vdr/v3/folders/3"),
        ("PUT", "/folder/3/parent", "/vdr/v3/folders/3/parent"),
        ("POST", "/folder/3/restore", "/vdr/v3/folders/3/restore"),
    ):
        hop = ask(proxied, method, public, b'{"name": "x"}')
        _same(hop, ask(direct, method, private, b'{"name": "x"}'))
    _expect("DELETE", ask(proxied, "DELETE", "/folder/3").status, 204)


def _oauth(proxied: str, direct: str) -> None:
    """The user goes to the provider with his query kept; the code exchange is forwarded."""
    query = "response_type=code&client_id=x&state=a%2Fb"
    hop = ask(proxied, "GET", f"/auth?{query}")
    _expect("the status", hop.status, 302)
    _expect("Location", hop.first("location"), f"{direct}/oauth/authorize?{query}")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    code = b"grant_type=authorization_code&code=x"
    hop = ask(proxied, "POST", "/token", code, form)
    _same(hop, ask(direct, "POST", "/oauth/token", code, form))


def _errors(proxied: str, direct: str) -> None:
    unknown = ask(proxied, "GET", "/no/such/path")
    _expect("an unknown path", unknown.status, 404)
    _expect("a JSON error", "request_id" in json.loads(unknown.body), True)
    wrong = ask(proxied, "DELETE", "/me")
    _expect("a wrong method", wrong.status, 405)
    _expect("Allow", "GET" in wrong.first("allow"), True)


def _hidden(proxied: str, direct: str) -> None:
    """The upstream's address shows nowhere."""
    secret = urlsplit(direct).netloc
    answer = ask(proxied, "GET", "/folder/17?redirect=1")
    _expect("the status", answer.status, 302)
    for name, value in answer.headers:
        _expect(f"the upstream's address in {name}", secret in value, False)


def _broken_off(proxied: str, direct: str) -> None:
    """An answer that the upstream breaks off must not end cleanly."""
    try:
        answer = ask(proxied, "GET", "/file/9/content?size=100000&break=1000")
    except TargetError:
        return
    if answer.status < 500:
        length = answer.first("content-length") or "none"
        raise TargetError(
            f"a body cut after 1000 of 100000 bytes ended cleanly (status {answer.status}, "
            f"{len(answer.body)} bytes, Content-Length {length})"
        )


CHECKS: Mapping[str, Callable[[str, str], None]] = {
    "read": _read,
    "query": _query,
    "status": _status,
    "cookies": _cookies,
    "conditional": _conditional,
    "download": _download,
    "upload": _upload,
    "methods": _methods,
    "oauth": _oauth,
    "errors": _errors,
    "hidden upstream": _hidden,
    "broken off": _broken_off,
}


def _as_is(proxied: str, direct: str) -> None:
    names = ("content-length", "set-cookie")
    for target in ("folders/17?size=1024&q=a%2Fb", "users/current?cookies=2", "files/9/content"):
        hop = ask(proxied, "GET", f"/vdr/v3/{target}")
        _same(hop, ask(direct, "GET", f"/vdr/v3/{target}"), *names)
    for status in (204, 304, 404, 503):
        target = f"/vdr/v3/folders/17?status={status}"
        _same(ask(proxied, "GET", target), ask(direct, "GET", target))


def _upload_as_is(proxied: str, direct: str) -> None:
    body, target = bytes(range(256)) * 1024, "/vdr/v3/folders/3/files"
    for method in ("POST", "PUT"):
        _same(ask(proxied, method, target, body), ask(direct, method, target, body))


def _broken_off_as_is(proxied: str, _: str) -> None:
    target = "/vdr/v3/files/9/content?size=100000&break=1000"
    try:
        answer = ask(proxied, "GET", target)
    except TargetError:
        return
    if answer.status < 500:
        raise TargetError(f"a body cut short ended cleanly (status {answer.status})")


STRAIGHT: Mapping[str, Callable[[str, str], None]] = {
    "as is": _as_is,
    "upload": _upload_as_is,
    "broken off": _broken_off_as_is,
}

# Check -> the capabilities of servers.capabilities that it needs.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "query": ("query",),
    "status": ("bodyless",),
    "cookies": ("repeated-headers",),
    "conditional": ("bodyless",),
    "download": ("downloads",),
    "upload": ("methods", "large-body"),
    "methods": ("methods",),
    "broken off": ("upstream-errors",),
}
