"""A path segment that `climbs` lets pass stays where it is, whoever resolves the path, however
often they decode it before: POSIX and Windows file names, urllib3, yarl, the standard library."""

import ntpath
import posixpath
import re
from collections.abc import Callable
from urllib.parse import unquote, urljoin, urlsplit

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url
from yarl import URL

from proxy_app.targets import climbs, only_ascii

WORDS = (
    *(b"..", b".", b"%2e", b"%252e", b"%2F", b"%5c", b"\\", b";", b"%3b", b"%00", b"%20", b"%09"),
    *(b"%c0%ae", b"%u002e", b"%ef%bc%8e", b"%ef%bc%8f", b"%25", b"%2525", b"%", b"x", b"%0a"),
    *(b"%e2%80%a4", b"%a0", b"%85", b"\xa0", b"%c2%a0", b"%f0%80%80%ae", b"%1c", b"~", b"%7f"),
)
AGREED = {
    "a ? or # that is decoded too early": "who takes a path apart after decoding it loses what"
    " comes behind; it stays below, and names of files hold them rightly",
}
_ROOT = "/r/o/t"  # three deep: two dots or four, it would be seen


def check(data: bytes) -> None:
    segment = data.decode("latin-1")
    if not segment or any(char in "/?#" for char in segment) or climbs(segment):
        return
    text = segment
    for times in range(4):
        for cut in {text, text.partition(";")[0], text.partition("\0")[0], text.strip()}:
            for resolve in _RESOLVERS:
                path = resolve(f"{_ROOT}/{cut}/e")
                assert path is None or path.startswith(_ROOT + "/"), (times, cut, resolve, path)
                whole = cut == text and not re.search("[?#]", text)  # AGREED
                assert path is None or not whole or path.endswith("/e"), (times, resolve, path)
        text = unquote(text, "latin-1")


def _windows(path: str) -> "str | None":
    return ntpath.normpath(path).replace("\\", "/")


def _yarl(path: str) -> "str | None":
    raw: str = URL.build(scheme="http", host="h.test", path=path).raw_path
    return raw


def _urllib3(path: str) -> "str | None":
    try:
        return parse_url("http://h.test" + only_ascii(path)).path
    except LocationParseError:
        return None


def _browser(path: str) -> "str | None":
    """Which takes %2e for a dot, and a backslash for a slash."""
    plain = path.replace("\\", "/").replace("%2e", ".").replace("%2E", ".")
    return urlsplit(urljoin("http://h.test/", only_ascii(plain))).path


_RESOLVERS: "tuple[Callable[[str], str | None], ...]" = (
    *(posixpath.normpath, _windows, _yarl),
    *(_urllib3, _browser),
)
