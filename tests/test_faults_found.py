"""docs/faults-found.md: every row has its tests, and every test that it names exists."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from tests.verbs import ROOT

DOCUMENT = ROOT / "docs/faults-found.md"
COLUMNS = 5
NAME = re.compile(r"`([\w/]+\.py::\w+)(?:\[([^`]+)\])?`")
ROWS = [
    line.strip("|").split(" | ")
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| kind |")
]
NAMED = [found.groups() for row in ROWS for found in NAME.finditer(row[-1])]


def test_every_row_has_a_test() -> None:
    """Five columns, and nothing in the last one but names of tests."""
    assert len(ROWS) > 25
    for row in ROWS:
        assert len(row) == COLUMNS, row
        assert NAME.search(row[-1]), row
        assert not NAME.sub("", row[-1]).strip(), row


def test_every_test_is_collected() -> None:
    """Pytest itself is asked for them, with the ids of all their cases."""
    files = sorted({f"tests/{name.partition('::')[0]}" for name, _ in NAMED})
    plain = ("-o", "addopts=--import-mode=importlib", "-p", "no:cacheprovider", "-W", "ignore")
    argv = [sys.executable, "-m", "pytest", *plain, "--collect-only", "-q", *files]
    env = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=300, cwd=ROOT, env=env)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr
    collected: dict[str, list[str]] = {}
    for line in ended.stdout.splitlines():
        name, _, case = line.partition("[")
        collected.setdefault(name, []).append(case)
    for name, part in NAMED:
        cases = collected.get(f"tests/{name}", [])
        assert any((part or "") in case for case in cases), f"{name}[{part or ''}]"
