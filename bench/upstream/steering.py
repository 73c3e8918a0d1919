"""What a query string asks of the stub: `size=1024&delay=lognormal:20:0.3&break=100`.

Pure. Unknown parameters are the API's own (`q=`, `page=`) and pass unread; a known one with a
value that makes no sense is a `BadSteering`, which the stub answers with 400.
"""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl

MAX_JSON = 16 * 2**20
MAX_DOWNLOAD = 64 * 2**30
MAX_HEADERS = 100_000


class BadSteering(ValueError):
    """A steering parameter that cannot be obeyed; the message names it."""


@dataclass(frozen=True)
class Delay:
    """A distribution of times to wait, in milliseconds.

    fixed      `median`
    lognormal  by its median and sigma (of the logarithm): the usual shape of an API's latency
    bimodal    `second` with probability `share`, `median` otherwise: a cache that sometimes misses
    """

    median: float
    sigma: float = 0.0
    second: float = 0.0
    share: float = 0.0

    def draw(self, rng: random.Random) -> float:
        """One delay in seconds."""
        if self.sigma:
            return self.median * math.exp(rng.gauss(0.0, self.sigma)) / 1000
        if self.share and rng.random() < self.share:
            return self.second / 1000
        return self.median / 1000


@dataclass(frozen=True)
class Pause:
    """A silence of `seconds` after the first `after` bytes of the body."""

    after: int
    seconds: float


@dataclass(frozen=True)
class Steering:
    """One request's wishes. None: not asked for. `size` and `break_after` are bytes of body.

    `echo`: answer with the request as it arrived. `vary`: so many Vary headers.
    """

    size: int | None = None
    delay: Delay | None = None
    status: int | None = None
    break_after: int | None = None
    redirect: bool = False
    cookies: int = 0
    headers: int = 0
    chunked: bool = False
    auth: bool = False
    pause: Pause | None = None
    vary: int = 0
    echo: bool = False


@lru_cache(maxsize=1024)
def parse_steering(query: str) -> Steering:
    """Raises BadSteering."""
    given = dict(parse_qsl(query, keep_blank_values=True))
    delay = given.get("delay")
    return Steering(
        size=_whole(given, "size", 0, MAX_DOWNLOAD),
        delay=None if delay is None else parse_delay(delay),
        status=_whole(given, "status", 200, 599),
        break_after=_whole(given, "break", 0, MAX_DOWNLOAD),
        redirect=_flag(given, "redirect"),
        cookies=_whole(given, "cookies", 0, MAX_HEADERS) or 0,
        headers=_whole(given, "headers", 0, MAX_HEADERS) or 0,
        chunked=_flag(given, "chunked"),
        auth=_flag(given, "auth"),
        pause=_pause(given.get("pause")),
        vary=_whole(given, "vary", 0, MAX_HEADERS) or 0,
        echo=_flag(given, "echo"),
    )


def parse_delay(text: str) -> Delay:
    """`20`, `lognormal:20:0.3` or `bimodal:1:50:0.01`, in ms; raises BadSteering."""
    kind, *parts = text.split(":") if ":" in text else ("fixed", text)
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = []
    sane = all(math.isfinite(value) and value >= 0 for value in values)
    match kind, values:
        case "fixed", [fixed] if sane:
            return Delay(fixed)
        case "lognormal", [median, sigma] if sane:
            return Delay(median, sigma=sigma)
        case "bimodal", [first, second, share] if sane and share <= 1:
            return Delay(first, second=second, share=share)
    raise BadSteering(
        f"delay={text!r} is not understood; write delay=20, lognormal:20:0.3 or bimodal:1:50:0.01"
    )


def _pause(text: str | None) -> Pause | None:
    """`1000:250`: 250 ms of silence after 1000 bytes."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,12}):(\d{1,6})", text, re.ASCII)
    if match is None:
        raise BadSteering(f"pause={text[:40]!r} is not understood; write pause=BYTES:MILLISECONDS")
    return Pause(int(match[1]), int(match[2]) / 1000)


def _whole(given: dict[str, str], name: str, low: int, high: int) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and low <= int(text[:20]) <= high):
        raise BadSteering(f"{name}={text[:40]!r} is not a whole number from {low} to {high}")
    return int(text)


def _flag(given: dict[str, str], name: str) -> bool:
    text = given.get(name, "0")
    if text not in ("0", "1"):
        raise BadSteering(f"{name}={text[:40]!r} is neither 0 nor 1")
    return text == "1"
