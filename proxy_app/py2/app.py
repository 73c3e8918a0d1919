"""The API proxy on Python 2: app.py of the parent package in small."""

import json
import os
import random
import re
import socket
import urllib

import urlparse
from bottle import Bottle, HTTPError, request, response

from proxy_app.py2.table import load_table
from proxy_app.py2.upstream import Fault, Upstream

HEAD = "onehop.head"
ID = "onehop.request_id"
ROUTES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "routes.toml")
MESSAGES = {404: "no such path", 405: "this path does not take that method"}
SAFE = "/~!$&'()*+,;=:@"
NOT_IN_URI = re.compile(r"[^!-~]|#")
ABSOLUTE = re.compile(r"(?i)^https?://[^/?@]+(?=[/?]|$)")
CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
OVERLONG = re.compile("[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]")
HOST = re.compile(r"([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{0,5}))?$")


class SettingsError(Exception):
    """A wrong setting, in one line."""


class Settings(object):
    def __init__(self, environ):
        text = environ.get("ONEHOP_UPSTREAM", "")
        url = urlparse.urlsplit(text)
        if url.scheme != "http" or not url.hostname:
            raise SettingsError(
                "ONEHOP_UPSTREAM=%r is wrong; write an http base URL such as http://127.0.0.1:9000"
                % text
            )
        self.host, self.port = url.hostname, url.port or 80
        self.authority, self.base = url.netloc, url.path.rstrip("/")
        self.authorize_url = environ.get("ONEHOP_AUTHORIZE_URL", "")
        self.routes = environ.get("ONEHOP_ROUTES") or ROUTES
        self.connect_timeout = float(environ.get("ONEHOP_CONNECT_TIMEOUT") or 2)
        self.read_timeout = float(environ.get("ONEHOP_READ_TIMEOUT") or 30)
        self.max_body = int(environ.get("ONEHOP_MAX_BODY") or 2**31)


def create_app(environ):
    """The WSGI callable for these settings. Raises SettingsError."""
    settings = Settings(environ)
    routes, headers = load_table(settings.routes)
    proxy = Proxy(settings, routes, headers)
    app = Bottle()
    app.uninstall(True)
    for route in sorted(routes, key=literal_first):
        if "upstream" in route:
            app.route(route["public"], route["methods"], proxy.forward(route["upstream"]))
        elif settings.authorize_url:
            app.route(route["public"], route["methods"], proxy.authorize)
    app.route("/healthz", "GET", healthz)
    app.default_error_handler = json_error
    return as_it_came(app)


def literal_first(route):
    """As routes.literal_first."""
    return [segment.startswith("<") for segment in route["public"].split("/")]


