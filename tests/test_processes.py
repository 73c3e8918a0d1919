"""Children are started, pinned, watched and ended, and nothing else is touched."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench.model import HarnessError, TargetError
from bench.processes import free_port, port_in_use, port_released, start, wait_ready

PYTHON = sys.executable
SERVE = "import sys, http.server as h; h.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), h.SimpleHTTPRequestHandler).serve_forever()"  # noqa: E501 - one program
FAMILY = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)']); print('up', flush=True); time.sleep(60)"  # noqa: E501 - one program


def wait_for(text: str, log: Path) -> None:
    end = time.monotonic() + 10
    while text not in (log.read_text() if log.exists() else ""):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_ready_when_it_answers(tmp_path: Path) -> None:
    """Readiness is seen within the time that the program needs, and the port is free after it."""
    port = free_port()
    process = start([PYTHON, "-c", SERVE, str(port)], log=tmp_path / "log", cwd=tmp_path)
    with port_released("127.0.0.1", port), process:
        assert 0 < wait_ready(process, "127.0.0.1", port, "/") < 10
        assert port_in_use("127.0.0.1", port)
    assert not port_in_use("127.0.0.1", port)


def test_an_early_death_shows_the_log(tmp_path: Path) -> None:
    """A program that ends before it is ready is the target's fault, with its last words."""
    with (
        start([PYTHON, "-c", "raise SystemExit('no such option')"], log=tmp_path / "log") as dead,
        pytest.raises(TargetError, match="status 1 before it was ready: no such option"),
    ):
        wait_ready(dead, "127.0.0.1", free_port())


def test_a_deaf_program_meets_the_deadline(tmp_path: Path) -> None:
    """One that never answers is given up at the deadline."""
    with (
        start(["sleep", "30"], log=tmp_path / "log") as deaf,
        pytest.raises(TargetError, match=r"not ready within 0\.3 s"),
    ):
        wait_ready(deaf, "127.0.0.1", free_port(), deadline_s=0.3)


def test_an_unknown_program_is_the_harness_fault(tmp_path: Path) -> None:
    """No such program: said at once."""
    with pytest.raises(HarnessError, match="cannot start /no/such"):
        start(["/no/such"], log=tmp_path / "log")


def test_descendants_go_too(tmp_path: Path) -> None:
    """A child that ignores SIGTERM does not outlive its parent's stop."""
    process = start([PYTHON, "-c", FAMILY], log=tmp_path / "log")
    wait_for("up", tmp_path / "log")
    family = process.tree()
    assert len(family) == 2
    process.stop()
    psutil.wait_procs(family, timeout=2)
    assert not any(member.is_running() for member in family)


def test_usage_counts_the_tree(tmp_path: Path) -> None:
    """CPU time and memory are those that the program used."""
    burn = "import time; end = time.process_time() + 0.3; x = bytearray(50 << 20)\nwhile time.process_time() < end: pass\nprint('done', flush=True); time.sleep(60)"  # noqa: E501
    with start([PYTHON, "-c", burn], log=tmp_path / "log") as process:
        wait_for("done", tmp_path / "log")
        usage = process.usage()
    assert 0.28 < usage.cpu_s < 1.5
    assert usage.rss_mib > 50


def test_pinned(tmp_path: Path) -> None:
    """A child runs on the cores that it was given."""
    cpu = max(os.sched_getaffinity(0))
    with start(["sleep", "30"], log=tmp_path / "log", cpus={cpu}) as process:
        assert os.sched_getaffinity(process.pid) == {cpu}


def test_children_die_with_the_harness(tmp_path: Path) -> None:
    """kill -9 of the harness leaves no server behind to take CPU from the next run."""
    code = (
        "import sys, time; from pathlib import Path; from bench.processes import start\n"
        f"p = start(['sleep', '60'], log=Path({str(tmp_path / 'child')!r}))\n"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    harness = subprocess.Popen(
        [PYTHON, "-c", code], stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent
    )
    assert harness.stdout is not None
    child = psutil.Process(int(harness.stdout.readline()))
    harness.send_signal(signal.SIGKILL)
    harness.wait()
    harness.stdout.close()
    psutil.wait_procs([child], timeout=3)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_shared_port_is_not_free() -> None:
    """A listener with SO_REUSEPORT is seen: a second server there would share its load."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert port_in_use("127.0.0.1", port)
        with (
            pytest.raises(HarnessError, match="still in use"),
            port_released("127.0.0.1", port, 0.1),
        ):
            pass


def test_free_ports_differ_and_are_not_for_outgoing_connections() -> None:
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = [free_port() for _ in range(200)]
    assert len(set(ports)) == 200
    assert low < 11_000 or max(ports) < low
