"""The upstream's own URLs in a response -> the public ones, or nothing. Pure.

A URL on the upstream's host is mapped back through the route table to a public path. One that no
route leads to is dropped with its header: the status still tells the client what happened, and the
upstream's URL stays hidden. Other hosts' URLs pass as they are. What is left is looked at once
more, for the upstream's name in any spelling (names.py).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional
from urllib.parse import urljoin, urlsplit

from proxy_app.headers import Pairs
from proxy_app.names import HostName, browser_spelling
from proxy_app.routes import Route, parameters_of, to_template
from proxy_app.settings import Upstream
from proxy_app.targets import climbs

_WITH_URLS = frozenset(
    (
        *("location", "content-location", "set-cookie", "www-authenticate", "link", "refresh"),
        *(
            "access-control-allow-origin",
            "alt-svc",
            "authentication-info",
            "content-security-policy",
        ),
        *("proxy-authenticate", "report-to", "reporting-endpoints", "sourcemap", "uri"),
    )
)
_REDIRECTS = frozenset(("location", "content-location"))
_CHALLENGES = frozenset(("www-authenticate", "proxy-authenticate"))
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_TWO_IN_ONE = re.compile(r"[\s,;]\s*https?:", re.IGNORECASE)


class _Way(NamedTuple):
    """Back from an upstream path; `own`: parameters that only the request itself can give."""

    pattern: "re.Pattern[str]"
    template: str
    own: frozenset[str]


class Locations:
    """Knows the way back from upstream paths to public ones; `prefix` goes before each of these."""

    def __init__(self, upstream: Upstream, routes: Iterable[Route], prefix: str = ""):
        self._prefix = prefix
        self._root = f"{upstream.scheme}://{upstream.authority}"
        self._origin = (upstream.host, upstream.port)
        self._name = HostName(upstream.host, upstream.port)
        self._back = [
            _Way(
                re.compile(_pattern(upstream.base + route.upstream)),
                to_template(route.public),
                frozenset(parameters_of(route.public)) - frozenset(parameters_of(route.upstream)),
            )
            for route in routes
            if route.upstream
        ]
        self._paths = [upstream.base + route.upstream for route in routes if route.upstream]

    def public_pairs(self, pairs: Pairs, target: str, environ: dict[str, Any]) -> Pairs:
        """`pairs` with every upstream URL rewritten; headers that cannot be are left out.

        `target` is what the upstream was asked for: relative URLs count from there.
        """
        if _WITH_URLS.isdisjoint([name.lower() for name, _ in pairs]):
            return pairs
        own_host = environ.get("HTTP_HOST", "")
        parameters = environ.get("route.url_args") or {}
        result = []
        for name, value in pairs:
            kind = name.lower()
            public: Optional[str] = value
            if kind in _REDIRECTS:
                public = self.public(value, target, self._prefix, own_host, parameters)
            elif kind == "set-cookie":
                public = self.public_cookie(value, self._prefix)
            elif kind in _CHALLENGES:
                public = _QUOTED.sub(self._public_quoted, value)
            if public is not None and not (kind in _WITH_URLS and self._shows(public, own_host)):
                result.append((name, public))
        return result

    def public(
        self,
        location: str,
        target: str,
        prefix: str,
        own_host: str,
        parameters: Mapping[str, str] = {},  # nothing writes to it
    ) -> Optional[str]:
        """The URL that the client may see; None when there is none.

        `own_host` is the Host that the client called us by, `parameters` are its own request's.
        """
        try:
            url = urlsplit(urljoin(self._root + target, browser_spelling(location)))
            origin = (url.hostname, url.port or (443 if url.scheme == "https" else 80))
        except ValueError:  # no URL at all: it might hide anything
            return None
        if _TWO_IN_ONE.search(location):
            return None
        ours = url.netloc == own_host and origin != self._origin
        if ours or not self._name.is_of(url.hostname or ""):
            return None if self._shows(location, own_host) else location
        here = origin[1] == self._origin[1] and "@" not in url.netloc
        path = self._public_path(url.path, parameters) if here else None
        if path is None:
            return None
        query = f"?{url.query}" if url.query else ""
        fragment = f"#{url.fragment}" if url.fragment else ""
        return prefix + path + query + fragment

    def public_cookie(self, cookie: str, prefix: str) -> str:
        """Without the upstream's Domain, and with a Path that the client's requests fall under."""
        first, *attributes = cookie.split(";")
        kept = [first]
        for attribute in attributes:
            name, equals, value = attribute.partition("=")
            kind, text = name.strip().lower(), value.strip().strip('"').strip()
            if kind == "domain" and self._name.is_below(text.lstrip(".")):
                continue
            if kind == "path" and text != "/" and any(one.startswith(text) for one in self._paths):
                attribute = f"{name}{equals}{prefix or '/'}"
            kept.append(attribute)
        return ";".join(kept)

    def _public_quoted(self, match: "re.Match[str]") -> str:
        """A realm says where to log in; one that names the upstream says only that one has to."""
        return '"onehop"' if self._name.is_in(match[0]) else match[0]

    def _shows(self, value: str, own_host: str) -> bool:
        """Whether the upstream's name stands in it, other than as the name we are called by."""
        return self._name.is_in(
            value, own_host if own_host != self._root.partition("//")[2] else ""
        )

    def _public_path(self, path: str, parameters: Mapping[str, str]) -> Optional[str]:
        for way in self._back:
            match = way.pattern.fullmatch(path)
            if match and way.own <= parameters.keys():
                found = match.groupdict()
                if any(climbs(value) for value in found.values()):
                    return None
                return way.template % {**parameters, **found}
        return None


def _pattern(path: str) -> str:
    """`/folders/<id>` -> a regular expression with a group per parameter."""
    parts = re.split(r"<([a-z_]+)>", path)
    return "".join(f"(?P<{p}>[^/]+)" if i % 2 else re.escape(p) for i, p in enumerate(parts))
