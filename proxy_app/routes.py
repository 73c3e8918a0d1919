"""The route table: a TOML file -> checked, frozen Routes.

Whatever is wrong with the file is one SettingsError that names the file and the line.
routes.toml says what an entry means.
"""

import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from proxy_app.faults import NotFound
from proxy_app.headers import NEVER_CROSS, TOKEN
from proxy_app.settings import SettingsError
from proxy_app.targets import climbs

_KEYS = ("kind", "methods", "public", "upstream", "redirect")
_PATH = re.compile(r"/|(/([A-Za-z0-9._~-]+|<[a-z_]+>))+")
_HARMLESS = re.compile(r"[A-Za-z0-9_~-]+(\.[A-Za-z0-9_~-]+)*")
_PARAMETER = re.compile(r"<([a-z_]+)>")


@dataclass(frozen=True)
class Route:
    """One public path. `upstream` is "" where the route redirects to the authorize URL.

    `websocket`: it takes WebSocket handshakes and nothing else.
    """

    name: str
    methods: tuple[str, ...]
    public: str
    upstream: str
    template: str  # upstream path in %-notation: one C-level operation per request
    websocket: bool = False

    def target(self, parameters: Mapping[str, str]) -> str:
        """The upstream's path for these still percent-encoded segments. Raises NotFound."""
        for segment in parameters.values():
            if not _HARMLESS.fullmatch(segment) and climbs(segment):
                raise NotFound("no such path")
        return self.template % parameters


@dataclass(frozen=True)
class Table:
    """What a route file holds. Response header names are in lower case."""

    routes: tuple[Route, ...]
    request_headers: tuple[str, ...]
    response_headers: frozenset[str]


def load_table(path: Path) -> Table:
    """Read and check `path`. Raises SettingsError naming file and line."""
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from None
    except RecursionError:
        raise SettingsError(f"{path}: not a route table: it is nested too deep") from None
    return _Checker(path, text).table(document)


def parameters_of(path: str) -> list[str]:
    """`/folder/<id>` -> ["id"]."""
    return _PARAMETER.findall(path)


def to_template(path: str) -> str:
    """`/folder/<id>` -> `/folder/%(id)s`."""
    return _PARAMETER.sub(r"%(\1)s", path)


def literal_first(route: Route) -> list[bool]:
    """A key to sort by, for who takes the first route that fits: /a/b before /a/<id> before /<x>/b,
    in whatever order the file has them."""
    return [segment.startswith("<") for segment in route.public.split("/")]


def _is_method(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[A-Z-]+", value) is not None


class _Checker:
    """Turns the parsed document into a Table; knows the text, to name lines."""

    def __init__(self, path: Path, text: str):
        self.path = path
        self.lines = text.splitlines()

    def table(self, document: dict[str, Any]) -> Table:
        self._known_keys(document, ("routes", "headers"), "")
        headers = self._section(document, "headers")
        self._known_keys(headers, ("request", "response"), "headers")
        request = self._header_names(headers, "request")
        response = self._header_names(headers, "response")
        routes = [self._route(*item) for item in self._section(document, "routes").items()]
        self._no_doubles(routes)
        return Table(tuple(routes), request, frozenset(name.lower() for name in response))

    def _section(self, document: dict[str, Any], name: str) -> dict[str, Any]:
        section = document.get(name)
        if not isinstance(section, dict) or not section:
            raise SettingsError(f"{self.path}: line 1: a [{name}] section with entries is missing")
        return section

    def _route(self, name: str, entry: Any) -> Route:
        if not isinstance(entry, dict):
            raise self._wrong(name, "must be a table of methods, public and upstream")
        self._known_keys(entry, _KEYS, name)
        public = self._path_of(name, entry, "public")
        if "redirect" in entry:
            if entry["redirect"] != "authorize" or "upstream" in entry:
                raise self._wrong(name, 'redirect can only be "authorize", without upstream')
            upstream = ""
        else:
            upstream = self._path_of(name, entry, "upstream")
        unknown = set(parameters_of(upstream)) - set(parameters_of(public))
        if unknown:
            raise self._wrong(name, f"<{min(unknown)}> is in upstream but not in public")
        methods, websocket = self._methods(name, entry), "kind" in entry
        if websocket and (entry["kind"], methods, bool(upstream)) != ("websocket", ("GET",), True):
            raise self._wrong(name, 'kind can only be "websocket", with GET and an upstream')
        return Route(name, methods, public, upstream, to_template(upstream), websocket)

    def _methods(self, name: str, entry: dict[str, Any]) -> tuple[str, ...]:
        methods = entry.get("methods")
        if isinstance(methods, list) and methods and all(map(_is_method, methods)):
            return tuple(methods)
        raise self._wrong(name, 'methods must be a list such as ["GET", "POST"]')

    def _path_of(self, name: str, entry: dict[str, Any], key: str) -> str:
        path = entry.get(key)
        if not isinstance(path, str) or not _PATH.fullmatch(path):
            raise self._wrong(name, f'{key} must be a path such as "/folder/<id>", not {path!r}')
        if {".", ".."} & set(path.split("/")):
            raise self._wrong(name, f"{key} has dots for a segment: {path}")
        parameters = parameters_of(path)
        if len(parameters) != len(set(parameters)):
            raise self._wrong(name, f"{key} names a parameter twice: {path}")
        return path

    def _header_names(self, headers: dict[str, Any], key: str) -> tuple[str, ...]:
        names = headers.get(key)
        if not isinstance(names, list):
            raise self._wrong(key, "must be a list of header names")
        for name in names:
            if not isinstance(name, str) or not TOKEN.fullmatch(name):
                raise self._wrong(key, f"{name!r} is not a header name")
            if name.lower() in NEVER_CROSS:
                raise self._wrong(key, f"{name} never crosses a hop; take it out")
        return tuple(names)

    def _no_doubles(self, routes: list[Route]) -> None:
        seen: dict[tuple[str, str], str] = {}
        for route in routes:
            shape = _PARAMETER.sub("<>", route.public)
            for method in route.methods:
                other = seen.setdefault((method, shape), route.name)
                if other != route.name:
                    raise self._wrong(route.name, f"{method} {route.public} is {other}'s already")

    def _known_keys(self, given: Collection[str], known: tuple[str, ...], where: str) -> None:
        for key in given:
            if key not in known:
                near = get_close_matches(key, known, 1) or [", ".join(known)]
                raise self._wrong(where or key, f"{key!r} is unknown; did you mean {near[0]}?")

    def _wrong(self, key: str, what: str) -> SettingsError:
        return SettingsError(f"{self.path}: line {self._line(key)}: {key}: {what}")

    def _line(self, key: str) -> int:
        """Where `key` is written: `key = …`, or a table header that ends in it."""
        name = "[\"']?" + re.escape(key) + "[\"']?"
        written = re.compile(rf"\s*({name}\s*[=.]|\[+(.*\.)?\s*{name}\s*\])")
        return next((n for n, line in enumerate(self.lines, 1) if written.match(line)), 1)
