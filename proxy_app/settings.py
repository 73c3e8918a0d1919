"""Environment (and `.env`) -> one frozen Settings, or one clear SettingsError.

Every name starts with ONEHOP_; an empty value means the default. The environment wins over the
file. The file is `.env` in the working directory, or ONEHOP_ENV_FILE (empty: none is read).
`python -m proxy_app.settings` prints what both say, as JSON: for who has to know before the start.
"""

import json
import os
import re
import ssl
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, Optional
from urllib.parse import urlsplit

PREFIX = "ONEHOP_"
# What others read under the same prefix: the harness, its load process and its tests.
NOT_OURS = frozenset(
    (
        *("ENV_FILE", "CACHE", "DIRECT", "HIDDEN", "LOCK", "OUT", "PATH", "PROXIED", "RATE"),
        *("REQUIRE_ALL", "SAMPLES", "SCENARIO", "SERVERS", "SYSTEM", "USER", "VMPROF"),
    )
)
CHUNKED = ("auto", "decoded", "raw", "refuse")
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?")
_BASE = re.compile(r"(/(?!\.{1,2}(/|\Z))[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*/?")
_YES_NO = {"1": True, "true": True, "yes": True, "on": True}
_YES_NO.update({"0": False, "false": False, "no": False, "off": False})


class SettingsError(Exception):
    """A wrong setting or route table: one line that says which, and what to write instead."""


