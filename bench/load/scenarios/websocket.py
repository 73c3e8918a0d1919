"""Echo over a WebSocket: 64 bytes to the upstream and back, on connections that stay open.

A request is a message, its latency the round trip to the echo. Only a server with WebSockets can.
`locust -f bench/load/scenarios/websocket.py --host http://127.0.0.1:8080` drives the hop with it.
"""

import sys

from bench.load.calls import Call, Scenario

SCENARIO = Scenario(
    name="websocket",
    summary="a WebSocket message of 64 bytes and its echo",
    calls=(
        Call(
            name="echo",
            proxied="/events",
            direct="/vdr/v3/events",
            expect_status=101,
            expect_bytes=64,
            message=bytes(range(64)),
        ),
    ),
)

if "locust" in sys.modules:
    from bench.load.user import HopUser

    class WebSocketUser(HopUser):
        scenario = SCENARIO
