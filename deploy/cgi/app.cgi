#!/usr/bin/env python3
"""The app as a CGI program: a web server starts one process of it for each request.

To be run with the project's root in PYTHONPATH and the settings (ONEHOP_UPSTREAM …) in the
environment; deploy/lighttpd/cgi.conf and deploy/apache/cgi.conf say how to hand these on.
Unlike Bottle's own `run(server="cgi")` it reads a request body as it comes, not in full buffers.
"""

import sys
from wsgiref.handlers import BaseCGIHandler, read_environ

from proxy_app.wsgi import application


class Program(BaseCGIHandler):
    def cleanup_headers(self) -> None:
        """A web server does not tell a body that broke off from a whole one. The client does, by
        the end of the connection; but only where the length is known."""
        super().cleanup_headers()
        if not isinstance(self.result, list):
            self.headers["Connection"] = "close"


environ = {"PATH_INFO": "", **read_environ()}
# The web server has taken the chunks apart: the body is all that comes on standard input.
environ["wsgi.input_terminated"] = True
streams = (sys.stdin.buffer.raw, sys.stdout.buffer, sys.stderr)
Program(*streams, environ, multithread=False, multiprocess=True).run(application)
