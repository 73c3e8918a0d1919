"""diesel: what Bottle's adapter would do if it did not fail in Bottle's own `depr()`.

diesel's own WSGI module listens on every interface and adds its headers to the app's: this one
builds the response from the app's alone. TCP_NODELAY is inherited from the listening socket.
"""

import functools
import logging
import signal
import socket
import sys

from diesel import Application, Service
from diesel.protocols.http import HttpServer, Response

LEAVE_S = 0.3  # for what is in the event loop's hands when SIGTERM comes


class Listener(Service):
    def bind_and_listen(self):
        Service.bind_and_listen(self)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handle_cannot_bind(self, reason):
        sys.stderr.write("cannot listen on %s:%d: %s\n" % (self.iface, self.port, reason))
        raise SystemExit(1)


def serve(app, host, port, backlog):
    logging.getLogger().setLevel(logging.ERROR)
    application = Application()
    service = Listener(HttpServer(functools.partial(respond, app)), port, host)
    service.LQUEUE_SIZ = backlog
    application.add_service(service)

    def stop(signum, frame):
        application.hub.call_later(LEAVE_S, application.halt)

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, stop)
        signal.siginterrupt(signum, False)  # the upstream's answer in flight is not disturbed
    application.run()
    return 0


def respond(app, request):
    """diesel's Request -> its Response."""
    environ = request.environ
    noted = []
    environ["REQUEST_URI"] = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    body = app(environ, lambda status, headers, exc_info=None: noted.append((status, headers)))
    status, headers = noted[-1]
    if environ["REQUEST_METHOD"] == "HEAD":
        body = []
    result = Response(body)
    result.headers.clear()
    result.status = status
    for name, value in headers:
        result.headers.add(name, value)
    return result
