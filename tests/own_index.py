"""A package index of a company's own: PEP 503 over two wheels, and a log of what was asked."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distribution
from pathlib import Path
from threading import Thread

TOY = "onehop-toy"
WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
METADATA = f"Metadata-Version: 2.1\nName: {TOY}\nVersion: 1.0\n"
USER = "joe:s3cret"


def toy_wheel(folder: Path) -> Path:
    """A package of one module, which exists nowhere else."""
    file = folder / "onehop_toy-1.0-py3-none-any.whl"
    info = "onehop_toy-1.0.dist-info"
    parts = {
        "onehop_toy.py": "WORDS = 'from the index of the company'\n",
        f"{info}/METADATA": METADATA,
        f"{info}/WHEEL": WHEEL,
    }
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
        record = [*(f"{name},," for name in parts), f"{info}/RECORD,,", ""]
        archive.writestr(f"{info}/RECORD", "\n".join(record))
    return file


def uv_wheel(folder: Path) -> Path:
    """The installed uv as the wheel that it came from."""
    installed = distribution("uv")
    tag = "py3-none-any"
    file = folder / f"uv-{installed.version}-{tag}.whl"
    info, data = f"uv-{installed.version}.dist-info", f"uv-{installed.version}.data/scripts"
    kept = {}
    for part in installed.files or ():
        if part.name in ("uv", "uvx"):
            kept[f"{data}/{part.name}"] = part
        elif part.suffix in (".py", ".typed") or part.name == "METADATA":
            kept[part.as_posix()] = part
    with zipfile.ZipFile(file, "w") as archive:
        for name, part in kept.items():
            archive.write(str(part.locate()), name)
        archive.writestr(f"{info}/WHEEL", WHEEL)
        record = [*(f"{name},," for name in kept), f"{info}/WHEEL,,", f"{info}/RECORD,,", ""]
        archive.writestr(f"{info}/RECORD", "\n".join(record))
    return file


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


class Index:
    """What stands on its shelf, and the requests that it got, as `GET /path` or `CONNECT host`."""

    def __init__(self, wheels: list[Path], private: bool = False) -> None:
        self.wheels = {wheel.name.partition("-")[0].replace("_", "-"): wheel for wheel in wheels}
        self.private = private
        self.asked: list[str] = []
        self.port = 0

    def url(self, host: str = "127.0.0.1") -> str:
        user = f"{USER}@" if self.private else ""
        return f"http://{user}{host}/simple"

    def answer(self, target: str, authorization: str) -> tuple[int, bytes]:
        """Status and body; a target in absolute-form is what a proxy is asked."""
        path = "/" + target.partition("://")[2].partition("/")[2] if "://" in target else target
        wanted = "Basic " + base64.b64encode(USER.encode()).decode()
        if self.private and authorization != wanted:
            return 401, b"who are you?"
        kind, _, name = path.strip("/").partition("/")
        if kind == "simple" and name in self.wheels:
            wheel = self.wheels[name]
            link = f'<a href="/files/{wheel.name}#sha256={digest(wheel)}">{wheel.name}</a>'
            return 200, f"<!DOCTYPE html><html><body>{link}</body></html>".encode()
        for wheel in self.wheels.values():
            if kind == "files" and name == wheel.name:
                return 200, wheel.read_bytes()
        return 404, b"not here"


@contextmanager
def serving(index: Index) -> Iterator[Index]:
    """The index on a port of loopback, as a server or as a proxy to ask it by."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            index.asked.append(f"{self.command} {self.path}")
            status, body = index.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="company"')
            binary = body.startswith(b"PK")
            self.send_header("Content-Type", "application/zip" if binary else "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if self.command == "GET" else b"")

        def do_CONNECT(self) -> None:
            index.asked.append(f"CONNECT {self.path}")
            self.send_error(403)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        index.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield index
        finally:
            server.shutdown()
            thread.join()
