"""One kept-alive connection to the upstream: both servers call the app one request at a time.

Whole bodies both ways. A request that a closing connection may have swallowed is sent again only
where that changes nothing.
"""

import re
import select
import socket

import httplib

LINE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*\r\n$")

REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))


class Fault(Exception):
    """`status` is what the client gets."""

    def __init__(self, status, message):
        Exception.__init__(self, message)
        self.status = status


class Upstream(object):
    def __init__(self, host, port, connect_timeout, read_timeout):
        self._address = (host, port)
        self._timeouts = (connect_timeout, read_timeout)
        self._connection = None

    def exchange(self, method, target, headers, body):
        """(status, reason, header pairs, body). Raises Fault 502 or 504."""
        if self._connection and select.select([self._connection.sock], [], [], 0)[0]:
            self._drop()  # closed, or it holds what nobody asked for
        kept = self._connection is not None
        try:
            return self._attempt(method, target, headers, body)
        except (httplib.BadStatusLine, socket.error) as error:
            if isinstance(error, socket.timeout):
                raise Fault(504, "the upstream did not answer in time")
            if not kept or method not in REPEATABLE:
                raise Fault(502, "the upstream closed the connection without an answer")
        try:
            return self._attempt(method, target, headers, body)
        except socket.timeout:
            raise Fault(504, "the upstream did not answer in time")
        except (httplib.HTTPException, socket.error):
            raise Fault(502, "the upstream's answer was broken")

    def _attempt(self, method, target, headers, body):
        if self._connection is None:
            self._connect()
        connection = self._connection
        try:
            # One packet: httplib would ask for a delayed acknowledgement between head and body.
            connection.sock.sendall(_head(method, target, headers, body) + (body or ""))
            response = httplib.HTTPResponse(connection.sock, method=method, strict=True)
            response.begin()
            _check(response)
            answer = response.read()
        except BaseException as error:
            self._drop()
            if isinstance(error, httplib.HTTPException):
                if isinstance(error, httplib.BadStatusLine):
                    raise
                raise Fault(502, "the upstream's answer was broken")
            raise
        if response.will_close:
            self._drop()
        pairs = [_pair(line) for line in response.msg.headers]
        return response.status, response.reason, pairs, answer

    def _connect(self):
        connect_timeout, read_timeout = self._timeouts
        connection = httplib.HTTPConnection(*self._address, timeout=connect_timeout)
        try:
            connection.connect()
        except socket.timeout:
            raise Fault(504, "the upstream could not be reached in time")
        except socket.error:
            raise Fault(502, "the upstream could not be reached")
        connection.sock.settimeout(read_timeout)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection

    def _drop(self):
        self._connection.close()
        self._connection = None


def _check(response):
    """httplib takes nearly anything for a head. Raises httplib.HTTPException."""
    lines = response.msg.headers
    names = [line.partition(":")[0].lower() for line in lines]
    codings = [
        _pair(line)[1].lower() for line in lines if line[:18].lower() == "transfer-encoding:"
    ]
    lengths = [_pair(line)[1] for line in lines if line[:15].lower() == "content-length:"]
    framed = codings in ([], ["chunked"]) and len(lengths) < 2 and not (codings and lengths)
    digits = all(length.isdigit() and len(length) < 19 for length in lengths)
    good = all(map(LINE.match, lines)) and not response.msg.status and len(names) <= 200
    if not (good and framed and digits and 200 <= response.status < 600):
        raise httplib.HTTPException("the answer is not HTTP")


def _head(method, target, headers, body):
    lines = ["%s %s HTTP/1.1" % (method, target)]
    lines += ["%s: %s" % pair for pair in headers]
    if body is not None or method in ("POST", "PUT", "PATCH"):
        lines.append("Content-Length: %d" % len(body or ""))
    if any("\r" in line or "\n" in line for line in lines):
        raise Fault(400, "a header holds a line break")
    return "\r\n".join(lines) + "\r\n\r\n"


def _pair(line):
    name, _, value = line.partition(":")
    return name.strip(), value.strip()
