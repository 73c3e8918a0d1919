"""A port is free when nothing answers there, and after a stop that is seen to be so."""

import socket
from pathlib import Path

import pytest

from bench.model import HarnessError, TargetError
from bench.processes import free_port, port_in_use, port_released


def test_a_shared_port_is_not_free() -> None:
    """A listener with SO_REUSEPORT is seen: a second server there would share its load."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert port_in_use("127.0.0.1", port)
        with (
            pytest.raises(HarnessError, match="still in use"),
            port_released("127.0.0.1", port, 0.1),
        ):
            pass


def test_free_ports_differ_and_are_not_for_outgoing_connections() -> None:
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = [free_port() for _ in range(200)]
    assert len(set(ports)) == 200
    assert low < 11_000 or max(ports) < low


def test_the_port_is_checked_whatever_went_wrong_before() -> None:
    """A target's failure does not hide that something still listens: the harness's fault."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(HarnessError, match="still in use") as raised:  # noqa: SIM117
            with port_released("127.0.0.1", port, 0.1):
                raise TargetError("it died")
    assert isinstance(raised.value.__context__, TargetError)
