"""deploy's instances, by supervisord or honcho, and nginx's example before them, on free ports."""

from __future__ import annotations

import http.client
import os
import re
import sys
from contextlib import closing
from pathlib import Path

from bench.balancers import DEPLOY, find_binary
from bench.processes import free_port

ROOT = DEPLOY.parent
READY_S = 30.0
ENVIRONMENT = {**os.environ, "ONEHOP_UPSTREAM": "http://127.0.0.1:9"}  # /healthz never asks it


def free_ports() -> dict[int, int]:
    """The examples' ports -> free ones; the first two instances follow each other."""
    pairs = ((free_port(), free_port()) for _ in range(100))
    first, second = next(pair for pair in pairs if pair[1] == pair[0] + 1)
    return {8080: free_port(), 8081: first, 8082: second, 8083: free_port(), 8084: free_port()}


def put(source: str, folder: Path, ports: dict[int, int], **words: str) -> Path:
    """A copy of an example in `folder`, on other ports and with other words."""
    text = (DEPLOY / source).read_text().replace("/tmp/onehop-nginx", str(folder))
    for old, new in words.items():
        text = text.replace(old, new)
    text = re.sub(r"\b80[78]\d\b", lambda match: str(ports.get(int(match[0]), match[0])), text)
    (folder / Path(source).name).write_text(text)
    return folder / Path(source).name


def healthy(port: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as client:
        client.request("GET", "/healthz")
        return client.getresponse().status == 200


def nginx(folder: Path, ports: dict[int, int]) -> tuple[str, ...]:
    """nginx's example in the folder, before two instances only; the command that runs it."""
    file = put("nginx/example/nginx.conf", folder, ports)
    absent = re.compile(rf"(?m)^ *server 127\.0\.0\.1:({ports[8083]}|{ports[8084]}) .*\n")
    text, removed = absent.subn("", file.read_text())
    assert removed == 2
    file.write_text("user root;\n" + text)  # its workers have to enter this private folder
    prefix = (str(find_binary("nginx")), "-p", f"{folder}/", "-e", "stderr", "-c", file.name)
    return (*prefix, "-g", "daemon off;")


def supervisord(folder: Path, ports: dict[int, int], **words: str) -> tuple[str, ...]:
    """The command that runs two instances."""
    # The folder first: the interpreter's own path may lie below /tmp/, too.
    more = {"/tmp/": f"{folder}/", **words, "numprocs=4": "numprocs=2"}
    file = put("supervisord/supervisord.conf", folder, ports, **more)
    return (sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(file))


def honcho(folder: Path, ports: dict[int, int], *chosen: str, **words: str) -> tuple[str, ...]:
    """The command that runs these of the Procfile's processes."""
    file = put("procfile/Procfile", folder, ports, **words)
    return (sys.executable, "-m", "honcho", "-f", str(file), "-d", str(ROOT), "start", *chosen)
