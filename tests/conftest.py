"""Shared fixtures: a missing server or balancer skips on a user's machine and fails in CI."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest


@pytest.fixture
def missing() -> Callable[[str], None]:
    """Call with the reason why something cannot be had: skips, or fails where all is required."""

    def give_up(reason: str) -> None:
        if os.environ.get("ONEHOP_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)

    return give_up
