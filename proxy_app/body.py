"""The client's request body, out of `wsgi.input`, in pieces, and no further than it goes.

Bottle's request.body is not used: it buffers, and it decodes chunks whenever Transfer-Encoding
stands in the environ, although most servers have decoded them by then (they answer 400 with it).
How a chunked body ends is the server's matter, and PEP 3333 does not say. ONEHOP_CHUNKED says it:

auto     the server announces `wsgi.input_terminated`: read to the end. Otherwise 411
decoded  the server decodes but announces nothing: read to the end
raw      the server hands over the chunks as they came (wsgiref): decode them here
refuse   411, always
"""

from collections.abc import Iterator
from typing import Any, Callable, NamedTuple, Optional

from proxy_app.faults import BadRequest, Fault, LengthRequired, TooLarge
from proxy_app.framing import CHUNK, content_length, decode_chunks, read_exactly


class Body(NamedTuple):
    """`length` None: sent on as chunked. `pieces` raises a Fault when the client breaks off."""

    length: Optional[int]
    pieces: Iterator[bytes]


def request_body(environ: dict[str, Any], chunked: str, max_body: int) -> Optional[Body]:
    """The body of this request, None where it has none.

    Raises BadRequest, TooLarge, LengthRequired.
    """
    coding = environ.get("HTTP_TRANSFER_ENCODING")
    declared = environ.get("CONTENT_LENGTH")
    if coding:
        return Body(None, _limited(_chunked(environ, coding, declared, chunked), max_body))
    if not declared or declared == "0":
        return None
    length = declared_length(declared, max_body)
    return Body(length, _from_client(read_exactly(environ["wsgi.input"].read, length)))


def declared_length(declared: str, max_body: int) -> int:
    """What a Content-Length says, in bytes. Raises BadRequest, TooLarge."""
    try:
        length = content_length(declared)
    except ValueError:
        raise BadRequest("the content length is not a number") from None
    check_size(length, max_body)
    return length


def check_size(length: int, max_body: int) -> None:
    """Raises TooLarge; there is no limit where `max_body` is 0."""
    if length > max_body > 0:
        raise TooLarge(f"the body is over the limit of {max_body} bytes")


def _chunked(
    environ: dict[str, Any], coding: str, declared: Optional[str], mode: str
) -> Iterator[bytes]:
    if coding.strip().lower() != "chunked":
        raise BadRequest("only the transfer coding 'chunked' is understood")
    source = environ["wsgi.input"]
    if mode == "raw":
        if declared:
            raise BadRequest("a content length and chunks exclude each other")
        return _from_client(decode_chunks(source))
    if mode == "decoded" or (mode == "auto" and environ.get("wsgi.input_terminated")):
        return _from_client(_to_the_end(source.read))
    raise LengthRequired("this server does not take chunked bodies; send a content length")


def _to_the_end(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while True:
        piece = read(CHUNK)
        if not piece:
            return
        yield piece


def _limited(pieces: Iterator[bytes], max_body: int) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        check_size(total, max_body)
        yield piece


def _from_client(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Whatever goes wrong while reading is the client's end of the matter, never the upstream's."""
    try:
        yield from pieces
    except Fault:
        raise
    except Exception as error:
        # gunicorn's parser has exceptions of its own kind; what is Python's own is a fault of ours
        if type(error).__module__ == "builtins" and not isinstance(error, (OSError, ValueError)):
            raise
        raise BadRequest("the request body could not be read to its end") from error
