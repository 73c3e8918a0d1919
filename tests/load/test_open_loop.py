"""The open loop end to end: by the clock, whatever the target does."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.load.process import LoadProcess
from bench.load.protocol import BlockDone
from bench.model import POOL, Load, PathName
from bench.samples import PATHS, read_samples
from tests.load.conftest import Script, ScriptedServer, read_request

ROOT = Path(__file__).parents[2]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + b"x" * 1024
MS = 1e6
Measure = Callable[..., tuple[list[BlockDone], NDArray[Any]]]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadProcess]:
    log = tmp_path_factory.mktemp("load") / "load.log"
    with LoadProcess(seed=1, log=log) as process:
        yield process


@pytest.fixture
def measure(load: LoadProcess, tmp_path: Path) -> Measure:
    """Blocks of one load, one after the other; what they say and their samples."""

    def run(url: str, notation: str, *seconds: float) -> tuple[list[BlockDone], NDArray[Any]]:
        load.prepare("read", dict.fromkeys(PATHS, url), Load.parse(notation))
        paths: list[PathName] = ["direct", "proxied"]
        done = [load.block(paths[i % 2], each, i) for i, each in enumerate(seconds)]
        load.save(tmp_path / "x.parquet")
        return done, read_samples(tmp_path / "x.parquet")

    return run


def opens_after(seconds: float) -> Script:
    """No request is answered before the gate opens, that many seconds from the first of all."""
    first: list[float] = []

    def script(peer: Any) -> None:
        while read_request(peer):
            first.append(time.monotonic())
            time.sleep(max(0.0, first[0] + seconds - time.monotonic()))
            peer.sendall(OK)

    return script


@pytest.mark.parametrize("notation", ["k200", "p200"])
def test_every_scheduled_request_is_sent(
    measure: Measure, right_server: str, notation: str
) -> None:
    """Requests, samples and schedule are of one number; time runs from the intended one."""
    (done,), rows = measure(right_server, notation, 0.5)
    assert done.intended == done.requests == len(rows)
    assert 60 < len(rows) < 140
    assert done.seconds == 0.5
    assert done.rps == pytest.approx(len(rows) / 0.5)
    late = rows["sent_ns"] - rows["intended_ns"]
    assert (late >= 0).all()
    assert done.send_lag_p50_ms == pytest.approx(np.median(late) / MS)
    assert (rows["latency_ns"] > late + rows["first_byte_ns"] - 1).all()
    assert done.p50_ms == pytest.approx(np.median(rows["latency_ns"]) / MS)
    assert (rows["intended_ns"] >= done.started_ns).all()
    assert (rows["intended_ns"] < done.started_ns + 0.5e9).all()


def test_median_lag_is_small(measure: Measure, right_server: str) -> None:
    """Half of the requests leave within a millisecond of their time."""
    (done,), _ = measure(right_server, "p500", 0.5)
    assert done.send_lag_p50_ms is not None
    assert done.send_lag_p50_ms < 1.0


def test_a_pair_has_one_schedule(measure: Measure, right_server: str) -> None:
    """Both paths of a pair get the same arrivals and calls, the next pair gets others."""
    done, rows = measure(right_server, "p100", 0.3, 0.3, 0.3, 0.3)
    offsets = [
        np.sort(rows["intended_ns"][rows["block"] == block.index] - block.started_ns).tolist()
        for block in done
    ]
    assert offsets[0] == offsets[1] != offsets[2] == offsets[3]


def test_another_round_has_another_schedule(measure: Measure, right_server: str) -> None:
    """Rounds are independent: each Prepare draws anew."""
    first, second = (measure(right_server, "p300", 0.3) for _ in range(2))
    offsets = [np.sort(rows["intended_ns"]) - done[0].started_ns for done, rows in (first, second)]
    assert offsets[0].tolist() != offsets[1].tolist()


def test_a_stall_is_felt_by_all_who_came_in_it(measure: Measure, scripted: ScriptedServer) -> None:
    """A target that is silent for 400 ms: 100 requests/s meet it at every point of the silence."""
    scripted.scripts = [opens_after(0.4)]
    (done,), rows = measure(scripted.url, "k100", 1.0)
    assert done.requests == 100
    waited = np.sort(rows["latency_ns"])[::-1][:30] / MS
    assert waited == pytest.approx(400 - 10 * np.arange(30), abs=40)
    assert np.median(rows["latency_ns"]) / MS < 60


def test_beyond_the_pool_requests_wait_in_line(measure: Measure, scripted: ScriptedServer) -> None:
    """The pool ends at its bound; who waits is counted, its wait too, and is no lag of ours."""
    scripted.scripts = [opens_after(0.3)]
    (done,), rows = measure(scripted.url, "k1500", 0.3)
    assert (done.requests, done.errors) == (450, 0)
    assert done.connects == POOL
    assert 0 < done.waited <= 450 - POOL + 20
    lag = rows["sent_ns"] - rows["intended_ns"]
    assert lag.max() > 60 * MS
    assert done.send_lag_p99_ms is not None
    assert done.send_lag_p99_ms < lag.max() / MS / 2
    first_come = rows[np.argsort(rows["intended_ns"])]["sent_ns"]
    assert (np.diff(first_come) > -1 * MS).mean() > 0.95


def test_a_slow_target_shows_as_drain(measure: Measure, scripted: ScriptedServer) -> None:
    """What is answered after the schedule's end is awaited, and how long that took is said."""
    scripted.scripts = [opens_after(0.5)]
    (done,), rows = measure(scripted.url, "k50", 0.2)
    assert done.seconds == 0.2
    assert done.intended == done.requests == len(rows)
    assert 0.2 < done.drain_s < 0.6


