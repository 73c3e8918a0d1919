"""The upstream's own URLs in a response -> the public ones, or nothing. Pure.

A URL on the upstream's host is mapped back through the route table to a public path. One that no
route leads to is dropped with its header: the status still tells the client what happened, and the
upstream's URL stays hidden. Other hosts' URLs pass as they are.
"""

import re
from collections.abc import Iterable
from typing import Any, Optional
from urllib.parse import urljoin, urlsplit

from proxy_app.headers import Pairs
from proxy_app.routes import Route, to_template
from proxy_app.settings import Upstream

_WITH_URLS = frozenset(("location", "content-location", "set-cookie"))
_COOKIE_DOMAIN = re.compile(r";\s*domain=\.?([^;\s]*)", re.IGNORECASE)
_COOKIE_PATH = re.compile(r"(;\s*path=)([^;]*)", re.IGNORECASE)


class Locations:
    """Knows the way back from upstream paths to public ones."""

    def __init__(self, upstream: Upstream, routes: Iterable[Route]):
        self._root = f"{upstream.scheme}://{upstream.authority}"
        self._host = upstream.host
        self._origin = (upstream.host, upstream.port)
        self._back = [
            (re.compile(_pattern(upstream.base + route.upstream)), to_template(route.public))
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
        prefix, own_host = environ.get("SCRIPT_NAME", ""), environ.get("HTTP_HOST", "")
        result = []
        for name, value in pairs:
            kind = name.lower()
            public: Optional[str] = value
            if kind == "set-cookie":
                public = self.public_cookie(value, prefix)
            elif kind in _WITH_URLS:
                public = self.public(value, target, prefix, own_host)
            if public is not None:
                result.append((name, public))
        return result

    def public(self, location: str, target: str, prefix: str, own_host: str) -> Optional[str]:
        """The URL that the client may see; None when there is none.

        `prefix` is our SCRIPT_NAME, `own_host` the Host that the client called us by.
        """
        try:
            url = urlsplit(urljoin(self._root + target, location))
            origin = (url.hostname, url.port or (443 if url.scheme == "https" else 80))
        except ValueError:  # no URL at all: it might hide anything
            return None
        ours = url.netloc == own_host and origin != self._origin
        if ours or url.hostname != self._host:
            return location
        path = self._public_path(url.path) if origin == self._origin else None
        if path is None:
            return None
        query = f"?{url.query}" if url.query else ""
        fragment = f"#{url.fragment}" if url.fragment else ""
        return prefix + path + query + fragment

    def public_cookie(self, cookie: str, prefix: str) -> str:
        """Without the upstream's Domain, and with a Path that the client's requests fall under."""
        domain = _COOKIE_DOMAIN.search(cookie)
        if domain and f".{self._host}".endswith(f".{domain[1].lower()}"):
            cookie = cookie[: domain.start()] + cookie[domain.end() :]
        path = _COOKIE_PATH.search(cookie)
        if path and path[2] != "/" and any(known.startswith(path[2]) for known in self._paths):
            cookie = cookie[: path.start(2)] + (prefix or "/") + cookie[path.end() :]
        return cookie

    def _public_path(self, path: str) -> Optional[str]:
        for pattern, template in self._back:
            match = pattern.fullmatch(path)
            if match:
                return template % match.groupdict()
        return None


def _pattern(path: str) -> str:
    """`/folders/<id>` -> a regular expression with a group per parameter."""
    parts = re.split(r"<([a-z_]+)>", path)
    return "".join(f"(?P<{p}>[^/]+)" if i % 2 else re.escape(p) for i, p in enumerate(parts))
