"""What lies in deploy/ is what the table says, and works by hand as its README says."""

from __future__ import annotations

import configparser
import contextlib
import http.client
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer

import pytest

from bench.balancers import BALANCERS, DEPLOY, EXAMPLE, authority, find_binary
from bench.balancers.certificate import place_certificate
from bench.balancers.configure import fill
from bench.balancers.document import DOCUMENT, document, examples
from bench.processes import free_port, run_to_end, start, wait_ready
from tests.balancers.conftest import Backend

FOLDERS = sorted({one.deploy for one in BALANCERS.values()})
EXTRAS = sorted(path.stem for path in (DEPLOY / "nginx/extras").glob("*.conf"))


def test_the_document_is_generated() -> None:
    """`python -m bench.balancers.document` writes it anew."""
    assert DOCUMENT.read_text() == document()


@pytest.mark.parametrize("name", FOLDERS)
def test_the_examples_are_the_templates_rendered(name: str) -> None:
    """No file too many, none too few, none behind."""
    wanted = {path: text for path, text in examples().items() if path.parts[-3] == name}
    assert {path: path.read_text() for path in (DEPLOY / name / "example").iterdir()} == wanted


@pytest.mark.parametrize("name", FOLDERS)
def test_the_readme_gives_the_tables_command(name: str) -> None:
    """The command line that starts it is the harness's own."""
    argv = _by_hand(name, EXAMPLE.listen[1])
    lines = (DEPLOY / name / "README.md").read_text().splitlines()
    assert argv in [shlex.split(line.partition("    #")[0]) for line in lines if "# run" in line]


@pytest.mark.parametrize("name", FOLDERS)
def test_the_example_runs(name: str, have: Callable[[str], None], tmp_path: Path) -> None:
    """Copied to a folder, on other ports, it passes requests to four backends."""
    have(name)
    with _backends(4) as backends:
        ports = {8080: free_port(), 8079: free_port()}
        ports |= {8081 + index: one.server_port for index, one in enumerate(backends)}
        for file in (DEPLOY / name / "example").iterdir():
            text = file.read_text().replace(f"/tmp/onehop-{name}", str(tmp_path))
            (tmp_path / file.name).write_text(_on(ports, text))
        argv = [word.replace(f"/tmp/onehop-{name}", str(tmp_path)) for word in _by_hand(name, 8080)]
        argv = [str(find_binary(name)), *(_on(ports, word) for word in argv[1:])]
        with start(argv, log=tmp_path / "log", cwd=tmp_path) as process:
            wait_ready(process, "127.0.0.1", ports[8080])
            end = time.monotonic() + 10  # traefik says 404 until it has read its second file
            while _get(ports[8080]).status == 404 and time.monotonic() < end:
                time.sleep(0.02)
            seen = {_get(ports[8080]).status for _ in range(8)}
    assert seen == {200}


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_of_nginx_runs(
    extra: str,
    have: Callable[[str], None],
    have_certificate: Callable[[], None],
    tmp_path: Path,
) -> None:
    """nginx accepts it, starts with it, and it does what it is for."""
    have("nginx")
    if extra == "tls":
        have_certificate()
        place_certificate(tmp_path)
    with _backends(4) as backends, _unix_backends(tmp_path):
        ports = {8080: free_port(), 8443: free_port()}
        ports |= {8081 + index: one.server_port for index, one in enumerate(backends)}
        text = (DEPLOY / f"nginx/extras/{extra}.conf").read_text()
        text = _on(ports, text.replace("/tmp/onehop-nginx", str(tmp_path)))
        user = "user root;\n"  # the workers have to enter this test's private folder
        (tmp_path / "x.conf").write_text(user + text)
        argv = (str(find_binary("nginx")), "-p", f"{tmp_path}/", "-e", "stderr", "-c", "x.conf")
        ended = run_to_end((*argv, "-t", "-q"), timeout_s=10)
        assert ended.status == 0, ended.errors
        with start((*argv, "-g", "daemon off;"), log=tmp_path / "log") as process:
            wait_ready(process, "127.0.0.1", ports[8080])
            _EXPECTED[extra](ports)


def _tls(ports: dict[int, int]) -> None:
    answer = _get(ports[8080])
    assert answer.status == 308
    assert answer.getheader("Location", "").startswith("https://127.0.0.1:")
    context = ssl.create_default_context(cafile=str(authority()))
    secure = http.client.HTTPSConnection("127.0.0.1", ports[8443], context=context, timeout=10)
    with contextlib.closing(secure):
        secure.request("GET", "/")
        assert secure.getresponse().status == 200


