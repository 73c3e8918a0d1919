"""A host's name -> its socket addresses, which of them answers, and which can be listened on.

A name is resolved once, its addresses are tried in order, IPv6 before IPv4, and the one that
answered is the one that all use: two resolutions of `localhost` may disagree.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import Any

from bench.model import UserError

CONNECT_S = 2.0


@dataclass(frozen=True)
class Found:
    """The numeric address that answered for a host, and what the ones before it did."""

    host: str
    address: str
    others: tuple[str, ...] = ()  # `::1: Connection refused`

    @property
    def words(self) -> str:
        """`localhost is 127.0.0.1 (::1: Connection refused)`; empty for a numeric host."""
        if self.host == self.address:
            return ""
        tried = f" ({'; '.join(self.others)})" if self.others else ""
        return f"{self.host} is {self.address}{tried}"


def resolve(host: str, port: int) -> list[tuple[int, Any]]:
    """(family, socket address) of each of a host's addresses, IPv6 before IPv4.

    Raises UserError where it has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, OverflowError) as error:  # UnicodeError: no name of a host
        why = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"cannot resolve {joined(host, port)}: {why}") from error
    unique = dict.fromkeys((int(family), address) for family, _, _, _, address in found)
    return sorted(unique, key=lambda one: one[0] != socket.AF_INET6)


def answering(host: str, port: int) -> Found:
    """The first address that accepts a connection. Raises UserError, with each one's reason."""
    failed: list[str] = []
    for family, address in resolve(host, port):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.settimeout(CONNECT_S)
                probe.connect(address)
        except OSError as error:  # no IPv6 on this machine is one of them
            failed.append(f"{address[0]}: {error.strerror or 'no answer'}")
        else:
            return Found(host, address[0], tuple(failed))
    raise UserError(f"{joined(host, port)} does not answer: {'; '.join(failed)}")


def check_loopback() -> None:
    """Raises UserError unless 127.0.0.1, where upstream and hops stand, takes connections."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            socket.create_connection(listener.getsockname(), timeout=CONNECT_S).close()
    except OSError as error:
        raise UserError(
            f"127.0.0.1 cannot be used here ({error.strerror or error}), and upstream and hops "
            "stand there, be it beside IPv6: `ip link set lo up`, `ip addr add 127.0.0.1/8 dev lo`"
        ) from error


def joined(host: str, port: int) -> str:
    """`127.0.0.1:80`, `[::1]:80`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name; a name that DNS could move is not."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = getattr(address, "ipv4_mapped", None)  # ::ffff:127.0.0.1
    return (mapped or address).is_loopback


def check_free(host: str, port: int, options: str) -> None:
    """Raises UserError, naming the `options` to choose another with, unless one can listen there.

    Several servers would share the port with whoever listens there already.
    """
    try:
        family, address = resolve(host, port)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        message = f"{joined(host, port)}: {error.strerror}; choose with {options}"
        raise UserError(message) from None
    except UserError as error:
        raise UserError(f"{error}; choose with {options}") from None
