"""Upload a big file: 100 MiB, so that what counts is the cost of a byte, not of a request.

`locust -f bench/load/scenarios/bulk_upload.py --host URL` drives the hop at that URL with it.
"""

import sys

from bench.load.calls import Call, Scenario

MIB = bytes(range(256)) * 4096

SCENARIO = Scenario(
    name="bulk-upload",
    summary="POST a file, 100 MiB streamed",
    calls=(
        Call(
            name="upload-big-file",
            proxied="/folder/17/files?size=512",
            direct="/vdr/v3/folders/17/files?size=512",
            method="POST",
            body=MIB,
            times=100,
            headers=(("Content-Type", "application/octet-stream"),),
            expect_status=201,
            expect_bytes=512,
        ),
    ),
)

if "locust" in sys.modules:
    from bench.load.user import HopUser

    class BulkUploadUser(HopUser):
        scenario = SCENARIO
