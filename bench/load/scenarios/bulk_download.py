"""Download a big file: 100 MiB, so that what counts is the cost of a byte, not of a request.

`locust -f bench/load/scenarios/bulk_download.py --host URL` drives the hop at that URL with it.
"""

import sys

from bench.load.calls import Call, Scenario

SIZE = 100 << 20

SCENARIO = Scenario(
    name="bulk-download",
    summary="GET a file's content, 100 MiB streamed",
    calls=(
        Call(
            name="download-big-file",
            proxied=f"/file/17/content?size={SIZE}",
            direct=f"/vdr/v3/files/17/content?size={SIZE}",
            expect_bytes=SIZE,
        ),
    ),
)

if "locust" in sys.modules:
    from bench.load.user import HopUser

    class BulkDownloadUser(HopUser):
        scenario = SCENARIO
