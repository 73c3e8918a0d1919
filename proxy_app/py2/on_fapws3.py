"""fapws3: what Bottle's adapter would do if it did not fail in Bottle's own `depr()`.

fapws3 lets a program bring its own base module. This one keeps repeated response headers, which
fapws3's own puts into a dict, and knows all methods; the body of one but POST never arrives.
"""

import socket
import sys

import fapws._evwsgi as evwsgi
from fapws import base

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


ORIGINAL = base.Start_response


class StartResponse(ORIGINAL):
    pairs = ()

    def __call__(self, status, headers, exc_info=None):
        ORIGINAL.__call__(self, status, [], exc_info)
        self.pairs = headers

    def __str__(self):
        lines = ["HTTP/1.0 %s %s" % (self.status_code, self.status_reasons)]
        lines += ["%s: %s" % pair for pair in self.response_headers.items()]
        lines += ["%s: %s" % pair for pair in self.pairs]
        return "\r\n".join(lines) + "\r\n\r\n"


def serve(app, host, port, backlog):
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((host, port))  # fapws3 ends without a word
    except socket.error as error:
        sys.stderr.write("cannot listen on %s:%d: %s\n" % (host, port, error.strerror))
        return 1
    finally:
        probe.close()

    def wsgi(environ, start_response):
        target = environ["fapws.uri"]
        environ["REQUEST_URI"] = target
        environ["QUERY_STRING"] = target.partition("?")[2]  # fapws3's own holds the path too
        environ["CONTENT_LENGTH"] = environ.get("HTTP_CONTENT_LENGTH", "")  # an int, or missing
        environ["wsgi.url_scheme"] = "http"
        environ["wsgi.multiprocess"] = False
        return app(environ, start_response)

    base.Start_response = StartResponse
    base.supported_HTTP_command = METHODS
    evwsgi.start(host, str(port))
    evwsgi.set_base_module(base)
    evwsgi.wsgi_cb(("", wsgi))
    evwsgi.run()
    return 0
