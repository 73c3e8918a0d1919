"""The harness's table of the app's clients, held to the app."""

from __future__ import annotations

from dataclasses import fields

from bench.clients import CLIENTS, client_names
from bench.interpreters import INTERPRETERS
from bench.model import DEFAULT_CLIENT
from proxy_app import clients
from proxy_app.settings import Settings


def test_the_names_are_the_files() -> None:
    """Every client of the app can be chosen, and the table names no other."""
    assert tuple(client_names()) == clients.CLIENTS
    assert set(CLIENTS) <= set(client_names())


def test_the_default_is_the_apps_own() -> None:
    """What is not said in a stack's name is what the app does when it is told nothing."""
    default = next(one.default for one in fields(Settings) if one.name == "client")
    assert default == DEFAULT_CLIENT


def test_interpreters_are_known() -> None:
    """A reason names a family or an interpreter that there is."""
    for client in CLIENTS.values():
        assert set(client.unsupported) <= {*INTERPRETERS, *INTERPRETERS.values()}
