"""A host's name in all the spellings that a browser takes for it. Pure.

`localhost.`, `LOCAL%68OST`, full-width letters, 127.1 and 0x7f000001 for 127.0.0.1, a mapped IPv6
address: what leaves this hop is searched for the upstream in each of them.
"""

import contextlib
import ipaddress
import re
import socket
import unicodedata
from urllib.parse import unquote

_AUTHORITY = re.compile(r"//+([^/?#\s,;\"'<>]*)")
_SLASHES = re.compile(r"\A(https?:)/+|\A()//+", re.IGNORECASE)
_BLANKS = "".join(map(chr, range(33)))
_LETTER = "-A-Za-z0-9_"


def browser_spelling(url: str) -> str:
    """A URL as a browser reads it: no blanks around, no tabs or line ends, / for a
    backslash, two slashes before the host."""
    url = re.sub(r"[\t\r\n]", "", url.strip(_BLANKS))
    head, mark, tail = url.partition("?")
    head = head.replace("\\", "/")
    return _SLASHES.sub(lambda match: (match[1] or "") + "//", head) + mark + tail


def normal(host: str) -> str:
    """One spelling of a host: lower case, no last dot, no percent-encoding, addresses canonical."""
    host = unquote(host.replace("\t", ""), errors="replace")
    with contextlib.suppress(UnicodeError):
        host = host.encode("latin-1").decode("utf-8")  # header bytes
    host = unicodedata.normalize("NFKC", host).replace("\u3002", ".").lower()
    host = host.strip("[].")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _address(host)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _address(host: str) -> str:
    """127.1, 2130706433 and 0x7f.1 are addresses to inet_aton() and to browsers."""
    if not host[:1].isdigit():
        return host
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, ValueError):
        return host


class HostName:
    """Knows one host."""

    def __init__(self, host: str, port: int = 0):
        self._name = normal(host)
        name = re.escape(self._name)
        if re.search("[.:]", self._name):
            within = rf"(?<![{_LETTER}.]){name}(?!\.?[{_LETTER}])"
        else:  # a word, such as `api`: the name only where it is used as one
            within = rf"(//|@){name}(?!\.?[{_LETTER}])|(?<![{_LETTER}.]){name}:{port}(?!\d)"
        self._within = re.compile(within)

    def is_of(self, host: str) -> bool:
        """Whether `host` is the one."""
        return normal(host) == self._name

    def is_below(self, domain: str) -> bool:
        """Whether the host is `domain`, or lies within it."""
        domain = normal(domain)
        return bool(domain) and f".{self._name}".endswith(f".{domain}")

    def is_in(self, text: str, but: str = "") -> bool:
        """Whether the name stands somewhere in `text`, beside the authority `but`."""
        return self._is_in(text, but) or ("\t" in text and self._is_in(text.replace("\t", ""), but))

    def _is_in(self, text: str, but: str) -> bool:
        for authority in _AUTHORITY.findall(text.replace("\\", "/")):
            host = authority.rpartition("@")[2]
            if authority != but and normal(re.sub(r":\d*\Z", "", host)) == self._name:
                return True
        plain = unquote(unquote(text)).lower()
        if but:
            plain = re.sub(re.escape(but.lower()) + r"(?![:\d])", "", plain)
        return bool(self._within.search(plain))
