"""A run of two URLs with secrets in them: sent, and found in nothing that was said or written."""

from __future__ import annotations

import os
import socketserver
import threading
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.verbs import bench

SHORT = ("--loads", "c1", "--rounds", "2", "--seconds", "0.4")
WANTED = b"Authorization: Basic " + b64encode(b"josefa:s3cret-pw")
ANSWER = b"HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
SECRETS = ("s3cret", "josefa", b64encode(b"josefa:s3cret-pw").decode())


class Guarded(socketserver.StreamRequestHandler):
    """Answers 200 to whoever has the password and the token, else 401."""

    def handle(self) -> None:
        lines: list[bytes] = []
        for line in self.rfile:
            lines.append(line.strip())
            if not lines[-1]:
                right = WANTED in lines and b"token=s3cret-token" in lines[0]
                self.wfile.write(ANSWER % (b"200 OK" if right else b"401 No"))
                lines = []


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Guarded) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        port = server.server_address[1]
        yield f"http://josefa:s3cret-pw@localhost:{port}/x?token=s3cret-token&size=17"
        server.shutdown()


def leaks(folder: Path) -> list[str]:
    return [
        f"{file}: {secret}"
        for file in folder.rglob("*")
        if file.is_file()
        for secret in SECRETS
        if secret.encode() in file.read_bytes()
    ]


def test_secrets_are_sent_and_masked_everywhere(url: str, tmp_path: Path) -> None:
    """Every request has them; no file of results/, no line of output holds them. Until the run is
    complete they are kept for --resume where only the user can read them."""
    cache = tmp_path / "cache"
    work = tmp_path / "work"
    work.mkdir()
    env = {"ONEHOP_CACHE": str(cache)}
    ended = bench("run", "--direct", url, "--proxied", url, *SHORT, cwd=work, env=env)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "localhost is 127.0.0.1" in ended.stdout
    said = ended.stdout + ended.stderr
    assert not [secret for secret in SECRETS if secret in said]
    assert leaks(work) == []
    assert "token=***&size=17" in (work / "results/latest/run.json").read_text()
    assert not list(cache.rglob("secrets/*"))  # the run is complete

    run = (work / "results/latest").resolve()
    for file in run.glob("samples/*/round-2.*"):
        file.unlink()
    gone = bench("run", "--resume", "latest", cwd=work, env=env)
    assert gone.returncode == 2
    assert "does not hold them" in gone.stderr

    kept = cache / "secrets" / f"{run.name}.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(f'["{url}", "{url}"]')
    resumed = bench("run", "--resume", "latest", cwd=work, env=env)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert leaks(work) == []


def test_what_is_kept_is_for_the_user_alone(url: str, tmp_path: Path) -> None:
    """0600 in a folder of 0700, whatever the umask."""
    from bench.keeping import keep_urls, whole_urls

    was = os.environ.get("ONEHOP_CACHE")
    os.environ["ONEHOP_CACHE"] = str(tmp_path)
    try:
        file = keep_urls("20260101-000000-abcd", (url, url))
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
        assert whole_urls("20260101-000000-abcd", ("http://***@h/", "http://h/")) == (url, url)
        assert whole_urls("other", ("http://h/", "http://h/")) == ("http://h/", "http://h/")
    finally:
        os.environ.pop("ONEHOP_CACHE")
        if was is not None:
            os.environ["ONEHOP_CACHE"] = was
