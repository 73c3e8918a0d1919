"""A throw-away certificate for 127.0.0.1, made by the openssl command once per process.

It signed itself, so the file that holds it is also what a client has to trust (ONEHOP_CA).
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from bench.model import TargetError
from bench.processes import run_to_end
from servers.fronts.programs import installed


@cache
def authority() -> Path:
    """The certificate's file; its key lies beside it. Raises TargetError where openssl is not."""
    openssl = installed("openssl")
    if openssl is None:
        raise TargetError("TLS needs the openssl command", "apt-get install openssl")
    folder = Path(tempfile.mkdtemp(prefix="onehop-tls-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    own, key, both = folder / "crt.pem", folder / "key.pem", folder / "both.pem"
    ended = run_to_end(
        (
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "2", "-subj", "/CN=onehop"),
            *("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
            *("-keyout", str(key), "-out", str(own)),
        ),
        timeout_s=30,
    )
    if ended.status != 0:
        raise TargetError(f"openssl makes no certificate: {ended.errors.strip()[-200:]}")
    both.touch(0o600)
    both.write_bytes(own.read_bytes() + key.read_bytes())
    return own


def place_certificate(folder: Path) -> None:
    """crt.pem, key.pem and both.pem (the two in one) in `folder`/tls."""
    source = authority().parent
    (folder / "tls").mkdir(parents=True, exist_ok=True)
    for name in ("crt.pem", "key.pem", "both.pem"):
        shutil.copy(source / name, folder / "tls" / name)
