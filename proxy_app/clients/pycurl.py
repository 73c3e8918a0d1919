"""libcurl, each transfer stepped by a multi handle of its own, so that bodies stream both ways.

A multi handle holds its connection, so idle handles are the pool. Waiting is done by
`select`, which gevent patches. libcurl hands the head over line by line, and it is read as strictly
as the other clients read it.
"""

import contextlib
import select
import ssl
import time
from collections.abc import Iterator
from typing import Any, Optional

import pycurl

from proxy_app.body import Body
from proxy_app.clients import Answer, Stream
from proxy_app.faults import Fault, UpstreamFault, UpstreamTimeout
from proxy_app.framing import CHUNK
from proxy_app.headers import Pairs
from proxy_app.idle import Idle
from proxy_app.reader import Reader
from proxy_app.settings import Settings
from proxy_app.wire import REPEATABLE, readable, request_head

SMALL = CHUNK  # a body up to this size is read whole: its connection is free again at once
WAIT_S = 0.25  # the longest single wait: libcurl has timeouts of its own to look after
UNWANTED = (b"Accept:", b"User-Agent:", b"Expect:")  # libcurl would add them

CANNOT = {
    "refuses-folded-header": "libcurl unfolds it",
    "refuses-bad-chunk-size": "libcurl skips what follows a chunk's size",
    "refuses-bare-lf-chunk-size": "libcurl reads a chunk's size up to LF",
    "refuses-long-extension": "libcurl skips what follows a chunk's size",
    "drops-what-is-out-of-step": "libcurl drops what came with a chunked body's end",
}


class Client:
    """A pool of handles to one upstream."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._root = f"{settings.upstream.scheme}://{settings.upstream.authority}"
        self._idle: Idle[Transfer] = Idle(settings.pool, lambda _: True)  # libcurl looks itself

    def exchange(self, method: str, target: str, headers: Pairs, body: Optional[Body]) -> Answer:
        """See clients.Client."""
        transfer = self._idle.take() or Transfer(self._settings)
        try:
            transfer.start(method, self._root, target, headers, body)
            transfer.run_until_headed()
            return self._answer(method, transfer)
        except BaseException as error:
            transfer.close()
            if isinstance(error, ValueError):
                raise UpstreamFault("the upstream's answer was broken") from error
            raise

    def _answer(self, method: str, transfer: "Transfer") -> Answer:
        def ended(complete: bool) -> None:
            self._idle.give(transfer, complete)

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
        self.done = False

    def start(
        self, method: str, root: str, target: str, headers: Pairs, body: Optional[Body]
    ) -> None:
        """Set everything, send nothing yet."""
        self.head = Reader(head_only=True)
        self._lines: list[bytes] = []
        self._came: list[bytes] = []
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
        while True:
            came, self._came = self._came, []
            yield from came
            if self.done and not self._came:
                return
            if not self._came:
                self._step()

    def close(self) -> None:
        with contextlib.suppress(pycurl.error):
            self._multi.remove_handle(self._easy)
        self._easy.close()
        self._multi.close()

    def _options(self, root: str, target: str) -> list[tuple[int, Any]]:
        settings = self._settings
        paths = ssl.get_default_verify_paths()
        trusted = [(pycurl.CAINFO, str(settings.ca or paths.cafile or ""))]
        if not settings.ca and paths.capath:
            trusted.append((pycurl.CAPATH, paths.capath))
        return [
            (pycurl.URL, root + "/"),
            (pycurl.REQUEST_TARGET, target),
            (pycurl.NOPROXY, "*"),
            (pycurl.NOSIGNAL, 1),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.CONNECTTIMEOUT_MS, int(settings.connect_timeout * 1000)),
            (pycurl.BUFFERSIZE, CHUNK),
            (pycurl.UPLOAD_BUFFERSIZE, CHUNK),
            (pycurl.HEADERFUNCTION, self._header),
            (pycurl.WRITEFUNCTION, self._write),
            *((option, value) for option, value in trusted if value),
        ]

    def _step(self) -> None:
        """Let libcurl do what can be done; wait where nothing can."""
        self._moved = False
        self._multi.perform()
        _, ended, failed = self._multi.info_read()
        if self._error:
            raise self._error
        if failed:
            raise _fault(failed[0][1], self.head.headed)
        if ended:
            self.done = True
            self._multi.remove_handle(self._easy)
        elif self._moved:
            self._moved_s = time.monotonic()
        else:
            self._wait()

    def _wait(self) -> None:
        while not self._moved:
            timeout = self._multi.timeout() / 1000
            wait = min(WAIT_S, timeout) if timeout >= 0 else WAIT_S
            readers, writers, others = self._multi.fdset()
            if readers or writers or others:
                ready = any(select.select(readers, writers, others, wait))
            else:  # a name is being looked up
                time.sleep(min(wait, 0.01))
                ready = False
            if ready:
                return
            if time.monotonic() - self._moved_s > self._settings.read_timeout:
                raise UpstreamTimeout("the upstream did not answer in time")
            if timeout >= 0:  # libcurl wants to look at its own clock
                return

    def _read(self, size: int) -> "bytes | int":
        self._moved = True
        try:
            return self._body.read(size)
        except BaseException as error:
            self._error = error
            return int(pycurl.READFUNC_ABORT)

    def _header(self, line: bytes) -> None:
        self._moved = True
        self._lines.append(line)
        if line not in (b"\r\n", b"\n") or self.head.headed:  # headed: a trailer's end
            return
        try:
            self.head.feed(b"".join(self._lines))
        except ValueError as error:
            self._error = error
        self._lines = []

    def _write(self, data: bytes) -> None:
        self._moved = True
        self._came.append(data)


def _fault(code: int, headed: bool) -> Fault:
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return UpstreamTimeout("the upstream could not be reached in time")
    if headed:
        return UpstreamFault("the upstream broke off in the middle of a body")
    return UpstreamFault("the upstream could not be asked")
