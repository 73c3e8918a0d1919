"""Read a folder's details: 1 KiB of JSON, the commonest call of an integration.

`locust -f bench/load/scenarios/read.py --host http://127.0.0.1:8080` drives the hop with it.
"""

import sys

from bench.load.calls import Call, Scenario

SCENARIO = Scenario(
    name="read",
    summary="GET a folder, 1 KiB of JSON",
    calls=(
        Call(
            name="get-folder",
            proxied="/folder/17?size=1024",
            direct="/vdr/v3/folders/17?size=1024",
            expect_bytes=1024,
        ),
    ),
)

if "locust" in sys.modules:
    from bench.load.user import HopUser

    class ReadUser(HopUser):
        scenario = SCENARIO
