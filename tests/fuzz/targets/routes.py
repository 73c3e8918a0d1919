"""A route table: refused in one line that names file and line, or its routes are found alike by
Bottle and by the peers' router, and lead back from the upstream's path to the public one."""

import atexit
import tempfile
from pathlib import Path
from typing import Any

from bottle import Bottle, HTTPError

from proxy_app.faults import Fault
from proxy_app.locations import Locations
from proxy_app.peers.router import Router
from proxy_app.routes import Route, literal_first, load_table, parameters_of, to_template
from proxy_app.settings import SettingsError, Upstream

WORDS = (
    *(
        b"[routes]\n",
        b"[headers]\n",
        b"methods = ",
        b'["GET"]',
        b'"POST"',
        b"public = ",
        b"upstream",
    ),
    *(
        b'"/a/<id>"',
        b'"/<a>/<b>"',
        b'"/a/b"',
        b"redirect = ",
        b'"authorize"',
        b"kind",
        b'"websocket"',
    ),
    *(
        b'request = ["Accept"]',
        b'response = ["Vary"]',
        b"{ ",
        b" }",
        b", ",
        b"\n",
        b"<id>",
        b"..",
        b"%",
    ),
    *(b"x = ", b"[routes.x]\n", b"'", b'"', b"\\", b"\xc3\xa4", b"/.", b"<", b">", b"[[", b"]]"),
)
_FOLDER = tempfile.TemporaryDirectory(prefix="onehop-fuzz-")
atexit.register(_FOLDER.cleanup)
_FILE = Path(_FOLDER.name, "routes.toml")
_UPSTREAM = Upstream("http", "up.test", 81, "/v2")


def check(data: bytes) -> None:
    _FILE.write_bytes(data)
    try:
        table = load_table(_FILE)
    except SettingsError as error:
        assert str(error).startswith(f"{_FILE}: "), error
        assert "\n" not in str(error), error
        return
    app, router = Bottle(), Router(table.routes)
    for route in sorted(table.routes, key=literal_first):
        app.route(route.public, list(route.methods), _nothing, name=route.name)
    locations = Locations(_UPSTREAM, table.routes)
    for route in table.routes:
        path = to_template(route.public) % {
            name: f"v{n}" for n, name in enumerate(parameters_of(route.public))
        }
        for method in ("GET", "HEAD", "POST", "BREW"):
            _found_alike(app, router, method, path)
            _found_alike(app, router, method, path + "/x")
        _leads_back(locations, router, route, path)


def _nothing() -> None:
    """Bottle wants a callback."""


def _found_alike(app: Any, router: Router, method: str, path: str) -> None:
    try:
        found, parameters = app.match({"REQUEST_METHOD": method, "PATH_INFO": path})
        by_bottle: Any = (found.name, parameters)
    except HTTPError as error:
        by_bottle = error.status_code
    try:
        route, parameters = router.find(method, path)
        by_router: Any = (route.name, parameters)
    except Fault as fault:
        by_router = fault.status
    assert by_bottle == by_router, (method, path, by_bottle, by_router)


def _leads_back(locations: Locations, router: Router, route: Route, path: str) -> None:
    """Through any route that has this upstream's path, for several may."""
    if not route.upstream:
        return
    found, parameters = router.find(route.methods[0], path)
    there = _UPSTREAM.base + found.target(parameters)
    back = locations.public("http://up.test:81" + there, "/v2", "", "me.test", parameters)
    assert back is not None, there
