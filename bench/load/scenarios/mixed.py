"""All 12 endpoints of the VDR API, weighted as an integration that browses more than it writes.

`locust -f bench/load/scenarios/mixed.py --host http://127.0.0.1:8080` drives the hop with it.
"""

import sys

from bench.load.calls import Call, Scenario

JSON = (("Content-Type", "application/json"),)
BINARY = (("Content-Type", "application/octet-stream"),)
FOLDER = "/vdr/v3/folders/17"
FILE = "/vdr/v3/files/17"

SCENARIO = Scenario(
    name="mixed",
    summary="all 12 endpoints, weighted: 82% reads, 18% writes",
    calls=(
        Call("get-folder", "/folder/17?size=1024", f"{FOLDER}?size=1024",
             expect_bytes=1024, weight=24),
        Call("list-children", "/folder/17/children?size=8192", f"{FOLDER}/items?size=8192",
             expect_bytes=8192, weight=18),
        Call("get-file", "/file/17?size=1024", f"{FILE}?size=1024",
             expect_bytes=1024, weight=16),
        Call("download-file", "/file/17/content?size=65536", f"{FILE}/content?size=65536",
             expect_bytes=65536, weight=10),
        Call("search", "/search?q=annual%20report&page=2&size=4096",
             "/vdr/v3/search?q=annual%20report&page=2&size=4096",
             expect_bytes=4096, weight=8),
        Call("current-user", "/me?size=512", "/vdr/v3/users/current?size=512",
             expect_bytes=512, weight=6),
        Call("create-folder", "/folder/17/children?size=512", f"{FOLDER}/items?size=512", "POST",
             b'{"name": "Due diligence"}', JSON, 201, expect_bytes=512, weight=4),
        Call("rename-folder", "/folder/17?size=512", f"{FOLDER}?size=512", "PATCH",
             b'{"name": "Closing"}', JSON, expect_bytes=512, weight=3),
        Call("move-folder", "/folder/17/parent?size=512", f"{FOLDER}/parent?size=512", "PUT",
             b'{"parent": 4}', JSON, expect_bytes=512, weight=2),
        Call("delete-folder", "/folder/17", FOLDER, "DELETE",
             expect_status=204, expect_bytes=0, weight=2),
        Call("restore-folder", "/folder/17/restore?size=512", f"{FOLDER}/restore?size=512", "POST",
             expect_bytes=512, weight=2),
        Call("upload-file", "/folder/17/files?size=512", f"{FOLDER}/files?size=512", "POST",
             bytes(range(256)) * 64, BINARY, 201, expect_bytes=512, weight=5),
    ),
)  # fmt: skip

if "locust" in sys.modules:
    from bench.load.user import HopUser

    class MixedUser(HopUser):
        scenario = SCENARIO
