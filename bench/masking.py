"""Pure: what must not be shown or stored of a URL, or of a text that holds one.

Masked are user and password before the host, and the value of every query parameter. Small whole
numbers stay, for they say what was measured (`size=1024`), unless the parameter's name tells of a
secret. A secret in the path cannot be known for one and stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "***"

_USERINFO = re.compile(r"(?<=//)[^/?#\s\"'<>]*@")
_PARAMETER = re.compile(r"([?&;])([^=&;#\s\"'<>]*)=([^&;#\s\"'<>]*)")
_PLAIN = re.compile(r"[0-9]{0,6}")
_TELLING = re.compile(
    r"key|token|secret|passw|pwd|sig|auth|code|cred|session|jwt|pin|otp|nonce|ticket|hash", re.I
)


def masked(text: str) -> str:
    """The text without the secrets of its URLs."""
    return _PARAMETER.sub(_value, _USERINFO.sub(f"{MASK}@", text))


def masked_all(texts: Iterable[str]) -> tuple[str, ...]:
    """Each text without the secrets of its URLs."""
    return tuple(map(masked, texts))


def _value(match: re.Match[str]) -> str:
    mark, name, value = match.groups()
    plain = _PLAIN.fullmatch(value) and not _TELLING.search(name)
    return f"{mark}{name}={value if plain else MASK}"
