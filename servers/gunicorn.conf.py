"""gunicorn settings that its command line cannot say on every version.

An unknown name in this file is passed over, an unknown option ends gunicorn: the control socket
came with a later version than Python 3.9 still gets.
"""

from pathlib import Path
from typing import Any

# The control socket lies under $HOME, one for all: several gunicorns on one machine fight for it.
control_socket_disable = True
# The heartbeat file on a disk can block a worker for seconds.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
# Seconds after SIGTERM for requests in flight; idle connections keep a worker as long.
graceful_timeout = 1
loglevel = "warning"
limit_request_line = 8190  # the most that it takes; by default a target ends at 4 kB


def post_fork(server: Any, worker: Any) -> None:
    """gevent's worker makes the app's own connections cooperative, meinheld's leaves that to us.

    tornado's worker is given the container that tornado by itself has here.
    """
    _refuse_codings()  # where an old gunicorn does not
    name = type(worker).__name__
    if name == "MeinheldWorker":
        from meinheld import patch
        from meinheld import server as loop

        patch.patch_all()
        loop.set_max_content_length(2**31 - 1)  # a longer body gets 413
    elif name == "TornadoWorker":
        from gunicorn.workers import gtornado  # type: ignore[import-untyped]

        from servers.tornado import container_class

        gtornado.WSGIContainer = container_class()


def _refuse_codings() -> None:
    """Before 26 gunicorn takes `identity` for no coding, and "\\x0bchunked" for chunks."""
    import gunicorn  # type: ignore[import-untyped]

    if gunicorn.version_info >= (26,):
        return
    from gunicorn.http.errors import InvalidHeader  # type: ignore[import-untyped]
    from gunicorn.http.message import Request  # type: ignore[import-untyped]
    from gunicorn.http.parser import RequestParser  # type: ignore[import-untyped]

    from servers.framing import framed, need

    need("gunicorn", Request, "set_body_reader")
    need("gunicorn", RequestParser, "mesg_class")

    class Strict(Request):  # type: ignore[misc]
        def set_body_reader(self) -> None:
            codings = [value for name, value in self.headers if name == "TRANSFER-ENCODING"]
            if codings and framed([], [value.encode("latin-1") for value in codings]):
                raise InvalidHeader("TRANSFER-ENCODING", req=self)
            super().set_body_reader()

    RequestParser.mesg_class = Strict
