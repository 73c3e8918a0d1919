"""flup's FastCGI server on a Unix socket in its front's folder, the two ending together."""

import contextlib
import signal
import socket
import threading
from typing import Any

from servers.fronts import Front


def serve_fastcgi(app: Any, running: Front, threads: int) -> None:
    """Until SIGTERM: then the front ends first, with all that it has begun, and flup after it.

    SystemExit when the front ends by itself.
    """
    from flup.server.fcgi import WSGIServer
    from flup.server.fcgi_base import FCGI_REQUEST_COMPLETE

    class Server(WSGIServer):  # type: ignore[misc]
        def _installSignalHandlers(self) -> None:  # it would end before its front
            pass

        def _restoreSignalHandlers(self) -> None:
            pass

        def _mainloopPeriodic(self) -> None:
            if running.process.poll() is not None:
                self._exit()

        def handler(self, request: Any) -> "tuple[int, int]":
            """flup ends a response that failed halfway like a whole one: this one breaks it off."""
            try:
                ended: tuple[int, int] = super().handler(request)
            except Exception:
                if not request.stdout.dataWritten:
                    raise
                request._conn._sock.shutdown(socket.SHUT_RDWR)
                return FCGI_REQUEST_COMPLETE, 1
            return ended

    address = str(running.folder / "app.sock")
    crew = {"minSpare": 1, "maxSpare": threads, "maxThreads": threads}
    server = Server(app, bindAddress=address, umask=0, **crew)
    # flup hangs up on a connection that finds no idle thread (a 502): here it waits for one.
    pool = server._threadPool
    add = pool.addJob
    pool.addJob = lambda job, allowQueuing: add(job)
    ending = _stop_on_signal(running)
    threading.Thread(target=_wake, args=(running, address), daemon=True).start()
    server.run()
    if not ending.is_set():
        running.wait()


def _stop_on_signal(running: Front) -> threading.Event:
    """SIGTERM and Ctrl-C end the front in a thread: flup has to serve on meanwhile."""
    ending = threading.Event()

    def stop(signum: int, frame: Any) -> None:
        if not ending.is_set():
            ending.set()
            threading.Thread(target=running.stop).start()

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, stop)
    return ending


def _wake(running: Front, address: str) -> None:
    """flup looks after its front once a second, or when a connection comes."""
    running.process.wait()
    with socket.socket(socket.AF_UNIX) as waker, contextlib.suppress(OSError):
        waker.connect(address)
