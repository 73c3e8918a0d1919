"""The load process end to end, and what is said when it dies, hangs or is asked nonsense."""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bench.load.process import LoadProcess
from bench.load.scenarios import SCENARIOS
from bench.model import HarnessError, Load, PathName, UserError
from bench.samples import PATHS, read_samples
from tests.load.conftest import ScriptedServer, answers, read_request


def both(url: str) -> dict[PathName, str]:
    return dict.fromkeys(PATHS, url)


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadProcess]:
    log = tmp_path_factory.mktemp("load") / "load.log"
    with LoadProcess(seed=1, log=log) as process:
        yield process


def test_block_counts_what_is_on_disk(load: LoadProcess, right_server: str, tmp_path: Path) -> None:
    """A block's figures are those of its samples; only measured blocks are saved."""
    load.prepare("read", both(right_server), Load.parse("c3"))
    load.block("proxied", 0.1, index=0, measured=False)
    done = [load.block(path, 0.3, index) for index, path in enumerate(PATHS)]
    file = tmp_path / "round-1.parquet"
    saved = load.save(file)
    rows = read_samples(file)
    assert saved.rows == len(rows) == sum(block.requests for block in done)
    assert saved.bytes == file.stat().st_size
    for block in done:
        mine = rows[rows["block"] == block.index]
        assert (mine["path"] == PATHS.index(block.path)).all()
        assert len(mine) == block.requests > 0 == block.errors
        assert set(mine["connection"]) == {0, 1, 2}
        assert set(mine["bytes"]) == {1024}
        assert block.p50_ms == pytest.approx(sorted(mine["latency_ns"])[len(mine) // 2] / 1e6, 0.1)
        assert (mine["intended_ns"] == mine["sent_ns"]).all()
        assert mine["sent_ns"].min() >= block.started_ns
        assert mine["sent_ns"].max() < block.started_ns + 0.3e9


def test_duration_makes_the_rate_unbiased(load: LoadProcess, scripted: ScriptedServer) -> None:
    """Answers of 200 ms in a block of 250 ms: two each, in 400 ms; at 5 a second, not at 8."""

    def slowly(peer: socket.socket) -> None:
        while read_request(peer):
            time.sleep(0.2)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + b"x" * 1024)

    scripted.scripts = [slowly]
    load.prepare("read", both(scripted.url), Load.parse("c2"))
    block = load.block("direct", 0.25, index=0)
    assert (block.requests, block.errors) == (4, 0)
    assert block.seconds == pytest.approx(0.4, abs=0.1)
    assert block.rps == pytest.approx(10, rel=0.2)


def test_mix_is_exact_and_named(load: LoadProcess, right_server: str, tmp_path: Path) -> None:
    """The mixed scenario's calls come in their weights, and the file names them."""
    load.prepare("mixed", both(right_server), Load.parse("c1"))
    block = load.block("direct", 0.6, index=0)
    assert (block.errors_by_kind, block.requests > 100) == ({}, True)
    load.save(tmp_path / "x.parquet")
    first = Counter(read_samples(tmp_path / "x.parquet")["call"][:100].tolist())
    calls = SCENARIOS["mixed"].calls
    assert first == {index: call.weight for index, call in enumerate(calls)}
    metadata = pq.read_metadata(tmp_path / "x.parquet").metadata[b"onehop"].decode()
    assert all(call.name in metadata for call in calls)


def test_users_grow_and_shrink(load: LoadProcess, right_server: str) -> None:
    """Every block runs on as many connections as its Prepare asked for."""
    for connections in (1, 20, 2):
        load.prepare("read", both(right_server), Load("closed", connections))
        assert load.block("direct", 0.1, 0).connects == connections


def test_errors_are_counted_by_kind_not_as_rate(
    load: LoadProcess, scripted: ScriptedServer, tmp_path: Path
) -> None:
    """Failures are no throughput: a target that only fails has rate 0 and no median."""
    scripted.scripts = [answers(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")]
    load.prepare("read", both(scripted.url), Load.parse("c1"))
    block = load.block("proxied", 0.2, index=0)
    assert (block.requests, block.rps, block.p50_ms) == (0, 0, None)
    assert block.errors_by_kind["bad-status"] == block.errors > 0
    load.save(tmp_path / "x.parquet")
    assert len(read_samples(tmp_path / "x.parquet")) == block.errors


def test_dead_target_is_not_hammered(load: LoadProcess, scripted: ScriptedServer) -> None:
    """A refused user pauses before it asks again."""
    scripted.close()
    load.prepare("read", both(scripted.url), Load.parse("c2"))
    block = load.block("proxied", 0.3, index=0)
    assert set(block.errors_by_kind) == {"refused"}
    assert 2 < block.errors <= 62


def test_many_blocks_do_not_grow(load: LoadProcess, right_server: str) -> None:
    """Hundreds of blocks leave the process as large as it was."""
    load.prepare("read", both(right_server), Load.parse("c2"))

    def blocks(count: int) -> float:
        for _ in range(count):
            load.block("direct", 0.003, 0, measured=False)
        return load.process.tree()[0].memory_info().rss / 2**20

    before = blocks(50)
    assert blocks(300) - before < 1.0


@pytest.mark.parametrize(
    ("scenario", "url", "words"),
    [
        (
            "reed",
            "http://127.0.0.1:1",
            "no scenario 'reed'; there are bulk-download, bulk-upload, download",
        ),
        ("read", "127.0.0.1", "base URL '127.0.0.1' is not understood"),
        ("read", "http://no-such-host.invalid", "cannot resolve no-such-host.invalid"),
    ],
)
def test_nonsense_is_the_users_mistake(
    load: LoadProcess, scenario: str, url: str, words: str
) -> None:
    """A wrong name comes back as one clear line, and the process lives on."""
    with pytest.raises(UserError, match=words):
        load.prepare(scenario, both(url), Load.parse("c1"))
    assert load.process.alive


def test_full_disk_keeps_the_samples(load: LoadProcess, right_server: str, tmp_path: Path) -> None:
    """A save that finds no room is the user's to cure, and can be asked for again."""
    load.prepare("read", both(right_server), Load.parse("c2"))
    done = load.block("direct", 0.3, 0)
    limits = resource.prlimit(
        load.process.pid, resource.RLIMIT_FSIZE, (512, resource.RLIM_INFINITY)
    )
    with pytest.raises(UserError, match="disk full: cannot write"):
        load.save(tmp_path / "x.parquet")
    resource.prlimit(load.process.pid, resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []
    assert load.save(tmp_path / "x.parquet").rows == done.requests


def test_block_without_prepare_is_the_harness_fault(tmp_path: Path) -> None:
    """A block before any Prepare is refused."""
    with (
        LoadProcess(seed=1, log=tmp_path / "log") as process,
        pytest.raises(HarnessError, match="before it was prepared"),
    ):
        process.block("direct", 0.1, 0)


@pytest.mark.parametrize(
    ("signum", "words"), [(signal.SIGKILL, "has ended"), (signal.SIGSTOP, "did not answer within")]
)
def test_dead_or_hung(tmp_path: Path, right_server: str, signum: int, words: str) -> None:
    """A load process that dies or hangs is a harness error within its deadline, and is ended."""
    with LoadProcess(seed=1, log=tmp_path / "log", overtime_s=0.5) as process:
        process.prepare("read", both(right_server), Load.parse("c1"))
        os.kill(process.process.pid, signum)
        with pytest.raises(HarnessError, match=words):
            process.block("direct", 0.1, 0)
        begin = time.monotonic()
    assert (process.process.alive, time.monotonic() - begin < 4) == (False, True)


def test_ends_with_its_harness(tmp_path: Path) -> None:
    """The end of its input is enough for the load process to end."""
    with LoadProcess(seed=1, log=tmp_path / "log") as process:
        assert process.process.popen.stdin is not None
        process.process.popen.stdin.close()
        assert process.process.popen.wait(5) == 0
