"""What one run left out, for another: CI runs the tests twice, and each test at least once.

`--left-out FILE` writes the ids of all that was skipped. `--again FILE` runs those alone, and what
answers differently where more is installed (DIFFERS).
"""

from __future__ import annotations

from itertools import compress
from operator import not_
from pathlib import Path

import pytest

DIFFERS = ("tests/balancers/",)  # a system's nginx and HAProxy go before a wheel's


class LeftOut:
    """Gathers what was skipped; of several workers' reports, the one process that gets them all."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.ids: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self.ids.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Added to what an earlier run of the same session has left out."""
        with self.file.open("a") as file:
            file.writelines(f"{one}\n" for one in self.ids)


def options(parser: pytest.Parser) -> None:
    group = parser.getgroup("again")
    group.addoption("--left-out", metavar="FILE", help="write there what is skipped")
    group.addoption("--again", metavar="FILE", help="only what is named there, or may differ")


def configure(config: pytest.Config) -> None:
    file = config.getoption("--left-out")
    if file and not hasattr(config, "workerinput"):
        config.pluginmanager.register(LeftOut(Path(file).absolute()))


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what an earlier run has done, and would do alike here."""
    file = config.getoption("--again")
    if not file:
        return
    wanted = set(Path(file).read_text().splitlines())
    again = [one.nodeid in wanted or one.nodeid.startswith(DIFFERS) for one in items]
    config.hook.pytest_deselected(items=[*compress(items, map(not_, again))])
    items[:] = compress(items, again)