class Proxy(object):
    def __init__(self, settings, routes, headers):
        self.settings = settings
        self.upstream = Upstream(
            settings.host, settings.port, settings.connect_timeout, settings.read_timeout
        )
        self.request_names = [(_key(name), name) for name in headers["request"]]
        self.response_names = frozenset(name.lower() for name in headers["response"])
        self.back = [
            (_pattern(settings.base + route["upstream"]), _template(route["public"]))
            for route in routes
            if "upstream" in route
        ]

    def forward(self, upstream):
        """The handler of a route that leads to `upstream`."""
        template = _template(self.settings.base + upstream)

        def handle(**parameters):
            environ = request.environ
            try:
                if any(_climbs(segment) for segment in parameters.values()):
                    raise Fault(404, "no such path")
                target = with_query(template % parameters, environ)
                body = read_body(environ, self.settings.max_body)
                headers = self.request_headers(environ)
                method = environ["REQUEST_METHOD"]
                status, reason, pairs, answer = self.upstream.exchange(
                    method, target, headers, body
                )
            except Fault as fault:
                error = HTTPError(fault.status, str(fault))
                error.fault = str(fault)
                raise error
            line = "%d %s" % (status, reason or "Unknown")
            return reply(environ, line, self.public(pairs, target, method, status, answer), answer)

        return handle

    def authorize(self):
        url = with_query(self.settings.authorize_url, request.environ)
        return reply(request.environ, "302 Found", [("Location", url), ("Content-Length", "0")], "")

    def request_headers(self, environ):
        """Client -> upstream: the listed ones, and the proxy's own."""
        named = _named(environ.get("HTTP_CONNECTION", ""))
        pairs = [("Host", self.settings.authority)]
        for key, name in self.request_names:
            value = environ.get(key) or environ.get("HTTP_" + key)  # fapws3: HTTP_CONTENT_TYPE
            if value and name.lower() not in named:
                pairs.append((name, value))
        address = environ.get("REMOTE_ADDR") or "unknown"
        known = environ.get("HTTP_X_FORWARDED_FOR")
        pairs.append(("X-Forwarded-For", "%s, %s" % (known, address) if known else address))
        pairs.append(("X-Forwarded-Proto", "http"))
        via = environ.get("HTTP_VIA")
        pairs.append(("Via", via + ", 1.1 onehop" if via else "1.1 onehop"))
        if environ.get("HTTP_HOST"):
            pairs.append(("X-Forwarded-Host", environ["HTTP_HOST"]))
        pairs.append(("X-Request-Id", request_id(environ)))
        return pairs

    def public(self, pairs, target, method, status, answer):
        """Upstream -> client: the listed ones, without a URL of the upstream."""
        named = set()
        declared = str(len(answer))
        for name, value in pairs:
            if name.lower() == "connection":
                named |= _named(value)
            elif name.lower() == "content-length" and method == "HEAD":
                declared = value
        result = []
        for name, value in pairs:
            kind = name.lower()
            if kind not in self.response_names or kind in named:
                continue
            if kind in ("location", "content-location"):
                value = self.public_url(value, target)
            if value is not None:
                result.append((name, value))
        if status not in (204, 304):
            result.append(("Content-Length", declared))
        result.append(("Via", "1.1 onehop"))
        return result

    def public_url(self, location, target):
        """None for one that would show the upstream's address."""
        own = "http://" + self.settings.authority
        url = urlparse.urlsplit(urlparse.urljoin(own + target, location))
        if url.hostname != self.settings.host:
            return location
        if (url.port or 80) != self.settings.port:
            return None
        for pattern, template in self.back:
            match = pattern.match(url.path)
            if match:
                query = "?" + url.query if url.query else ""
                return template % match.groupdict() + query
        return None


def read_body(environ, limit):
    """The whole body, None where there is none. Raises Fault."""
    declared = environ.get("CONTENT_LENGTH") or environ.get("HTTP_CONTENT_LENGTH")
    if environ.get("HTTP_TRANSFER_ENCODING"):
        body = environ["wsgi.input"].read()
        if not body:
            raise Fault(411, "this server does not take chunked bodies; send a content length")
    elif not declared or declared == "0":
        return None
    elif not declared.isdigit():
        raise Fault(400, "the content length is not a number")
    else:
        body = environ["wsgi.input"].read(int(declared))
        if len(body) != int(declared):
            raise Fault(400, "the request body could not be read to its end")
    if len(body) > limit > 0:
        raise Fault(413, "the body is over the limit of %d bytes" % limit)
    return body


def healthz():
    body = '{"status": "ok"}\n'
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return reply(request.environ, "200 OK", headers, body)


def json_error(error):
    known = request_id(request.environ)
    message = getattr(error, "fault", None) or MESSAGES.get(error.status_code) or "internal error"
    allowed = error.headers.get("Allow", "").split(",")
    if "GET" in allowed and "HEAD" not in allowed:
        response.set_header("Allow", ",".join(sorted(allowed + ["HEAD"])))
    response.content_type = "application/json"
    response.set_header("X-Request-Id", known)
    return json.dumps({"error": message, "request_id": known})


