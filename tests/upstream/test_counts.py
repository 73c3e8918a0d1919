"""Requests told apart by the address of the stub that they came to."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path

import pytest

from bench.upstream import ALIASES, start_upstream


@pytest.mark.skipif(not ALIASES, reason="only Linux has the whole of 127/8 on its loopback")
def test_each_address_counts_its_own(tmp_path: Path) -> None:
    """Every address answers alike, is counted by itself, and is the one that redirects name."""
    with start_upstream(tmp_path / "log", aliases=ALIASES[:2]) as stub:
        first, second = stub.backends
        before = stub.counts()
        for url, number in ((first, 3), (second, 5)):
            for _ in range(number):
                with urllib.request.urlopen(f"{url}/vdr/v3/folders/7?size=700") as answer:
                    assert len(answer.read()) == 700
        with urllib.request.urlopen(f"{second}/vdr/v3/folders/1?redirect=1") as answer:
            assert answer.url == f"{second}/vdr/v3/folders/7"
        after = stub.counts()
        grown = {url: after.get(url, 0) - before.get(url, 0) for url in stub.backends}
        assert grown == {first: 3, second: 5 + 2}


@pytest.mark.skipif(not ALIASES, reason="only Linux has the whole of 127/8 on its loopback")
def test_one_address_is_slow(tmp_path: Path) -> None:
    """What is asked for at the slow address takes 20 ms longer, the second time too."""
    with start_upstream(tmp_path / "log", aliases=ALIASES[:1]) as stub:
        for _ in range(2):
            begin = time.perf_counter()
            with urllib.request.urlopen(f"{stub.slow}/vdr/v3/folders/7?size=700") as answer:
                assert len(answer.read()) == 700
            assert time.perf_counter() - begin >= 0.02
