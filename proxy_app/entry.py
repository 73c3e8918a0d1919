"""What a request must be before it is routed: its target, method, Host and framing. Pure.

Servers differ in what they let in; here all are made equal. What two hops could read differently is
a BadRequest: a target that is neither a path nor an http URL, two Host lines, HTTP/1.1 without any,
a length and chunks at once. A method is taken as it is written: `get` is another one than GET.
"""

from typing import Any

from proxy_app.faults import BadRequest
from proxy_app.targets import is_host, raw_path

Environ = dict[str, Any]


def admit(environ: Environ, prefix: str = "") -> None:
    """Check the request, set PATH_INFO to its raw path without our prefix. Raises BadRequest."""
    check_head(environ)
    environ["PATH_INFO"] = below(raw_path(environ), prefix)
    method: str = environ["REQUEST_METHOD"]
    if not method.isupper():
        environ["REQUEST_METHOD"] = f"({method})"  # Bottle would take `get` for GET


def check_head(environ: Environ) -> None:
    """Raises BadRequest."""
    host = environ.get("HTTP_HOST")
    if host:
        if not is_host(host):
            raise BadRequest("the Host header does not name one host")
    elif environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
        raise BadRequest("there is no Host header")
    if "HTTP_TRANSFER_ENCODING" in environ and environ.get("CONTENT_LENGTH"):
        raise BadRequest("a content length and a transfer coding exclude each other")


def below(path: str, prefix: str) -> str:
    """`path` without the prefix under which clients see the app, where nothing cut it off yet."""
    return path[len(prefix) :] if prefix and path.startswith(prefix + "/") else path
