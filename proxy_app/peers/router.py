"""Public paths -> routes, as Bottle routes them: a literal segment before a parameter. Pure.

A tree of dicts with a level per segment: three look-ups find what a list of patterns would search.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from proxy_app.faults import Fault, NotFound
from proxy_app.routes import Route

_ANY, _ROUTES = "<>", "\0routes"


class WrongMethod(Fault):
    """The path is there, for other methods."""

    status = 405

    def __init__(self, allow: str):
        super().__init__("this path does not take that method")
        self.allow = allow


class Router:
    """Finds the route of a method and a raw path."""

    def __init__(self, routes: Iterable[Route]):
        self._tree: dict[str, Any] = {}
        for route in routes:
            node = self._tree
            for segment in route.public.split("/"):
                node = node.setdefault(_ANY if segment.startswith("<") else segment, {})
            methods = node.setdefault(_ROUTES, {})
            for method in route.methods:
                methods[method] = route

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and its parameters, still percent-encoded. Raises NotFound, WrongMethod."""
        segments = path.split("/")
        route = _walk(self._tree, segments, 0, method)
        if route is None and method == "HEAD":
            route = _walk(self._tree, segments, 0, "GET")
        if route is None:
            raise self._fault(segments)
        names = route.public.split("/")
        pairs = zip(names, segments)
        return route, {name[1:-1]: value for name, value in pairs if name.startswith("<")}

    def _fault(self, segments: list[str]) -> Fault:
        allowed = set(_methods(self._tree, segments, 0))
        if not allowed:
            return NotFound("no such path")
        return WrongMethod(",".join(sorted(allowed | {"HEAD"} if "GET" in allowed else allowed)))


def _walk(node: "dict[str, Any]", segments: "list[str]", depth: int, method: str) -> "Route | None":
    """The first that takes this method: another path may fit too, for other ones."""
    if depth == len(segments):
        routes: dict[str, Route] = node.get(_ROUTES, {})
        return routes.get(method)
    segment = segments[depth]
    for key in (segment, _ANY) if segment else (segment,):
        if key in node and key != _ROUTES:
            found = _walk(node[key], segments, depth + 1, method)
            if found is not None:
                return found
    return None


def _methods(node: "dict[str, Any]", segments: "list[str]", depth: int) -> "Iterator[str]":
    """Of all that fit."""
    if depth == len(segments):
        yield from node.get(_ROUTES, ())
        return
    segment = segments[depth]
    for key in (segment, _ANY) if segment else (segment,):
        if key in node and key != _ROUTES:
            yield from _methods(node[key], segments, depth + 1)
