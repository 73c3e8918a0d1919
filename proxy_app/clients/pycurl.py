"""libcurl, each transfer stepped by a multi handle of its own, so that bodies stream both ways.

A multi handle holds its connection, so idle handles are the pool; one whose socket has something to
read is none. Waiting is done by `select`, which gevent patches. libcurl hands over the head line by
line and the body as it came, chunks and all: both are read as strictly as by the other clients.
"""

import contextlib
import select
import socket
import time
from collections.abc import Iterator
from typing import Any, Optional

import pycurl

from proxy_app.body import Body
from proxy_app.clients import Answer, Stream
from proxy_app.faults import Fault, UpstreamFault, UpstreamTimeout
from proxy_app.framing import CHUNK
from proxy_app.gate import Patience
from proxy_app.headers import Pairs
from proxy_app.idle import Idle
from proxy_app.reader import Reader
from proxy_app.settings import Settings
from proxy_app.wire import REPEATABLE, authorities, readable, request_head

SMALL = CHUNK  # a body up to this size is read whole: its connection is free again at once
WAIT_S = 0.25  # the longest single wait: libcurl has timeouts of its own to look after
UNWANTED = (b"Accept:", b"User-Agent:", b"Expect:")  # libcurl would add them

CANNOT = {
    "refuses-folded-header": "libcurl unfolds it",
}


