"""TLS: who vouches for the upstream, and whether it is that host."""

from __future__ import annotations

import ssl
import subprocess
import tempfile
import time
from pathlib import Path

from proxy_app.faults import UpstreamFault
from tests.proxy_app.client_contract.rig import (
    BIG,
    Hop,
    check,
    fails,
)
from tests.proxy_app.scripted import Exchange


def certificate(name: str, folder: Path) -> Path:
    """A key and a certificate that signed itself, in one file."""
    key, own = folder / "key.pem", folder / f"{name}.crt"
    subprocess.run(
        [*("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
         *("-nodes", "-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={name}"),
         *("-keyout", str(key), "-out", str(own))],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    (folder / f"{name}.pem").write_bytes(key.read_bytes() + own.read_bytes())
    return own


def _secured(folder: Path, name: str = "IP:127.0.0.1") -> tuple[ssl.SSLContext, Path]:
    own = certificate(name, folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem")
    return context, own


@check
def speaks_tls(hop: Hop) -> None:
    """With a private authority: small, big, streamed, kept alive, uploads too."""
    with tempfile.TemporaryDirectory() as folder:
        context, ca = _secured(Path(folder))

        def script(exchange: Exchange) -> None:
            exchange.answer(exchange.read_body() or b"x" * BIG)

        asker = hop.start(script, context, ca=ca)
        for body in (None, b"small", b"y" * BIG, None):
            method = "POST" if body else "GET"
            assert asker.read(method, body=body) == (body or b"x" * BIG)
            time.sleep(0.05)  # a session ticket may arrive on the idle connection


@check
def verifies_the_authority(hop: Hop) -> None:
    """A certificate that nobody vouches for is refused."""
    with tempfile.TemporaryDirectory() as folder:
        context, _ = _secured(Path(folder))
        fails(UpstreamFault, hop.start(Exchange.answer, context).ask)


@check
def verifies_the_name(hop: Hop) -> None:
    """Nor is one of another host taken."""
    with tempfile.TemporaryDirectory() as folder:
        context, ca = _secured(Path(folder), "DNS:else.test")
        fails(UpstreamFault, hop.start(Exchange.answer, context, ca=ca).ask)


NEEDS_OPENSSL = ("speaks-tls", "verifies-the-authority", "verifies-the-name")
