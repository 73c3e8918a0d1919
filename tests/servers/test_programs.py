"""The system's own programs, and a run that does without them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.processes import ROOT

ASK = "from servers.fronts.programs import installed; print(installed('sh'))"


@pytest.mark.parametrize(("told", "found"), [("hide", False), ("", True)])
def test_the_systems_programs_can_be_hidden(told: str, found: bool) -> None:
    """ONEHOP_SYSTEM=hide: what wheels bring is all there is, as on a new machine."""
    ended = subprocess.run(
        [sys.executable, "-c", ASK],
        env={**os.environ, "ONEHOP_SYSTEM": told},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert (ended.stdout.strip() != "None") == found
