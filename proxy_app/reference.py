"""wsgiref, the standard library's reference server, without what it invents.

By itself it tells the app of a Content-Type where the client sent none, takes `If_Match` for
If-Match, joins cookies with a comma, keeps the client's own target to itself, and gives a 204, a
304 and the answer to HEAD a Content-Length of 0.
"""

from typing import Any
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler

_LINE = 65536


class Handler(WSGIRequestHandler):
    """Quiet: ONEHOP_ACCESS_LOG=1 writes a better log."""

    disable_nagle_algorithm = True  # head and body leave in two writes

    def get_environ(self) -> dict[str, Any]:
        for name in {name for name in self.headers if "_" in name}:
            del self.headers[name]
        cookies = self.headers.get_all("cookie", ())
        # not self.path, in which `//` has become one slash
        environ = {**super().get_environ(), "REQUEST_URI": self.requestline.split()[1]}
        if "content-type" not in self.headers:
            environ["CONTENT_TYPE"] = ""
        if len(cookies) > 1:
            environ["HTTP_COOKIE"] = "; ".join(cookies)
        return environ

    def handle(self) -> None:
        """As WSGIRequestHandler's, with a handler of our own."""
        self.raw_requestline = self.rfile.readline(_LINE + 1)
        if len(self.raw_requestline) > _LINE:
            self.requestline = self.request_version = self.command = ""
            self.send_error(414)
            return
        if not self.parse_request():
            return
        answer: Any = _Answer
        handler = answer(
            self.rfile, self.wfile, self.get_stderr(), self.get_environ(), multithread=False
        )
        handler.request_handler = self  # for its log
        handler.run(self.server.get_app())  # type: ignore[attr-defined]

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Answer(ServerHandler):
    environ: dict[str, Any]
    headers_sent: bool
    status: str

    def set_content_length(self) -> None:
        if not self._bodiless():
            super().set_content_length()

    def finish_content(self) -> None:
        if self._bodiless() and not self.headers_sent:
            self.send_headers()
        else:
            super().finish_content()

    def _bodiless(self) -> bool:
        return self.environ["REQUEST_METHOD"] == "HEAD" or self.status[:3] in ("204", "304")
