"""What goes wrong on a hop, in the words that the client gets.

A Fault carries its HTTP status and one sentence that never names the upstream's URL. Raised before
the response's head is out it becomes a JSON error; raised later, while the body streams, it goes up
into the server, which then breaks the client's response off.
"""


class Fault(Exception):
    """An exchange that failed."""

    status = 500


class BadRequest(Fault):
    """The client's request cannot be read, or the client went away in the middle of it."""

    status = 400


class NotFound(Fault):
    """A path parameter that would climb out of its place in the upstream's path."""

    status = 404


class LengthRequired(Fault):
    """A chunked body on a server that does not say where it ends."""

    status = 411


class TooLarge(Fault):
    """The body is over the limit."""

    status = 413


class UpstreamFault(Fault):
    """The upstream refused, broke off, or sent what is not HTTP."""

    status = 502


class UpstreamTimeout(Fault):
    """The upstream did not answer in time."""

    status = 504


class NoWebSocket(Fault):
    """The server hands the app no connection to upgrade."""

    status = 501


class Refused(Fault):
    """The upstream answered a WebSocket handshake with an error, whose status the client gets."""

    def __init__(self, status: int):
        super().__init__("the upstream refused the WebSocket")
        self.status = status if 400 <= status < 600 else 502
