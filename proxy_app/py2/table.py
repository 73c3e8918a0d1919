"""The route table in Python 2, which has no TOML: the subset that routes.toml is written in.

A route is one line `name = { key = value, ... }`, a header list is `name = [ ... ]`; every value is
a string or a list of strings, and so JSON too.
"""

import io
import json
import re

_ROUTE = re.compile(r"(?m)^([\w-]+)\s*=\s*\{(.*)\}\s*$")
_KEY = re.compile(r"(\w+)\s*=\s*(\[[^\]]*\]|\"[^\"]*\")")
_LIST = re.compile(r"(?ms)^(request|response)\s*=\s*(\[.*?\])")


def load_table(path):
    """([{"name", "methods", "public", "upstream" or "redirect"}, ...], {"request", "response"})."""
    with io.open(path, encoding="utf-8") as source:
        text = source.read()
    routes = []
    for name, entry in _ROUTE.findall(text):
        route = dict((key, _plain(value)) for key, value in _KEY.findall(entry))
        route["name"] = str(name)
        routes.append(route)
    return routes, dict((str(key), _plain(value)) for key, value in _LIST.findall(text))


def _plain(text):
    """JSON allows no comma before the bracket; byte strings are what WSGI wants in Python 2."""
    value = json.loads(re.sub(r",\s*\]", "]", text))
    return [str(one) for one in value] if isinstance(value, list) else str(value)