class Client:
    """A pool of handles to one upstream."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._root = f"{settings.upstream.scheme}://{settings.upstream.authority}"
        self._idle: Idle[Transfer] = Idle(settings.pool, Transfer.is_quiet)

    def exchange(self, method: str, target: str, headers: Pairs, body: Optional[Body]) -> Answer:
        """See clients.Client."""
        transfer = self._idle.take() or Transfer(self._settings)
        try:
            transfer.start(method, self._root, target, headers, body)
            transfer.run_until_headed()
            return self._answer(method, transfer)
        except BaseException:
            transfer.close()
            raise

    def _answer(self, method: str, transfer: "Transfer") -> Answer:
        def ended(complete: bool) -> None:
            self._idle.give(transfer, complete and not transfer.head.surplus)

        head = transfer.head
        bodiless = method == "HEAD" or head.status in (204, 304)
        body: Any
        if bodiless or transfer.done or (head.length is not None and head.length <= SMALL):
            body = b"".join(transfer.pieces())
            ended(True)
        else:
            body = Stream(transfer.pieces(), ended)
        return Answer(head.status, head.reason, head.pairs, head.length, body)


class Transfer:
    """An easy handle in a multi handle; serves one exchange after the other."""

    head: Reader

    def __init__(self, settings: Settings):
        self._settings = settings
        self._easy = pycurl.Curl()
        self._multi = pycurl.CurlMulti()
        self._socket = -1
        self.done = False

    def start(
        self, method: str, root: str, target: str, headers: Pairs, body: Optional[Body]
    ) -> None:
        """Set everything, send nothing yet."""
        self.head = Reader(head_only=method == "HEAD")
        self._patience = Patience(self._settings.read_timeout)
        self._error: Optional[BaseException] = None
        self._moved_s = time.monotonic()
        self.done = False
        authority = self._settings.upstream.authority
        lines = request_head(method, target, authority, headers, body).split(b"\r\n")[1:-2]
        easy = self._easy
        easy.reset()
        for option, value in self._options(root, target):
            easy.setopt(option, value)
        easy.setopt(pycurl.HTTPHEADER, [*UNWANTED, *lines])
        if method == "HEAD":
            easy.setopt(pycurl.NOBODY, 1)
        easy.setopt(pycurl.CUSTOMREQUEST, method)
        if body:
            easy.setopt(pycurl.UPLOAD, 1)
            easy.setopt(pycurl.INFILESIZE_LARGE, -1 if body.length is None else body.length)
            self._body = readable(body)
            easy.setopt(pycurl.READFUNCTION, self._read)
        if method not in REPEATABLE:
            easy.setopt(pycurl.FRESH_CONNECT, 1)  # libcurl repeats on a connection that was kept
        self._multi.add_handle(easy)

    def run_until_headed(self) -> None:
        """Raises a Fault, or what the request's body raises."""
        while not self.head.headed and not self.done:
            self._step()
        if not self.head.headed:
            raise UpstreamFault("the upstream closed the connection without an answer")

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes."""
        head = self.head
        while True:
            came, head.pieces = head.pieces, []
            yield from came
            if head.pieces:
                continue
            if head.done or self.done:
                break
            self._step()
        if not (head.done or head.endless):
            raise UpstreamFault("the upstream broke off in the middle of a body")
        while not self.done:  # libcurl has yet to see what the reader has
            self._step()

    def is_quiet(self) -> bool:
        """Nothing to read on its connection: libcurl itself would take it for the next answer."""
        if self._socket < 0:
            return True  # libcurl has closed it
        return not any(select.select([self._socket], [], [], 0))

    def close(self) -> None:
        with contextlib.suppress(pycurl.error):
            self._multi.remove_handle(self._easy)
        self._easy.close()
        self._multi.close()

    def _options(self, root: str, target: str) -> list[tuple[int, Any]]:
        settings = self._settings
        trusted = zip((pycurl.CAINFO, pycurl.CAPATH), authorities(settings.ca))
        return [
            (pycurl.URL, root + "/"),
            (pycurl.REQUEST_TARGET, target),
            (pycurl.NOPROXY, "*"),
            (pycurl.NOSIGNAL, 1),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.HTTP_TRANSFER_DECODING, 0),
            (pycurl.CONNECTTIMEOUT_MS, int(settings.connect_timeout * 1000)),
            (pycurl.BUFFERSIZE, CHUNK),
            (pycurl.UPLOAD_BUFFERSIZE, CHUNK),
            (pycurl.HEADERFUNCTION, self._take),
            (pycurl.WRITEFUNCTION, self._take),
            *((option, value) for option, value in trusted if value),
        ]

    def _step(self) -> None:
        """Let libcurl do what can be done; wait where nothing can."""
        self._moved = False
        self._multi.perform()
        _, ended, failed = self._multi.info_read()
        if self._error:
            raise _told(self._error, self.head.headed)
        if failed:
            raise _fault(failed[0][1], self.head.headed)
        if ended:
            self.done = True
            self._socket = self._easy.getinfo(pycurl.ACTIVESOCKET)
            self._multi.remove_handle(self._easy)
        elif self._moved:
            self._moved_s = time.monotonic()
        else:
            self._wait()

    def _wait(self) -> None:
        while not self._moved:
            if time.monotonic() - self._moved_s > self._settings.read_timeout:
                raise UpstreamTimeout("the upstream did not answer in time")
            timeout = self._multi.timeout() / 1000
            wait = min(WAIT_S, timeout) if timeout >= 0 else WAIT_S
            readers, writers, others = self._multi.fdset()
            if readers or writers or others:
                ready = any(select.select(readers, writers, others, wait))
            else:  # a name is being looked up
                time.sleep(min(wait, 0.01))
                ready = False
            if ready or timeout >= 0:  # or libcurl wants to look at its own clock
                return

    def _read(self, size: int) -> "bytes | int":
        self._moved = True
        try:
            return self._body.read(size)
        except BaseException as error:
            self._error = error
            return int(pycurl.READFUNC_ABORT)

    def _take(self, data: bytes) -> Optional[int]:
        """A line of the head, or a piece of the body in its chunks."""
        head, self._moved = self.head, True
        headed = head.headed
        try:
            head.feed(data)
            self._patience.see(bool(head.pieces) or head.headed is not headed)
        except (ValueError, OSError) as error:
            self._error = error
            return -1
        return None


def _told(error: BaseException, headed: bool) -> BaseException:
    """What a callback met, in the words of a Fault where it came from the upstream."""
    if isinstance(error, socket.timeout):
        return UpstreamTimeout("the upstream did not answer in time")
    if isinstance(error, ValueError):
        what = "broke off in the middle of a body" if headed else "answered with what is not HTTP"
        return UpstreamFault(f"the upstream {what}")
    return error


def _fault(code: int, headed: bool) -> Fault:
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return UpstreamTimeout("the upstream could not be reached in time")
    if headed:
        return UpstreamFault("the upstream broke off in the middle of a body")
    return UpstreamFault("the upstream could not be asked")
