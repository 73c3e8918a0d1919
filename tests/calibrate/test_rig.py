"""The calibration server and the load process, really running."""

import http.client

import numpy as np
import pytest

from bench.calibrate.foreign import run_locust, run_wrk
from bench.calibrate.generators import measure_agreement
from bench.calibrate.known import measure_resolution
from bench.calibrate.rig import HOST, Rig, paired_order, round_samples, service_ns
from bench.calibrate.short import measure_floor
from bench.calibrate.truth import measure
from bench.model import TargetError
from bench.samples import PATHS


@pytest.mark.parametrize(
    ("delay", "least_ms"), [("none", 0), ("constant:0.3", 0.3), ("constant:5", 5)]
)
def test_answers_are_never_early(rig: Rig, delay: str, least_ms: float) -> None:
    """The log holds each request of the load, none answered before it was due, all seen later."""
    rig.aim(delay, delay, "c2")
    done = rig.block("direct", 0.2)
    log, rows = rig.log(), rig.samples()
    assert len(log) == len(rows) == done.requests > 10
    parsed, due, written = log.T
    assert (due - parsed == int(least_ms * 1e6)).all()
    assert (written >= due).all()
    assert service_ns(rows).min() > least_ms * 1e6
    assert np.sort(service_ns(rows))[len(rows) // 2] >= np.median(written - parsed)


def test_log_starts_anew(rig: Rig) -> None:
    """What was logged is told once."""
    rig.aim("none", "none", "c1")
    rig.block("direct", 0.1)
    rig.samples()
    assert len(rig.log()) > 0
    assert len(rig.log()) == 0


def test_unknown_delay_is_not_found(rig: Rig) -> None:
    """The server does not guess what a delay means."""
    connection = http.client.HTTPConnection(HOST, rig.port, timeout=5)
    connection.request("GET", "/slowly/x")
    assert connection.getresponse().status == 404
    connection.close()


def test_blocks_fall_to_their_paths(rig: Rig) -> None:
    """A run's blocks come back by path, the delayed ones later by the delay."""
    rig.aim("none", "constant:1", "c1")
    for index, path in enumerate((*PATHS, *reversed(PATHS))):
        rig.block(path, 0.1, index)
    found = round_samples(rig.samples())
    assert [len(found.direct), len(found.proxied)] == [2, 2]
    extra = np.median(np.concatenate(found.proxied)) - np.median(np.concatenate(found.direct))
    assert extra > 0.9e6


def test_pairs_hold_both_paths() -> None:
    """Every pair has a direct and a proxied block; the order within varies."""
    import random

    order = paired_order(random.Random(1), 20)
    pairs = [tuple(order[n : n + 2]) for n in range(0, 40, 2)]
    assert {tuple(sorted(pair)) for pair in pairs} == {("direct", "proxied")}
    assert len(set(pairs)) == 2


def test_truth_sees_the_same_requests_on_both_sides(rig: Rig) -> None:
    """Each delay has its blocks, and each block as many requests on either side."""
    measured = measure(rig, seconds=0.2, blocks=2)
    for pairs in measured.values():
        assert len(pairs) == 2
        assert all(len(server) == len(seen) > 0 for server, seen in pairs)


def test_floor_is_measured(rig: Rig) -> None:
    """The short form says what shows at p50 and how late requests leave."""
    floor = measure_floor(rig.load, rig.url("none"), rig.folder, seed=1, seconds=1.0)
    assert floor.visible_ms[0.5] > 0
    assert 0 < floor.send_lag_p50_ms <= floor.send_lag_p99_ms
    assert "µs" in floor.words


def test_the_resolution_is_measured(rig: Rig) -> None:
    """Known delays by the same load process, each size by quantile."""
    found = measure_resolution(rig.load, rig.folder, seed=1, blocks={0.1: 0.1, 1.0: 0.3})
    assert {one.extra_ms for one in found} <= {0.1, 1.0}
    assert (0.5, 1.0) in {(one.q, one.extra_ms) for one in found}
    assert all(one.error_ms > 0 for one in found)


def test_locust_reports_and_keeps_its_times(rig: Rig) -> None:
    """Locust's own user is run, held to its rate, and its percentiles are those of its times."""
    url = rig.url("constant:5")
    told = run_locust("FastHttpUser", url, rig.folder, users=2, seconds=2, rate=20)
    assert 20 < told.requests <= 90
    assert told.quantiles_ms[0.5] == pytest.approx(np.median(told.times_ms), abs=1)
    assert min(told.times_ms) >= 5
    assert 0 < told.cpu_s < told.seconds < 10


def test_wrk_agrees_on_a_slow_server(rig: Rig, missing: object) -> None:
    """wrk and the lean user both see the delay."""
    try:
        wrk = run_wrk(rig.url("constant:5") + "/x", rig.folder, connections=4, seconds=1)
    except TargetError as error:
        missing(str(error))  # type: ignore[operator]
    assert wrk.quantiles_ms[0.5] >= 5
    assert wrk.requests > 50
    assert wrk.cpu_s > 0
    measured = measure_agreement(rig, seconds=1)
    assert all(lean.requests > 0 and lean.quantiles_ms[0.5] > 0 for _, lean in measured.values())