def reply(environ, line, headers, body):
    environ[HEAD] = (line, headers + [("X-Request-Id", request_id(environ))])
    return body


def request_id(environ):
    known = environ.get(ID)
    if known is None:
        known = environ.get("HTTP_X_REQUEST_ID", "")
        if not re.match(r"[A-Za-z0-9._-]{1,128}$", known):
            known = "%016x" % random.getrandbits(64)
        environ[ID] = known
    return known


def with_query(url, environ):
    query = environ.get("QUERY_STRING")
    if not query:
        return url
    return url + ("&" if "?" in url else "?") + only_ascii(query)


def only_ascii(text):
    return NOT_IN_URI.sub(lambda match: urllib.quote(match.group()), text)


def as_it_came(app):
    """Route by the client's own spelling of the path; answer with the head that was noted.

    The body is one string in a list: neither server takes anything else apart.
    """

    def wsgi(environ, start_response):
        target = environ.get("REQUEST_URI") or ""
        try:
            admit(environ, target)
        except Fault as fault:
            return refuse(fault, environ, start_response)
        raw = ABSOLUTE.sub("", target).partition("?")[0]
        path = environ.get("PATH_INFO") or "/"
        environ["PATH_INFO"] = only_ascii(raw) if raw.startswith("/") else urllib.quote(path, SAFE)

        def start(status, headers, exc_info=None):
            if exc_info is None and HEAD in environ:
                status, headers = environ[HEAD]
            return start_response(status, headers)

        answer = app(environ, start)
        try:
            return ["".join(answer)]
        finally:
            if hasattr(answer, "close"):
                answer.close()

    return wsgi


def _key(name):
    key = name.upper().replace("-", "_")
    return key if key == "CONTENT_TYPE" else "HTTP_" + key


def _named(connection):
    return set(name.strip().lower() for name in connection.split(","))


def _climbs(segment):
    """As targets.climbs, of which this is the most."""
    for _ in range(6):
        plain = urllib.unquote(segment)
        if plain == segment:
            break
        segment = plain
    else:
        return True
    if CONTROLS.search(segment) or OVERLONG.search(segment):
        return True
    names = [re.split("[;?#]", part)[0].strip() for part in segment.replace("\\", "/").split("/")]
    return "." in names or ".." in names


def admit(environ, raw):
    """As entry.admit, for what these servers tell. Raises Fault."""
    if CONTROLS.search(raw) or "#" in raw or "\\" in raw.partition("?")[0]:
        raise Fault(400, "the request target holds what no target may hold")
    host = environ.get("HTTP_HOST")
    if host and not is_host(host):
        raise Fault(400, "the Host header does not name one host")
    if not host and environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
        raise Fault(400, "there is no Host header")
    if not environ["REQUEST_METHOD"].isupper():
        raise Fault(405, "this path does not take that method")


def is_host(authority):
    """As targets.is_host."""
    match = HOST.match(authority)
    if not match or int(match.group(2) or 0) > 65535:
        return False
    try:
        return match.group(1)[0] != "[" or bool(
            socket.inet_pton(socket.AF_INET6, match.group(1)[1:-1])
        )
    except socket.error:
        return False


def refuse(fault, environ, start_response):
    """The JSON error for a request that Bottle must not see."""
    body = json.dumps({"error": str(fault), "request_id": request_id(environ)})
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    reason = "Bad Request" if fault.status == 400 else "Method Not Allowed"
    start_response("%d %s" % (fault.status, reason), headers)
    return [body]


def _template(path):
    return re.sub(r"<([a-z_]+)>", r"%(\1)s", path)


def _pattern(path):
    parts = re.split(r"<([a-z_]+)>", path)
    pieces = ["(?P<%s>[^/]+)" % p if i % 2 else re.escape(p) for i, p in enumerate(parts)]
    return re.compile("".join(pieces) + "$")
