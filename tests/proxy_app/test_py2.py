"""The app's Python 2 sibling: what of it can be read here. The contract runs it for real."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from proxy_app.routes import load_table

ROUTES = Path(__file__).resolve().parents[2] / "proxy_app" / "routes.toml"


def test_reads_the_same_table() -> None:
    """Without a TOML parser it finds the same routes and header names as the app itself."""
    table = load_table(ROUTES)
    routes, headers = import_module("proxy_app.py2.table").load_table(str(ROUTES))
    wanted = [(r.name, r.methods, r.public, r.upstream) for r in table.routes]
    found = [(r["name"], tuple(r["methods"]), r["public"], r.get("upstream", "")) for r in routes]
    assert found == wanted
    assert tuple(headers["request"]) == table.request_headers
    assert {name.lower() for name in headers["response"]} == table.response_headers
