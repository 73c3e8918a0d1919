"""Which tests share a worker under xdist: those that share what runs, each file else.

xdist's own `--dist loadgroup` marks a group in a test's id, which pytest 9.2 no longer takes: what
shared a server was spread over all workers, and each of them built and started it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

# What shares a running server, balancer or client: all of one group, whatever the function.
TOGETHER = (
    r"(?P<group>tests/servers/\w+\.py)::\S+\["
    r"(?P<name>[\w-]+-(?:cpython|pypy)-\d\.\d+(?:-as-shipped)?)",
    r"(?P<group>tests/balancers/test_balancer_features)\S+::test_shared\[(?P<name>\S+?-(?:best|default))-",
    r"(?P<group>tests/proxy_app/test_clients)\.py::test_contract\[(?P<name>[a-z0-9]+)",
)
# Files whose tests share nothing, and take long together.
APART = (
    "tests/servers/test_contract.py",
    "tests/servers/test_fronts.py",
    "tests/balancers/test_balancer_features.py",
    "tests/balancers/test_balancer_policies.py",
    "tests/balancers/test_balancers_nginx.py",
    "tests/balancers/test_deploy.py",
    "tests/load/test_locust_files.py",
    "tests/test_run.py",
    "tests/test_turn.py",
)
# What takes longest goes first, so that no worker waits for another at the end.
FIRST = (
    *("cgi-", "diesel", "pypy"),
    *("tests/proxy_app/test_clients", "tests/report", "tests/test_", "tests/servers"),
)


# What measures, floods, or judges by the clock: by itself. The beginnings of test ids.
ALONE = (
    "tests/calibrate/test_rig.py",
    "tests/faults/test_faults_run.py::test_a_killed",
    "tests/faults/test_faults_run.py::test_a_poison",
    "tests/faults/test_faults_run.py::test_ctrl_c",
    "tests/faults/test_faults_run.py::test_the_race",
    "tests/load/test_alarm.py",
    "tests/load/test_arrival.py",
    "tests/load/test_client.py",
    "tests/load/test_hostile_target.py",
    "tests/load/test_locust_files.py::test_runs_by_itself[bulk-",
    "tests/load/test_open_loop.py",
    "tests/load/test_process.py",
    "tests/load/test_tls.py",
    "tests/load/test_websocket_client.py",
    "tests/machine/test_quota.py",
    "tests/servers/test_declarations.py::test_a_toy_from_a_folder",
    "tests/test_profile.py::test_a_flame_graph",
    "tests/test_run.py::test_a_hop_of_the_users_own",
    "tests/test_run.py::test_a_run_",
    "tests/test_run.py::test_ctrl_c",
    "tests/test_run.py::test_kill_9",
    "tests/test_run.py::test_run_json",
    "tests/test_run.py::test_the_report_comes_back",
    "tests/test_run.py::test_the_upstream_counts",
)


def group_of(nodeid: str) -> str:
    """The name of the group that a test belongs to: `tests/servers/ waitress-pypy-3.11`."""
    for pattern in TOGETHER:
        if found := re.match(pattern, nodeid):
            return f"{found['group']} {found['name']}"
    file = nodeid.partition("::")[0]
    return nodeid if file in APART else file


def rank(nodeid: str) -> int:
    """The place of its group in the queue: the lowest first."""
    group = group_of(nodeid)
    return next((i for i, word in enumerate(FIRST) if word in group), len(FIRST))


def scheduler(config: object, log: object) -> LoadScopeScheduling:
    """xdist's scheduler of scopes, with these groups for scopes."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    config.option.loadscopereorder = False  # type: ignore[attr-defined]  # `rank` has ordered them
    return Groups(config, log)
