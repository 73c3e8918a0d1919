"""A host's addresses: their order, which answers, which can be listened on. Real sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from bench.addresses import Found, answering, check_free, is_loopback, joined, resolve
from bench.model import UserError
from bench.processes import free_port


@pytest.fixture
def listener() -> Iterator[int]:
    """A port with a listener on 127.0.0.1 alone."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_address_that_answers_is_taken(listener: int) -> None:
    """Where `localhost` is ::1 too and nobody is there, 127.0.0.1 is taken, and both are told."""
    found = answering("localhost", listener)
    assert found.address == "127.0.0.1"
    tried = [address[0] for _, address in resolve("localhost", listener)]
    assert len(found.others) == len(tried) - 1
    assert found.words.startswith("localhost is 127.0.0.1")


def test_ipv6_comes_first() -> None:
    """Where a name has both."""
    families = [family for family, _ in resolve("localhost", 80)]
    assert families == sorted(families, key=lambda one: one != socket.AF_INET6)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("127.0.0.1", "does not answer: 127.0.0.1: Connection refused"),
        ("nowhere.invalid", "cannot resolve nowhere.invalid"),
        ("ü" * 99, "cannot resolve"),
        ("a..b", "cannot resolve"),
    ],
)
def test_nobody_there(host: str, words: str) -> None:
    """Each address with its reason, in one line; a name that is none is the user's mistake too."""
    with pytest.raises(UserError, match=words):
        answering(host, free_port())


def test_a_numeric_host_has_nothing_to_tell() -> None:
    """Its words are empty."""
    assert Found("::1", "::1").words == ""


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("127.0.0.1", "Address already in use"),
        ("192.0.2.1", "Cannot assign requested address"),
        ("nowhere.invalid", "cannot resolve"),
    ],
)
def test_what_cannot_be_listened_on(host: str, words: str, listener: int) -> None:
    """A port that is taken, a host that is not this machine: with the options to choose by."""
    with pytest.raises(UserError, match=f"{words}.*choose with --port"):
        check_free(host, listener, "--port")


def test_ipv6_is_written_in_brackets() -> None:
    """As in a URL."""
    assert (joined("::1", 80), joined("127.0.0.1", 80)) == ("[::1]:80", "127.0.0.1:80")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        ("localhost.example.com", False),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.1", False),
        ("example.com", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    """Only what is this machine by its very name."""
    assert is_loopback(host) is loopback
