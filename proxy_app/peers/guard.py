"""aiohttp's connections to the upstream with a Gate before its parser (gate.py).

aiohttp would give what an idle connection brought to the next request that takes it. Here such a
connection is taken for closed: when it is looked at before its use (`is_connected`), with the
kernel asked once more whether anything waits.
"""

import asyncio
import functools
import select
from contextvars import ContextVar
from typing import Any, Optional

import aiohttp
from aiohttp.client_proto import ResponseHandler

from proxy_app.gate import Gate, NotHttp

# A handshake's 101 and what follows are the WebSocket parser's; its connection serves nothing else.
websocket: ContextVar[bool] = ContextVar("websocket", default=False)


class GuardedConnector(aiohttp.TCPConnector):  # type: ignore[misc]
    """A TCPConnector with guarded connections."""

    def __init__(self, patience_s: float, **options: Any):
        super().__init__(**options)
        self._factory = functools.partial(GuardedHandler, patience_s, loop=self._loop)


class GuardedHandler(ResponseHandler):  # type: ignore[misc]
    """One connection."""

    def __init__(self, patience_s: float, loop: asyncio.AbstractEventLoop):
        super().__init__(loop=loop)
        self._gate: Optional[Gate] = Gate(patience_s)

    def set_response_params(self, **options: Any) -> None:
        """A request is about to be sent."""
        if websocket.get():
            self._gate = None
            self.force_close()
        elif self._gate:
            self._gate.asked(options.get("skip_payload", False))
        super().set_response_params(**options)

    def data_received(self, data: bytes) -> None:
        gate = self._gate
        if gate and data:
            if not gate.open:
                gate.clean = False
                self.force_close()
                return
            try:
                data = gate.came(data)
            except (NotHttp, asyncio.TimeoutError) as error:
                self._give_up(error)
                return
            if not gate.clean:
                self.force_close()
            if not data:
                return
        super().data_received(data)

    def is_connected(self) -> bool:
        connected: bool = super().is_connected()
        gate = self._gate
        if not connected or not gate or gate.open:
            return connected
        return gate.clean and not self._readable()

    def connection_lost(self, exc: Optional[BaseException]) -> None:
        gate = self._gate
        if gate and gate.open:
            try:
                gate.ended()
                lost = exc
            except NotHttp as error:
                lost = error
            if lost and gate.heard:
                self._fail(aiohttp.ClientPayloadError(str(lost)))
        super().connection_lost(exc)

    def _give_up(self, error: Exception) -> None:
        late = isinstance(error, asyncio.TimeoutError)
        kind = aiohttp.ServerTimeoutError if late else aiohttp.ClientPayloadError
        self._fail(kind(str(error)))
        if self.transport:
            self.transport.close()

    def _fail(self, error: Exception) -> None:
        """Whoever waits for the head or for more of the body gets it."""
        self._parser = None  # or it would take the connection's end for the body's
        payload = self._payload
        if payload is not None and not payload.is_eof():
            payload.set_exception(error)
        self.set_exception(error)

    def _readable(self) -> bool:
        assert self.transport
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(poll.poll(0))