class Upstream(NamedTuple):
    """Where the real API is. `base` goes before every path: "" or "/v2", without a last slash."""

    scheme: str
    host: str
    port: int
    base: str = ""

    @property
    def authority(self) -> str:
        """The Host header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        standard = self.port == (443 if self.scheme == "https" else 80)
        return host if standard else f"{host}:{self.port}"


DEFAULT_ROUTES = Path(__file__).with_name("routes.toml")


@dataclass(frozen=True)
class Settings:
    """How one app instance behaves. Times in seconds, sizes in bytes.

    upstream         ONEHOP_UPSTREAM, required: the real API's base URL
    upstreams        ONEHOP_UPSTREAMS: base URLs with commas between, one after the other in turn
                     instead of `upstream`; only the asyncio peers take them
    authorize_url    ONEHOP_AUTHORIZE_URL: where /auth sends the user; without it there is no /auth
    routes           ONEHOP_ROUTES: path of the route table (default: routes.toml of this package)
    client           ONEHOP_CLIENT: the upstream HTTP client, a file of clients/
    ca               ONEHOP_CA: a PEM file that alone vouches for an https upstream; without it
                     the system's authorities do
    connect_timeout  ONEHOP_CONNECT_TIMEOUT
    read_timeout     ONEHOP_READ_TIMEOUT: the longest silence on the upstream's side
    max_body         ONEHOP_MAX_BODY: a longer request body gets 413; 0 means no limit
    pool             ONEHOP_POOL: idle connections kept to the upstream; 0 means no keep-alive
    chunked          ONEHOP_CHUNKED: what the server does with a chunked request body (body.py)
    prefix           ONEHOP_PREFIX: the path under which clients see the app, such as /api: it goes
                     before every URL that they get, and is taken off a path that begins with it
    trust_forwarded  ONEHOP_TRUST_FORWARDED: keep X-Forwarded-Proto and -Host of a balancer in front
    server_timing    ONEHOP_SERVER_TIMING: answer with a Server-Timing header
    access_log       ONEHOP_ACCESS_LOG: a JSON line per request on standard error
    host, port       ONEHOP_HOST, ONEHOP_PORT: only for `python -m proxy_app`
    """

    upstream: Upstream
    upstreams: tuple[Upstream, ...] = ()
    authorize_url: str = ""
    routes: Path = DEFAULT_ROUTES
    client: str = "lean"
    ca: Optional[Path] = None
    connect_timeout: float = 2.0
    read_timeout: float = 30.0
    max_body: int = 2**31
    pool: int = 1024
    chunked: str = "auto"
    prefix: str = ""
    trust_forwarded: bool = False
    server_timing: bool = False
    access_log: bool = False
    host: str = "127.0.0.1"
    port: int = 8080


def load_settings(environ: Optional[Mapping[str, str]] = None) -> Settings:
    """The settings of this process. Raises SettingsError."""
    known = read_texts(os.environ if environ is None else environ)
    if "upstream" not in known:
        raise SettingsError(
            "ONEHOP_UPSTREAM is not set; set it to the real API's base URL, "
            "for example http://127.0.0.1:9000"
        )
    chosen: dict[str, Any] = {
        name: parse(name, known[name]) for name, parse in _PARSERS.items() if name in known
    }
    return Settings(**chosen)


def read_texts(environ: Mapping[str, str]) -> dict[str, str]:
    """Setting -> its text, out of environment and file. Raises SettingsError, for a name that is
    none too: a misspelt limit would be no limit."""
    texts = {
        name[len(PREFIX) :].lower(): text
        for name, text in {**_env_file(environ), **environ}.items()
        if name.startswith(PREFIX) and text and name[len(PREFIX) :] not in NOT_OURS
    }
    names = [field.name for field in fields(Settings)]
    for unknown in sorted(texts.keys() - set(names)):
        near = get_close_matches(unknown, names, 1)
        hint = f"did you mean {PREFIX}{near[0].upper()}?" if near else "take it out"
        raise SettingsError(f"{PREFIX}{unknown.upper()} is no setting; {hint}")
    return texts


def parse_upstream(name: str, text: str) -> Upstream:
    """Raises SettingsError when `text` is not a plain http or https base URL."""
    try:
        url = urlsplit(text)
        port = (443 if url.scheme == "https" else 80) if url.port is None else url.port
    except ValueError as error:
        raise _wrong(name, text, f"a base URL ({error})") from None
    extras = {"?", "#"} & {*text} or url.username is not None
    host = url.hostname or ""
    plain = _HOST.fullmatch(host) and port and not extras
    if url.scheme not in ("http", "https") or not plain or not _BASE.fullmatch(url.path):
        raise _wrong(name, text, "a base URL such as http://127.0.0.1:9000 or https://api.test/v2")
    return Upstream(url.scheme, host, port, url.path.rstrip("/"))


def _upstreams(name: str, text: str) -> tuple[Upstream, ...]:
    return tuple(parse_upstream(name, one.strip()) for one in text.split(","))


def _env_file(environ: Mapping[str, str]) -> dict[str, str]:
    """What the file sets. It may be missing unless it was asked for by name."""
    asked = environ.get(PREFIX + "ENV_FILE")
    name = ".env" if asked is None else asked
    if not name or not Path(name).is_file():
        if asked:
            raise _wrong("env_file", name, "the path of a file; there is no such file")
        return {}
    try:
        from dotenv import dotenv_values
    except ImportError:
        raise SettingsError(
            f"{name} is there, but python-dotenv is not: pip install python-dotenv, "
            "or set ONEHOP_ENV_FILE= to leave the file out"
        ) from None
    try:
        found = dotenv_values(name)
    except (OSError, ValueError) as error:  # ValueError: bytes that are not UTF-8
        raise SettingsError(f"{name}: cannot be read: {error}; write UTF-8 text") from None
    return {key: value for key, value in found.items() if value is not None}


def _wrong(name: str, text: str, wanted: str) -> SettingsError:
    return SettingsError(f"{PREFIX}{name.upper()}={text!r} is wrong; write {wanted}")


def _printable(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _url(name: str, text: str) -> str:
    if text.startswith(("http://", "https://", "/")) and _printable(text):
        return text
    raise _wrong(name, text, "an absolute URL such as https://login.test/oauth/authorize")


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise _wrong(name, text, "seconds above 0, at most 3600")
    return seconds


def _count(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise _wrong(name, text, "a whole number, 0 or more")
    return int(text)


def _port(name: str, text: str) -> int:
    port = _count(name, text)
    if not 0 < port < 65536:
        raise _wrong(name, text, "a port between 1 and 65535")
    return port


def _prefix(name: str, text: str) -> str:
    whole = text.startswith("/") and _BASE.fullmatch(text)
    if not whole or text.endswith("/"):
        raise _wrong(name, text, "a path such as /api, without a slash at its end")
    return text


def _flag(name: str, text: str) -> bool:
    try:
        return _YES_NO[text.lower()]
    except KeyError:
        raise _wrong(name, text, "1 or 0") from None


def _chunked(name: str, text: str) -> str:
    if text not in CHUNKED:
        raise _wrong(name, text, "one of " + ", ".join(CHUNKED))
    return text


def _file(name: str, text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise _wrong(name, text, "the path of a TOML file; there is no such file")
    return path


def _certificate(name: str, text: str) -> Path:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(text)
    except OSError as error:
        raise _wrong(name, text, f"the path of a PEM certificate ({error})") from None
    return Path(text)


def _text(name: str, text: str) -> str:
    return text


_PARSERS: dict[str, Callable[[str, str], object]] = {
    "upstream": parse_upstream,
    "upstreams": _upstreams,
    "authorize_url": _url,
    "routes": _file,
    "client": _text,
    "ca": _certificate,
    "connect_timeout": _seconds,
    "read_timeout": _seconds,
    "max_body": _count,
    "pool": _count,
    "chunked": _chunked,
    "prefix": _prefix,
    "trust_forwarded": _flag,
    "server_timing": _flag,
    "access_log": _flag,
    "host": _text,
    "port": _port,
}


def main() -> int:
    """Print the texts as JSON, by name; exit status 2 and one line where they cannot be read."""
    try:
        texts = read_texts(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"onehop: {error}\n")
        return 2
    sys.stdout.write(json.dumps(texts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
