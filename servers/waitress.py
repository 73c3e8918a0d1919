"""waitress: one I/O thread before a pool of threads; both bodies pass through its buffers.

It drops X-Forwarded-* headers from the environ unless told not to, and a request body is whole
before the app sees it. select() would end at 1024 descriptors: poll() is asked for. It logs a
warning for each request that finds no free thread: under load that is all of them. Of a body framed
twice it takes the chunks, drops the length and keeps the connection: its parser is asked to refuse
what servers/framing.py does, which as shipped nobody does.
"""

import logging
from typing import Any

from servers.capabilities import COMMA, Capabilities
from servers.framing import doubt, need
from servers.hardening import Holes
from servers.spec import BACKLOG, IDLE_S, Server

HOLES = Holes(as_shipped=Holes({"cl-te": "both framings: the hidden request is served"}))

SERVER = Server(
    name="waitress",
    summary="an I/O thread and a thread pool, buffered",
    holes=HOLES,
    bottle="waitress",
    requirements=("waitress",),
    concurrent=16,
    idle_s=IDLE_S,
    trap="4 threads: the fifth request waits for one of the four before it to end",
    capabilities=Capabilities(
        {
            "two-cookies": COMMA,
            "streamed-request": "it buffers the whole body before a thread takes the request",
        }
    ),
    distribution="waitress",
)


def serve(app: Any, host: str, port: int, threads: int) -> None:
    import waitress

    be_strict()
    waitress.serve(app, host=host, port=port, **options(threads))


def be_strict() -> None:
    """Refuse doubtful heads; and no warning for each request that finds no free thread."""
    from waitress.channel import HTTPChannel
    from waitress.parser import HTTPRequestParser, ParsingError

    need("waitress", HTTPChannel, "parser_class")
    need("waitress", HTTPRequestParser, "parse_header")

    class Parser(HTTPRequestParser):  # type: ignore[misc]
        def parse_header(self, head: bytes) -> None:
            # a head that is too long it replaces by a line of its own
            if self.header_bytes_received < self.adj.max_request_header_size and doubt(head):
                raise ParsingError(doubt(head))
            super().parse_header(head)

    HTTPChannel.parser_class = Parser
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)


def options(threads: int) -> "dict[str, Any]":
    return {
        "threads": threads,
        "backlog": BACKLOG,
        "connection_limit": BACKLOG,
        "channel_timeout": IDLE_S,
        "clear_untrusted_proxy_headers": False,
        "asyncore_use_poll": True,
    }
