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
    r"(?P<group>tests/servers/)\S+\[(?P<name>[\w-]+-(?:cpython|pypy)-\d\.\d+)",
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
)
# What takes longest goes first, so that no worker waits for another at the end.
FIRST = ("pypy", "tests/proxy_app/test_clients", "tests/report", "tests/test_", "tests/servers")


# What measures, floods, or takes its turn at measuring on this machine: by itself.
ALONE = (
    "tests/load/",
    "tests/calibrate/",
    "tests/faults/test_faults_run",
    "tests/machine/test_quota",
    *("tests/test_compare.py", "tests/test_outside.py", "tests/test_profile.py"),
    *("tests/test_resume", "tests/test_run", "tests/test_secrets_of_a_run", "tests/test_turn"),
    "tests/test_streams.py",
    "tests/servers/test_declarations.py::test_a_toy_from_a_folder",
    "tests/balancers/test_balancer_of_the_web_ui.py",
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
