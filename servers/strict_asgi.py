"""Cures for ASGI's servers on the equal track: h11 under hypercorn and uvicorn, WSGI's wrappers.

h11 takes the chunks of a request that has a length too, tells the app of both, and reads on behind
its answer. A wrapper takes a client that goes away within its body for that body's end.
"""

import importlib
from collections.abc import Awaitable
from typing import Any, Callable

from servers.framing import doubt_of_fields, need

Receive = Callable[[], Awaitable["dict[str, Any]"]]


class CutShort(OSError):
    """The client went away within its body."""


def strict_h11(server: str) -> None:
    """From now on h11 refuses what is framed twice; its users answer 400 and close."""
    h11: Any = importlib.import_module("h11")
    need(server, h11, "Connection", "Request", "RemoteProtocolError")
    need(server, h11.Connection, "next_event")

    class Connection(h11.Connection):  # type: ignore[misc]
        def next_event(self) -> Any:
            event = super().next_event()
            if type(event) is h11.Request:
                reason = doubt_of_fields(event.headers, event.http_version == b"1.0")
                if reason:
                    raise h11.RemoteProtocolError(reason)
            return event

    h11.Connection = Connection


def whole(receive: Receive) -> Receive:
    """ASGI's `receive`, which raises CutShort where a request's body ends before its end."""
    more = True

    async def guarded() -> "dict[str, Any]":
        nonlocal more
        message = await receive()
        if message["type"] == "http.disconnect" and more:
            raise CutShort("the client went away within its body")
        more = message.get("more_body", False)
        return message

    return guarded
