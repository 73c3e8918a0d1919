"""What Locust's own users see: run by `locust -f`, never imported.

ONEHOP_USER names the client (FastHttpUser, HttpUser); ONEHOP_RATE holds each user to so many
requests a second, closed loop, empty: as many as it can. At the end ONEHOP_OUT gets, as JSON, the
requests, the process's own CPU seconds and wall seconds of the test, the percentiles that Locust
reports and, with a rate, every response time.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from gevent import get_hub
from locust import FastHttpUser, HttpUser, User, constant, constant_throughput, events
from locust.env import Environment

RATE = os.environ.get("ONEHOP_RATE")
QUANTILES = (0.5, 0.9, 0.95, 0.99)
times_ms: list[float] = []
began = [0.0, 0.0]  # CPU, wall

# gevent's clock stands still during imports: Locust's --run-time would end early by their second.
get_hub().loop.update_now()


def ask(user: Any) -> None:
    """Both kinds of user have the same client protocol."""
    user.client.get("/vdr/v3/folders/17?size=1024")


class AnyUser(User):
    abstract = True
    tasks = [ask]  # noqa: RUF012 - Locust's own way, an instance variable in its types
    wait_time = constant_throughput(float(RATE)) if RATE else constant(0)


if os.environ.get("ONEHOP_USER") == "HttpUser":

    class PlainUser(AnyUser, HttpUser):
        pass
else:

    class FastUser(AnyUser, FastHttpUser):
        pass


@events.test_start.add_listener  # type: ignore[untyped-decorator]  # Locust's
def _begin(**_: Any) -> None:
    began[:] = time.process_time(), time.perf_counter()


if RATE:

    @events.request.add_listener  # type: ignore[untyped-decorator]  # Locust's
    def _keep(response_time: float, **_: Any) -> None:
        times_ms.append(response_time)


@events.test_stop.add_listener  # type: ignore[untyped-decorator]  # Locust's
def _end(environment: Environment, **_: Any) -> None:
    total = environment.stats.total
    told = {
        "requests": total.num_requests - total.num_failures,
        "failures": total.num_failures,
        "cpu_s": time.process_time() - began[0],
        "seconds": time.perf_counter() - began[1],
        "times_ms": times_ms,
        "quantiles_ms": {str(q): total.get_response_time_percentile(q) for q in QUANTILES},
    }
    Path(os.environ["ONEHOP_OUT"]).write_text(json.dumps(told))
