"""Download a file: 1 MiB that the hop has to stream.

`locust -f bench/load/scenarios/download.py --host http://127.0.0.1:8080` drives the hop with it.
"""

import sys

from bench.load.calls import Call, Scenario

SCENARIO = Scenario(
    name="download",
    summary="GET a file's content, 1 MiB streamed",
    calls=(
        Call(
            name="download-file",
            proxied="/file/17/content?size=1048576",
            direct="/vdr/v3/files/17/content?size=1048576",
            expect_bytes=1 << 20,
        ),
    ),
)

if "locust" in sys.modules:
    from bench.load.user import HopUser

    class DownloadUser(HopUser):
        scenario = SCENARIO
