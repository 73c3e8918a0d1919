"""Read a folder from an upstream that takes 20 ms, lognormal: what a real API is like.

Here the hop mostly waits, so its concurrency is what shows. Use many connections.
`locust -f bench/load/scenarios/slow_upstream.py --host http://127.0.0.1:8080` drives the hop.
"""

import sys

from bench.load.calls import Call, Scenario

SCENARIO = Scenario(
    name="slow-upstream",
    summary="GET a folder whose upstream takes 20 ms (lognormal, sigma 0.3)",
    calls=(
        Call(
            name="get-folder-slow",
            proxied="/folder/17?size=1024&delay=lognormal:20:0.3",
            direct="/vdr/v3/folders/17?size=1024&delay=lognormal:20:0.3",
            expect_bytes=1024,
        ),
    ),
)

if "locust" in sys.modules:
    from bench.load.user import HopUser

    class SlowUpstreamUser(HopUser):
        scenario = SCENARIO
