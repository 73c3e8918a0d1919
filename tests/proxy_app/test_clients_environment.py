"""What the environment says of proxies, passwords and authorities steers no client: on the wire."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from proxy_app.clients import CLIENTS
from tests.proxy_app.client_contract.tls import certificate
from tests.proxy_app.scripted import Exchange, Upstream

ROOT = Path(__file__).parents[2]
ASK = """
import json, sys
from proxy_app.clients import create_client
from proxy_app.faults import Fault
from proxy_app.settings import load_settings
try:
    answer = create_client(load_settings()).exchange("GET", "/a", [], None)
    print(json.dumps(answer.status))
except Fault as fault:
    print(json.dumps(type(fault).__name__))
"""


def ask(client: str, url: str, folder: Path, **more: str) -> object:
    """What a process with such an environment gets."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder), **more}
    env |= {"ONEHOP_CLIENT": client, "ONEHOP_UPSTREAM": url, "ONEHOP_ENV_FILE": ""}
    argv = [sys.executable, "-c", ASK]
    done = subprocess.run(
        argv, env=env, cwd=folder, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("client", CLIENTS)
def test_no_proxy_and_no_password(client: str, tmp_path: Path) -> None:
    """Neither the proxy variables nor ~/.netrc: the upstream itself is asked, by nobody's name."""
    upstream, proxy = Upstream(Exchange.answer), Upstream(Exchange.answer)
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login joe password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    names = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    more = dict.fromkeys(names, proxy.url)
    try:
        found = ask(client, upstream.url, tmp_path, NETRC=str(tmp_path / ".netrc"), **more)
    finally:
        upstream.close()
        proxy.close()
    assert (found, proxy.connections) == (200, 0)
    assert [(seen.line, seen.header("authorization")) for seen in upstream.exchanges] == [
        ("GET /a HTTP/1.1", None)
    ]


@pytest.mark.parametrize("client", CLIENTS)
def test_no_authority(client: str) -> None:
    """An authority that only a variable names is nobody's: SSL_CERT_FILE and its like. ONEHOP_CA is
    the setting. No key goes to SSLKEYLOGFILE."""

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = certificate("IP:127.0.0.1", folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "IP:127.0.0.1.pem")
        upstream = Upstream(Exchange.answer, context)
        names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
        more = {**dict.fromkeys(names, str(own)), "SSL_CERT_DIR": name}
        try:
            refused = ask(client, upstream.url, folder, **more)
            keys = folder / "keys"
            taken = ask(client, upstream.url, folder, ONEHOP_CA=str(own), SSLKEYLOGFILE=str(keys))
        finally:
            upstream.close()
        assert (refused, taken) == ("UpstreamFault", 200)
        assert client == "pycurl" or not keys.exists()  # libcurl's own OpenSSL writes it