def test_the_pool_is_kept_from_block_to_block(measure: Measure, right_server: str) -> None:
    """Open connections are taken before others are opened: fewer are opened than blocks run."""
    done, _ = measure(right_server, "k30", *[0.2] * 10)
    assert done[0].connects >= 1
    assert sum(block.connects for block in done) < len(done)
    assert {block.reconnects for block in done} == {0}


@pytest.mark.parametrize("notation", ["k100-new", "p100-new", "c2-new"])
def test_new_connections(measure: Measure, scripted: ScriptedServer, notation: str) -> None:
    """A connection per request, said in its header, whether or not the server keeps it open."""
    heads = []

    def script(peer: Any) -> None:
        while request := read_request(peer):
            heads.append(request)
            peer.sendall(OK)

    scripted.scripts = [script]
    (done,), rows = measure(scripted.url, notation, 0.2)
    assert done.requests == done.connects == scripted.accepted == len(rows) > 5
    assert all(b"\r\nConnection: close\r\n" in head for head in heads)


def test_no_request_in_a_block(measure: Measure, right_server: str) -> None:
    """A schedule may be empty: nothing is measured, and nothing made up."""
    (done,), rows = measure(right_server, "k1", 0.0001)
    assert (done.intended, done.requests, len(rows)) == (0, 0, 0)
    assert (done.p50_ms, done.send_lag_p99_ms, done.drain_s) == (None, None, 0.0)


SILENT = """
import json, sys, time
from bench.load.calls import Target, deck
from bench.load.client import Address, Connection, Wire
from bench.load.crew import Crew
from bench.load.open import OpenLoop
from bench.load.recorder import Recorder
from bench.load.scenarios import SCENARIOS
from bench.model import Load
target, calls = Target.parse(sys.argv[1]), SCENARIOS["read"].calls
connections = [Connection(Address.of(target), timeout_s=0.3) for _ in range(3)]
wires = [Wire.of(call, "direct", target) for call in calls]
loop = OpenLoop(0, connections, wires, deck(calls, 1), Load.parse("k50"), (1,))
crew, rows = Crew(), Recorder()
crew.grow(loop.users)
begin = time.monotonic()
ran = loop.run(crew, 0, 0.5, 2.0, rows)
print(json.dumps([time.monotonic() - begin, ran.waited, rows.rows().tolist()]))
"""


def test_a_silent_target_ends_the_block_all_the_same(scripted: ScriptedServer) -> None:
    """The timeout runs from the intended time, in the line too; nobody waits for it twice."""
    scripted.scripts = [lambda peer: time.sleep(3)]
    argv = [sys.executable, "-c", SILENT, scripted.url]
    ended = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    took, waited, rows = json.loads(ended.stdout)
    assert len(rows) == 25
    assert {row[-1] for row in rows} == {3}  # timeout
    assert waited == 22
    assert took < 0.5 + 0.3 + 0.6
    assert all(290 * MS < row[2] < 500 * MS for row in rows)
