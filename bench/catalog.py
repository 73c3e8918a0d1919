"""Every name that a user may type, gathered from where each variant is declared; and PROFILES.

Servers and scenarios are files, interpreters and balancers table lines; this module adds nothing
to them but the profiles: how much is measured under one word.
"""

from __future__ import annotations

from bench.balancers import BALANCERS, PROGRAMS
from bench.clients import CLIENTS, PLAIN, client_names
from bench.interpreters import ALIASES, INTERPRETERS
from bench.load.scenarios import SCENARIOS
from bench.locks import locked_version
from bench.plan import Catalog, Group, Profile
from servers import SERVERS
from servers.spec import AS_SHIPPED, PY2

CPYTHON = ALIASES["cpython"]
PYPY = ALIASES["pypy"]
EVERY = tuple(SERVERS)
OLD = tuple(name for name, server in SERVERS.items() if PY2 in server.unsupported)
FEW = ("waitress", "gunicorn-gthread", "bjoern")  # a server of threads, one of workers, one in C
BEFORE = (":0", "+default:0", ":2", "+default:2")
SPECIAL = (
    *("+tls:2", "+close:2"),
    *("+slow/round-robin:3", "+slow/least-conn:3", "+slow/random-two:3"),
)
# Workers of the server itself against as many ports behind a balancer.
SCALE = ("1", "w2", "w4", "w8", "nginx:1", "nginx:2", "nginx:4", "nginx:8")

# A hundred MiB at a time: one connection is enough, a cell of 64 would hold gigabytes in flight.
BULK = tuple(name for name in SCENARIOS if name.startswith("bulk-"))

# The quick look stays quick however many servers there are.
SOME = (
    *("wsgiref", "waitress", "gevent", "meinheld", "bjoern", "granian", "uwsgi"),
    *("gunicorn-sync", "gunicorn-gthread", "gunicorn-gevent", "gunicorn-meinheld"),
)

PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            name="quick",
            summary="eleven servers, three of them on PyPy too, one balancer; under 8 minutes",
            groups=(
                Group(SOME, (CPYTHON,)),
                Group(FEW, (PYPY,)),
                Group(("waitress",), (CPYTHON,), ("nginx:2",)),
            ),
            scenarios=("read",),
            loads=("c1", "c16"),
            rounds=4,
            seconds=2.2,
        ),
        Profile(
            name="standard",
            summary="every server, on both interpreters and as shipped; under an hour",
            groups=(
                Group(EVERY, (CPYTHON, PYPY)),
                Group(EVERY, (CPYTHON,), tracks=(AS_SHIPPED,)),
                Group(OLD, (PY2,)),
            ),
            scenarios=("read",),
            loads=("c1", "c16"),
            rounds=3,
            seconds=1.5,
        ),
        Profile(
            name="balancers",
            summary="every balancer alone and before two, policies, TLS, scaling; under 30 minutes",
            groups=(
                Group(
                    ("waitress",),
                    (CPYTHON,),
                    (
                        "1",
                        *(f"{name}{rest}" for name in PROGRAMS for rest in BEFORE),
                        *(f"{name}{rest}" for name in ("nginx", "haproxy") for rest in SPECIAL),
                        *("nginx:1", "nginx:4", "nginx:8"),
                    ),
                ),
                Group(("gunicorn-gthread",), (CPYTHON,), SCALE),
            ),
            scenarios=("read",),
            loads=("c1", "c16"),
            rounds=3,
            seconds=1.8,
        ),
        Profile(
            name="clients",
            summary="every client on a fast server, the asyncio peers, 20 ms too; under 30 minutes",
            groups=(
                Group(("bjoern",), (CPYTHON,), clients=tuple(client_names())),
                Group(("meinheld", "granian"), (CPYTHON,)),
                Group(("gunicorn-gevent",), (CPYTHON,), clients=("lean", "requests")),
                Group(("asgi-uvicorn", "aiohttp-proxy"), (CPYTHON,)),
                Group(("bjoern",), (PYPY,), clients=("lean", "httpclient", "urllib3")),
                Group(("waitress", "gevent"), (PYPY,)),
            ),
            scenarios=("read", "slow-upstream"),
            loads=("c1", "c16", "c128"),
            rounds=3,
            seconds=1.2,
        ),
        Profile(
            name="bulk",
            summary="100 MiB down and up: servers, the asyncio peers, nginx; under 20 minutes",
            groups=(
                Group(("waitress",), (CPYTHON,), ("nginx:0",)),
                Group(("bjoern", "meinheld", "waitress", "gunicorn-gthread"), (CPYTHON,)),
                Group(("gevent", "granian", "uwsgi"), (CPYTHON,)),
                Group(("asgi-uvicorn", "aiohttp-proxy"), (CPYTHON,)),
                Group(("waitress", "gunicorn-gthread"), (PYPY,)),
            ),
            scenarios=BULK,
            loads=("c1",),
            rounds=3,
            seconds=1.2,
        ),
        Profile(
            name="full",
            summary="standard, and all scenarios, more connections, scaling; ten hours",
            groups=(
                Group(EVERY, (CPYTHON, PYPY)),
                Group(EVERY, (CPYTHON,), tracks=(AS_SHIPPED,)),
                Group(OLD, (PY2,)),
                Group(FEW, (CPYTHON, PYPY), ("nginx:1", "nginx:2", "nginx:4")),
                Group(("gunicorn-gthread",), (CPYTHON, PYPY), ("w2", "w4")),
            ),
            scenarios=tuple(name for name in SCENARIOS if name not in BULK),
            loads=("c1", "c16", "c64"),
            rounds=5,
            seconds=4.0,
        ),
    )
}


def catalog() -> Catalog:
    """What planning needs to know of each name."""
    return Catalog(
        servers=SERVERS,
        interpreters=dict(INTERPRETERS),
        balancers={name: tuple(one.policies) for name, one in BALANCERS.items()},
        scenarios={name: one.summary for name, one in SCENARIOS.items()},
        profiles=PROFILES,
        needs={name: one.needs for name, one in SCENARIOS.items() if one.needs},
        version=locked_version,
        clients={name: CLIENTS.get(name, PLAIN) for name in client_names()},
    )