def _cache(ports: dict[int, int]) -> None:
    """/kept says that it may be kept, / does not."""
    states = [_get(ports[8080], "/kept").getheader("X-Cache-Status") for _ in range(2)]
    assert states == ["MISS", "HIT"]
    assert {_get(ports[8080]).getheader("X-Cache-Status") for _ in range(2)} == {"MISS"}
    assert _get(ports[8080], "/kept", Authorization="x").getheader("X-Cache-Status") == "MISS"


def _limits(ports: dict[int, int]) -> None:
    statuses = [_get(ports[8080]).status for _ in range(150)]
    assert set(statuses) == {200, 429}


def _answers(ports: dict[int, int]) -> None:
    assert {_get(ports[8080]).status for _ in range(4)} == {200}


_EXPECTED = {"tls": _tls, "cache": _cache, "limits": _limits, "unix-socket": _answers}


def test_every_way_to_start_instances_names_a_command_that_runs() -> None:
    """systemd, supervisord, Procfile: each command line is one that `python -m servers` takes."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's case matters
    unit.read(DEPLOY / "systemd/onehop@.service")
    supervisor = configparser.ConfigParser(interpolation=None)
    supervisor.read(DEPLOY / "supervisord/supervisord.conf")
    procfile = (DEPLOY / "procfile/Procfile").read_text()
    commands = [
        unit["Service"]["ExecStart"].replace("%i", "8081"),
        supervisor["program:onehop"]["command"].replace("%(process_num)d", "8081"),
        *re.findall(r"(?m)^app\d: sh deploy/procfile/keep.sh (.*)$", procfile),
    ]
    assert len(commands) == 6
    for command in commands:
        argv = shlex.split(command)
        assert argv[0].endswith("venv/bin/python")
        ended = run_to_end((sys.executable, *argv[1:], "--help"), timeout_s=20, cwd=DEPLOY.parent)
        assert ended.status == 0, ended.errors
        assert argv[1:4] == ["-m", "servers", "waitress"]
    assert supervisor["program:onehop"]["numprocs_start"] == "8081"
    assert re.findall(r"--port (\d+)", procfile) == ["8081", "8082", "8083", "8084"]


def test_systemd_starts_an_instance_again_for_ever() -> None:
    """However it ended, and however often: five starts in ten seconds are its default's end."""
    unit = (DEPLOY / "systemd/onehop@.service").read_text()
    assert re.findall(r"(?m)^(?:Restart|StartLimitIntervalSec)=.*$", unit) == [
        "StartLimitIntervalSec=0",
        "Restart=always",
    ]


def test_systemd_accepts_the_unit(tmp_path: Path, missing: Callable[[str], None]) -> None:
    """Nothing to complain of but the program, which is not installed here."""
    tool = shutil.which("systemd-analyze")
    if tool is None:
        missing("systemd-analyze is not installed")
        return
    text = (DEPLOY / "systemd/onehop@.service").read_text()
    unit = tmp_path / "onehop@.service"
    unit.write_text(text.replace("/opt/onehop/venv/bin/python", sys.executable))
    ended = subprocess.run([tool, "verify", str(unit)], capture_output=True, text=True, timeout=60)
    said = [line for line in ended.stderr.splitlines() if "onehop" in line]
    assert (ended.returncode, said) == (0, [])


def _by_hand(name: str, port: int) -> list[str]:
    """The table's command as a person types it: two workers where they are counted."""
    balancer = BALANCERS[name]
    program = {"apache": "apache2", "varnish": "varnishd"}.get(name, name)
    site = replace(EXAMPLE, listen=("127.0.0.1", port), workers=2)
    folder = Path(f"/tmp/onehop-{name}")
    return [program, *fill(balancer.run, site, Path(program), folder, balancer.files[0])[1:]]


def _on(ports: dict[int, int], text: str) -> str:
    """The text with every port replaced at once."""
    return re.sub(r"\b(80[78]\d|8443)\b", lambda m: str(ports.get(int(m[1]), m[1])), text)


def _get(port: int, target: str = "/", **headers: str) -> http.client.HTTPResponse:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as client:
        client.request("GET", target, headers=headers)
        response = client.getresponse()
        response.read()
        return response


@contextlib.contextmanager
def _backends(number: int) -> Iterator[list[Backend]]:
    backends = [Backend() for _ in range(number)]
    try:
        yield backends
    finally:
        for backend in backends:
            backend.end()


class _UnixBackend(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


@contextlib.contextmanager
def _unix_backends(folder: Path) -> Iterator[None]:
    servers = [_UnixBackend(str(folder / f"app-{number}.sock"), _UnixHandler) for number in (1, 2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


class _UnixHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test looks at the answers."""
