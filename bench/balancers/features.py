"""FEATURES: what a balancer may or may not do, by name; and how a balancer's file says so.

tests/balancers/ holds every balancer in both profiles to it with real traffic, both ways: a stated
'no' that works is a failure too. docs/balancers.md is generated from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from servers.versions import ALL, Versions

Profile = Literal["best", "default"]

FEATURES: Mapping[str, str] = {
    "spread": "every backend gets its share of 30 requests",
    "pool": "30 one-request clients cost the backends fewer than 30 connections",
    "http11": "it speaks HTTP/1.1 to the backends",
    "host": "the backend sees the client's Host",
    "forwarded-for": "X-Forwarded-For ends with the client's address",
    "real-ip": "X-Real-IP is the client's address",
    "no-forgery": "a forged X-Real-IP or X-Forwarded-Proto is not passed",
    "forwarded-proto": "X-Forwarded-Proto is the client's scheme",
    "methods": "PUT, PATCH and DELETE pass",
    "stream-down": "the first byte of an answer in chunks arrives before the last is made",
    "stream-length": "the same for an answer whose length was told",
    "stream-up": "the backend has the first byte of a body once 64 KiB of it are sent",
    "stream-up-small": "the backend has the first byte of a body once 9 bytes of it are sent",
    "large-body": "10 MiB pass, both ways",
    "large-headers": "one header of 6 KiB passes, both ways",
    "websocket": "a WebSocket handshake and what follows pass",
    "keep-alive": "10 requests of one client cost one backend fewer than 10 connections",
    "retry": "no GET fails while one of three backends is dead",
    "replay-once": "a GET that ends its backend meets one more at most",
    "drain": "a backend can be taken out without a failed request",
    "reload": "other backends can be named while it runs, without a failed request",
    "graceful-stop": "a stop lets an answer that has begun end",
    "tls": "it speaks TLS to clients",
    "h2": "it speaks HTTP/2 to clients, over TLS",
}


class No(NamedTuple):
    """Why something cannot be, and who says so: a URL, or `seen here:` and what was seen.

    lossy     it can be done, and costs requests: no promise, but a fault worth measuring
    versions  of the balancer, that it is true of
    """

    reason: str
    source: str
    lossy: bool = False
    versions: Versions = ALL


@dataclass(frozen=True)
class Features:
    """What one balancer lacks, each with its reason; all else it has.

    reasons     feature -> why not, in both profiles
    on          profile -> the same, for that one only
    over_limit  what happens to a request beyond the connection limit
    """

    reasons: Mapping[str, No] = field(default_factory=dict)
    on: Mapping[Profile, Mapping[str, No]] = field(default_factory=dict)
    over_limit: Literal["503", "429", "queues"] = "queues"

    def __post_init__(self) -> None:
        named = {*self.reasons, *(name for reasons in self.on.values() for name in reasons)}
        if unknown := sorted(named - set(FEATURES)):
            raise TypeError(f"no such feature: {', '.join(unknown)}")

    def why_not(self, feature: str, profile: Profile, version: str) -> str:
        """The reason; "" where this version of the balancer ("": none that is known) can."""
        found = self._no(feature, profile, version)
        return found.reason if found else ""

    def cannot(self, feature: str, profile: Profile, version: str) -> str:
        """The same; "" also where it can with losses."""
        found = self._no(feature, profile, version)
        return found.reason if found and not found.lossy else ""

    def no(self, feature: str, profile: Profile) -> No | None:
        """What is said of it, with the versions that it is said of; None where all can."""
        return {**self.reasons, **self.on.get(profile, {})}.get(feature)

    def _no(self, feature: str, profile: Profile, version: str) -> No | None:
        found = self.no(feature, profile)
        return found if found and found.versions.hold(version) else None


NO_GAPS = Features()
