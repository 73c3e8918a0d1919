"""One file per scenario; SCENARIOS maps each scenario's name to its table of calls.

The folder is scanned, so adding a scenario is adding a file. Every file also runs under plain
`locust -f`: where locust is loaded already, and only there, it defines the User class too. The
harness reads the tables without ever importing locust.
"""

import importlib
import pkgutil

from bench.load.calls import Scenario

SCENARIOS: dict[str, Scenario] = {}

for _info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
    _scenario: Scenario = importlib.import_module(f"{__name__}.{_info.name}").SCENARIO
    SCENARIOS[_scenario.name] = _scenario
