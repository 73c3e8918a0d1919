"""proxy_app.settings, and what its errors look like from outside."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from certifi import where

from proxy_app.settings import NOT_OURS, Settings, SettingsError, Upstream, load_settings

ROOT = Path(__file__).parents[2]
GOOD = {"ONEHOP_UPSTREAM": "http://api.test:9000/v2/", "ONEHOP_ENV_FILE": ""}


def test_upstream_is_parsed_once() -> None:
    """A base URL gives host, port and a base path without its last slash."""
    assert load_settings(GOOD).upstream == Upstream("http", "api.test", 9000, "/v2")


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("http://api.test", "api.test"),
        ("https://api.test:443", "api.test"),
        ("https://api.test:80", "api.test:80"),
        ("http://[::1]:9000", "[::1]:9000"),
    ],
)
def test_authority(url: str, authority: str) -> None:
    """The Host header names the port only where it is not the scheme's own."""
    assert load_settings({**GOOD, "ONEHOP_UPSTREAM": url}).upstream.authority == authority


def test_settings_are_frozen() -> None:
    """Nothing can change the settings of a running app."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_settings(GOOD).pool = 3  # type: ignore[misc]  # the mistake under test


def test_every_setting_is_read() -> None:
    """Each documented name arrives, in its own type."""
    settings = load_settings(
        {
            **GOOD,
            "ONEHOP_UPSTREAMS": "http://a.test, https://b.test/v2",
            "ONEHOP_AUTHORIZE_URL": "https://login.test/a",
            "ONEHOP_CA": where(),
            "ONEHOP_CONNECT_TIMEOUT": "0.5",
            "ONEHOP_READ_TIMEOUT": "7",
            "ONEHOP_MAX_BODY": "0",
            "ONEHOP_POOL": "3",
            "ONEHOP_CHUNKED": "raw",
            "ONEHOP_PREFIX": "/api/v2",
            "ONEHOP_TRUST_FORWARDED": "yes",
            "ONEHOP_SERVER_TIMING": "on",
            "ONEHOP_ACCESS_LOG": "TRUE",
            "ONEHOP_HOST": "::1",
            "ONEHOP_PORT": "81",
            "ONEHOP_CLIENT": "httpclient",
            "ONEHOP_ROUTES": str(ROOT / "proxy_app/routes.toml"),
        }
    )
    assert dataclasses.astuple(settings)[1:] == (
        (("http", "a.test", 80, ""), ("https", "b.test", 443, "/v2")),
        "https://login.test/a",
        ROOT / "proxy_app/routes.toml",
        "httpclient",
        Path(where()),
        *(0.5, 7.0, 0, 3, "raw", "/api/v2", True, True, True, "::1", 81),
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("UPSTREAM", "api.test:9000"),
        ("UPSTREAM", "ftp://api.test"),
        ("UPSTREAM", "http://"),
        ("UPSTREAM", "http://api.test:99999"),
        ("UPSTREAM", "http://api.test/?key=1"),
        ("UPSTREAM", "http://user:secret@api.test/"),
        ("UPSTREAM", "http://api.test/a b"),
        ("UPSTREAMS", "http://a.test,"),
        ("AUTHORIZE_URL", "login.test"),
        ("AUTHORIZE_URL", "https://login.test/\r\nSet-Cookie: x"),
        ("CONNECT_TIMEOUT", "soon"),
        ("READ_TIMEOUT", "0"),
        ("READ_TIMEOUT", "nan"),
        ("MAX_BODY", "-1"),
        ("MAX_BODY", "1G"),
        ("POOL", "²"),
        ("CHUNKED", "maybe"),
        ("SERVER_TIMING", "2"),
        ("CA", "/no/such/file.pem"),
        ("CA", str(ROOT / "pyproject.toml")),
        ("ROUTES", "/no/such/file.toml"),
        ("PORT", "0"),
    ],
)
def test_wrong_setting(name: str, text: str) -> None:
    """A wrong setting is one line that names it and says what to write."""
    with pytest.raises(SettingsError) as caught:
        load_settings({**GOOD, f"ONEHOP_{name}": text})
    message = str(caught.value)
    assert f"ONEHOP_{name}=" in message
    assert "write" in message
    assert "\n" not in message


def test_upstream_is_required() -> None:
    """Without an upstream there is no proxy, and the error shows how to name one."""
    with pytest.raises(SettingsError, match=r"ONEHOP_UPSTREAM is not set.*http://127"):
        load_settings({"ONEHOP_ENV_FILE": ""})


def test_env_file(tmp_path: Path) -> None:
    """The file fills in what the environment leaves open, and never overrides it."""
    file = tmp_path / "env"
    file.write_text("ONEHOP_UPSTREAM=http://file.test\nONEHOP_POOL=5\nOTHER=1\n")
    settings = load_settings({"ONEHOP_ENV_FILE": str(file), "ONEHOP_UPSTREAM": "http://env.test"})
    assert (settings.upstream.host, settings.pool) == ("env.test", 5)


def test_dot_env_in_the_working_directory(tmp_path: Path) -> None:
    """`.env` is found without being named."""
    (tmp_path / ".env").write_text("ONEHOP_UPSTREAM=http://file.test\n")
    with contextlib.chdir(tmp_path):
        assert load_settings({}).upstream.host == "file.test"


def test_missing_env_file_is_named(tmp_path: Path) -> None:
    """A file that was asked for by name and is not there is an error, not an empty file."""
    with pytest.raises(SettingsError, match=r"ONEHOP_ENV_FILE=.*nowhere"):
        load_settings({**GOOD, "ONEHOP_ENV_FILE": str(tmp_path / "nowhere")})


@pytest.mark.parametrize("how", [["-c", "import proxy_app.wsgi"], ["-m", "proxy_app"]])
@pytest.mark.parametrize(
    ("name", "text"), [("ONEHOP_UPSTREAM", "nonsense"), ("ONEHOP_CLIENT", "nosuch")]
)
def test_wrong_setting_ends_the_process(how: list[str], name: str, text: str) -> None:
    """Whoever starts the app with a wrong setting gets one line and exit status 2."""
    done = subprocess.run(
        [sys.executable, *how],
        env={**os.environ, **GOOD, name: text},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"onehop: {name}=")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("READ_TIMOUT", "READ_TIMEOUT"),
        ("UPSTREM", "UPSTREAM"),
        ("MAXBODY", "MAX_BODY"),
        ("TRUST_FORWARD", "TRUST_FORWARDED"),
    ],
)
@pytest.mark.parametrize("where", ["environment", "file"])
def test_unknown_name(tmp_path: Path, name: str, near: str, where: str) -> None:
    """A misspelt setting is an error that names the nearest, wherever it stands."""
    file = tmp_path / "env"
    file.write_text(f"ONEHOP_{name}=1\n" if where == "file" else "")
    given = {} if where == "file" else {f"ONEHOP_{name}": "1"}
    with pytest.raises(
        SettingsError, match=rf"ONEHOP_.* is no setting; .*ONEHOP_{near}\?"
    ) as found:
        load_settings({**GOOD, **given, "ONEHOP_ENV_FILE": str(file)})
    assert "\n" not in str(found.value)


def test_names_of_the_harness_are_known() -> None:
    """No name that this project reads under the prefix stops the app."""
    known = NOT_OURS | {field.name.upper() for field in dataclasses.fields(Settings)}
    files = [path for kind in ("bench", "servers", "deploy") for path in (ROOT / kind).rglob("*")]
    texts = [path.read_text() for path in [*files, ROOT / "noxfile.py"] if path.suffix == ".py"]
    found = {name for text in texts for name in re.findall(r"\bONEHOP_([A-Z_]+[A-Z])\b", text)}
    assert found
    assert found - known == set()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("UPSTREAM", "http://127.0.0.1:0"),
        ("UPSTREAM", "https://api.test:0/v2"),
        ("UPSTREAMS", "http://a.test,http://b.test:0"),
        ("UPSTREAM", "http://a\\b/"),
        ("UPSTREAM", "http://api.test/a/../b"),
        ("UPSTREAM", "http://api.test/a#"),
        ("UPSTREAM", "http://api.test/a\u00e4"),
        ("MAX_BODY", "9" * 5000),
        ("PREFIX", "api"),
        ("PREFIX", "/api/"),
        ("PREFIX", "//evil.test"),
        ("PREFIX", "/a b"),
        ("PREFIX", "/../x"),
    ],
)
def test_looks_right_and_is_not(name: str, text: str) -> None:
    """A port that nobody can listen on, a path that climbs, a prefix that is a host."""
    with pytest.raises(SettingsError, match=f"ONEHOP_{name}=.* write"):
        load_settings({**GOOD, f"ONEHOP_{name}": text})


def test_undecodable_file(tmp_path: Path) -> None:
    """A file that is no UTF-8 text is one line with its name."""
    (tmp_path / "env").write_bytes(b"ONEHOP_UPSTREAM=http://caf\xe9.test\n")
    with pytest.raises(SettingsError, match=r"env: cannot be read: .*; write UTF-8") as found:
        load_settings({**GOOD, "ONEHOP_ENV_FILE": str(tmp_path / "env")})
    assert "\n" not in str(found.value)


def test_one_reader_tells_others(tmp_path: Path) -> None:
    """`python -m proxy_app.settings` prints what the app will be told, comments and quotes read
    once and for all; what it cannot read is one line and status 2."""
    (tmp_path / ".env").write_text(
        'ONEHOP_CLIENT=httpclient # the plain one\nexport ONEHOP_UPSTREAM="http://a.test" # mine\n'
    )

    def read() -> subprocess.CompletedProcess[str]:
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "ONEHOP_POOL": "3"}
        argv = [sys.executable, "-m", "proxy_app.settings"]
        return subprocess.run(
            argv, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=20, check=False
        )

    told = read()
    assert told.returncode == 0, told.stderr
    wanted = {"client": "httpclient", "upstream": "http://a.test", "pool": "3"}
    assert json.loads(told.stdout) == wanted
    (tmp_path / ".env").write_bytes(b"X=\xe9\n")
    told = read()
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)
