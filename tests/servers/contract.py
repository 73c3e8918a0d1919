"""Which checks prove which capability, and how a server is held to what it states, both ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.servers import checks_connections as connections
from tests.servers import checks_hardening as hardening
from tests.servers import checks_messages as messages
from tests.servers import checks_websockets as websockets
from tests.servers.wire import FAILURES

# Of a hop that is shared, by its port. What ends a hop or loads it is in checks_life.
CHECKS: Mapping[str, tuple[Callable[[int], None], ...]] = {
    "methods": (messages.methods,),
    "query": (messages.query,),
    "encoded-path": (messages.encoded_path,),
    "repeated-headers": (messages.repeated_request_headers, messages.repeated_response_headers),
    "large-body": (messages.empty_body, messages.large_body),
    "chunked-request": (messages.chunked_request,),
    "expect-continue": (messages.expect_continue,),
    "streamed-request": (messages.streamed_request,),
    "streamed-response": (messages.streamed_response,),
    "downloads": (messages.downloads,),
    "bodyless": (messages.bodyless,),
    "keep-alive": (connections.keep_alive,),
    "pipelining": (connections.pipelining,),
    "connections": (connections.connections,),
    "concurrency": (connections.concurrency,),
    "slow-reader": (connections.slow_reader,),
    "disconnect": (connections.disconnect,),
    "websocket": (websockets.echo, websockets.at_once, websockets.close_of_the_upstream),
    "websocket-close": (websockets.close_of_the_client,),
    "upstream-errors": (messages.upstream_too_slow, messages.upstream_breaks_off),
    "targets": (hardening.targets,),
    "strict-heads": (hardening.heads,),
    "underscores": (hardening.underscores,),
    "untrusted": (hardening.forwarding,),
    "two-cookies": (hardening.cookies,),
    "long-target": (hardening.long_target,),
    "no-inventions": (hardening.inventions,),
    "bad-chunks": (hardening.bad_chunks,),
}
ATTEMPTS = 5
OF_A_LIFE = frozenset(("stop-idle", "stop-in-flight", "port-in-use", "flat-memory"))


def hold(capability: str, why_not: str, *checks: Callable[[], object]) -> None:
    """Run the checks. With a stated reason `why_not`, one of them must fail; without, none may.

    What fails by chance (a stall that needs two requests at the same moment) may go well once: a
    stated no is tried again, until it fails. Raises AssertionError.
    """
    for _ in range(ATTEMPTS if why_not else 1):
        try:
            for check in checks:
                check()
        except FAILURES as error:
            if not why_not:
                raise AssertionError(f"{capability}: {type(error).__name__}: {error}") from error
            return
    if why_not:
        raise AssertionError(f"{capability}: it says it cannot ({why_not}), but it can")
