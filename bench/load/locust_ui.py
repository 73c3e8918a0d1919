"""The locustfile of the `locust` verb: direct and proxied users side by side, half and half.

`locust -f bench/load/locust_ui.py --web-host 127.0.0.1`, with the two base URLs in ONEHOP_DIRECT
and ONEHOP_PROXIED and the scenario's name in ONEHOP_SCENARIO (read where it is not set). In the
statistics every call has two rows, of type `direct` and of type `proxied`.
"""

from __future__ import annotations

import os
import sys

from bench.load.scenarios import SCENARIOS
from bench.load.user import HopUser


def _setting(name: str, default: str = "") -> str:
    value = os.environ.get(name) or default
    if not value:
        sys.exit(f"{name} is not set; it holds a base URL such as http://127.0.0.1:8080")
    return value


def _scenario_name() -> str:
    name = _setting("ONEHOP_SCENARIO", "read")
    if name not in SCENARIOS:
        sys.exit(f"ONEHOP_SCENARIO={name}: there are {', '.join(SCENARIOS)}")
    return name


class DirectUser(HopUser):
    scenario = SCENARIOS[_scenario_name()]
    path = "direct"
    base_url = _setting("ONEHOP_DIRECT")


class ProxiedUser(HopUser):
    scenario = SCENARIOS[_scenario_name()]
    path = "proxied"
    base_url = _setting("ONEHOP_PROXIED")
