"""What the harness opens with a balancer in it: one alone, one with a slow backend."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.environments import Environment, build_environment
from bench.interpreters import ALIASES, find_interpreter
from bench.model import ALONE, StackKey, TargetError
from bench.stack import open_stack
from bench.upstream import Upstream, start_upstream
from servers import SERVERS

CPYTHON = ALIASES["cpython"]
SLOW_S = 0.02  # what bench.upstream promises of its slow address


@pytest.fixture(scope="module")
def environment() -> Environment:
    return build_environment(SERVERS["waitress"], find_interpreter(CPYTHON))


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    aliases = [f"127.0.1.{number}" for number in (1, 2, 3)]
    with start_upstream(tmp_path / "upstream.log", aliases=aliases) as running:
        yield running


def get(base_url: str, target: str) -> tuple[int, float, bytes]:
    """Status, seconds and body of one request on a connection of its own."""
    place = urlsplit(base_url)
    begin = time.monotonic()
    with closing(http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)) as one:
        one.request("GET", target)
        response = one.getresponse()
        body = response.read()
    return response.status, time.monotonic() - begin, body


def test_a_balancer_alone_stands_before_the_upstream(
    upstream: Upstream, have: Callable[[str], None], tmp_path: Path
) -> None:
    """`nginx:0`: one process of the hop, and the upstream's own resources, which no app renames."""
    have("nginx")
    key = StackKey(ALONE, "-", "nginx:0", "-", "-")
    with open_stack(key, None, upstream.base_url, tmp_path, ()) as stack:
        assert stack.straight
        assert len(stack.processes) == 1
        target = "/vdr/v3/folders/f1?size=300"
        status, _, body = get(stack.base_url, target)
        assert (status, len(body)) == (200, 300)
        assert json.loads(body) == json.loads(get(upstream.base_url, target)[2])
        assert get(stack.base_url, "/folder/f1")[0] == 404


def test_one_of_three_backends_is_slow(
    upstream: Upstream, environment: Environment, have: Callable[[str], None], tmp_path: Path
) -> None:
    """`nginx+slow/round-robin:3`: each third request waits for the slow address of the upstream."""
    have("nginx")
    key = StackKey("waitress", CPYTHON, "nginx+slow/round-robin:3")
    opened = open_stack(
        *(key, environment, upstream.base_url, tmp_path, ()),
        upstreams=upstream.backends,
        slow_upstream=upstream.slow,
    )
    with opened as stack:
        assert stack.upstreams == (upstream.slow, *upstream.backends[1:3])
        answers = [get(stack.base_url, "/folder/f1?size=300") for _ in range(30)]
    assert {status for status, _, _ in answers} == {200}
    slow = sum(took_s >= SLOW_S for _, took_s, _ in answers)
    assert (
        slow >= 9
    )  # ten, but one where readiness moved the turn; a busy machine adds, never takes


def test_slow_needs_another_backend_beside_it(
    upstream: Upstream, environment: Environment, tmp_path: Path
) -> None:
    """`nginx+slow:1` would be nothing but slow."""
    key = StackKey("waitress", CPYTHON, "nginx+slow:1")
    opened = open_stack(
        key, environment, upstream.base_url, tmp_path, (), slow_upstream=upstream.slow
    )
    with pytest.raises(TargetError, match="another beside it"), opened:
        pass
