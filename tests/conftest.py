"""Shared fixtures: a missing server or balancer skips on a user's machine and fails in CI."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests import again
from tests.workers import ALONE, rank, scheduler

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling


def pytest_addoption(parser: pytest.Parser) -> None:
    again.options(parser)


def pytest_configure(config: pytest.Config) -> None:
    again.configure(config)


@pytest.hookimpl(tryfirst=True)  # before `-m` asks for the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Several workers take the longest first; one keeps to the files' order."""
    for item in items:
        if item.nodeid.startswith(ALONE):
            item.add_marker(pytest.mark.alone)
    again.select(config, items)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: rank(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """What shares a server shares a worker."""
    return scheduler(config, log)


@pytest.fixture
def missing() -> Callable[[str], None]:
    """Call with the reason why something cannot be had: skips, or fails where all is required."""

    def give_up(reason: str) -> None:
        if os.environ.get("ONEHOP_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)

    return give_up
