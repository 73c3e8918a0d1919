"""A host in some spelling: who resolves it to the upstream, the app knows it for the upstream."""

import contextlib
import ipaddress
import re
import socket

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url
from yarl import URL

from proxy_app.framing import CONTROLS
from proxy_app.names import HostName, normal

WORDS = (
    *(b"api.example.test", b"API", b".", b"10.1.2.3", b"0xa010203", b"167838211", b"012.1.2.3"),
    *(b"10.1.515", b"[::ffff:10.1.2.3]", b"::ffff:a01:203", b"[::1]", b"0:0:0:0:0:0:0:1", b"%2e"),
    *(b"%61", b"\xef\xbc\x8e", b"\xe3\x80\x82", b"\xef\xbd\x81", b"up", b":8080", b"xn--", b"\xff"),
    *(b"[", b"]", b"%", b"%25", b"@", b"0x", b"1", b"\xc2\xad", b"\xe2\x80\x8b", b"%00", b" "),
)
_NAMES = ("api.example.test", "10.1.2.3", "::1", "up")


def check(data: bytes) -> None:
    if len(data.translate(None, CONTROLS)) != len(data):
        return  # no header holds them: the readers refuse it
    text = data.decode("latin-1")
    once = normal(text)
    assert normal(once) == once or not once.isascii() or "%" in once, (text, once, normal(once))
    for name in _NAMES:
        known = HostName(name, 8080)
        ours = known.is_of(text)
        for who, host in _others(text):
            if canonical(host) == canonical(name):
                assert ours, (who, host, name)
        if ours and not re.search(r"[/?#\s,;\"'<>@\\:]", text):
            assert known.is_in(f"see http://{text}:8080/x"), (text, name)
            assert known.is_in(f"see https://u@{text}"), (text, name)
        known.is_below(text)
        known.is_in(text, "me.test")


def _others(text: str) -> "list[tuple[str, str]]":
    """What the libraries take for the host of a URL with it."""
    if any(char in text for char in "/?#\\@: \t"):  # inet_aton() ends at a blank, no resolver does
        return []
    found = [("as it is", text)]
    with contextlib.suppress(LocationParseError):
        found.append(("urllib3", parse_url(f"http://{text}/").host or ""))
    with contextlib.suppress(ValueError):
        found.append(("yarl", URL(f"http://{text}/").host or ""))
    return found


def canonical(host: str) -> str:
    """One spelling, by the standard library's own means: idna, inet_aton(), ipaddress."""
    bare = host.strip("[]").lower()
    with contextlib.suppress(UnicodeError):
        bare = bare.encode("idna").decode("ascii")
    bare = bare[:-1] if bare.endswith(".") else bare
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(bare)
        return str(getattr(address, "ipv4_mapped", None) or address)
    if bare[:1].isdigit():
        with contextlib.suppress(OSError, ValueError):
            return socket.inet_ntoa(socket.inet_aton(bare))
    return bare
