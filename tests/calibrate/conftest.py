"""A rig that the tests share: the calibration server and a load process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.calibrate.rig import Rig, open_rig


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder: Path = tmp_path_factory.mktemp("rig")
    with open_rig(folder, seed=1) as running:
        yield running
