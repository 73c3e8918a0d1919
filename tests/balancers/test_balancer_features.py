"""Every balancer, in both profiles, does what its file says, and nothing that it denies."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.balancers import BALANCERS, FEATURES, why_not
from bench.balancers.features import Profile
from bench.model import TargetError, UserError
from tests.balancers.checks import FRESH, SHARED, TLS
from tests.balancers.conftest import Stage, staged

STACKS: list[tuple[str, Profile]] = [
    (name, profile) for name in BALANCERS for profile in ("best", "default")
]
IDS = [f"{name}-{profile}" for name, profile in STACKS]
BROKEN = (AssertionError, OSError, http.client.HTTPException, TargetError, UserError)


def hold(stage: Stage, feature: str, check: Callable[[Stage], None]) -> None:
    """The check passes where the feature is claimed, and fails where it is denied."""
    reason = stage.running.why_not(feature)
    if not reason:
        check(stage)
        return
    stage.patience = 1.0
    with contextlib.suppress(*BROKEN):
        check(stage)
        pytest.fail(f"{feature} works, and its file says no: {reason}")
    stage.patience = 10.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("b")


@pytest.fixture(scope="module", params=STACKS, ids=IDS)
def shared(request: pytest.FixtureRequest, folder: Path) -> Iterator[Stage | str]:
    """A balancer for all the tests that leave it as it was; or why there is none."""
    name, profile = request.param
    options = ("default",) if profile == "default" else ()
    try:
        with staged(name, folder / f"{name}-{profile}", options) as stage:
            yield stage
    except TargetError as error:
        if "not installed" not in str(error) and "no private" not in str(error):
            raise
        yield str(error)


@pytest.mark.parametrize("feature", SHARED)
def test_shared(shared: Stage | str, feature: str, missing: Callable[[str], None]) -> None:
    """What a request sees of it."""
    if isinstance(shared, str):
        missing(shared)
        return
    hold(shared, feature, SHARED[feature])


@pytest.mark.parametrize(("name", "profile"), STACKS, ids=IDS)
@pytest.mark.parametrize("feature", FRESH)
def test_fresh(
    feature: str, name: str, profile: Profile, have: Callable[[str], None], tmp_path: Path
) -> None:
    """What it does when a backend or it itself goes away."""
    have(name)
    options = ("default",) if profile == "default" else ()
    backends = 1 if feature == "keep-alive" else 3
    soon = feature in ("keep-alive", "retry", "replay-once")
    denied = why_not(name, feature, profile)
    drain_s = 2 if soon or denied else 10  # a busy machine may need longer
    with staged(name, tmp_path, options, backends=backends, drain_s=drain_s) as stage:
        hold(stage, feature, FRESH[feature])


@pytest.mark.parametrize(("name", "profile"), STACKS, ids=IDS)
def test_tls(
    name: str,
    profile: Profile,
    have: Callable[[str], None],
    have_certificate: Callable[[], None],
    tmp_path: Path,
) -> None:
    """TLS and HTTP/2, or a clear no."""
    have(name)
    options = ("tls", "default") if profile == "default" else ("tls",)
    if BALANCERS[name].no_option.get("tls"):
        assert why_not(name, "tls", profile)
        assert why_not(name, "h2", profile)
        with pytest.raises(UserError, match="no option 'tls'"), staged(name, tmp_path, options):
            pass
        return
    have_certificate()
    with staged(name, tmp_path, options) as stage:
        for feature, check in TLS.items():
            hold(stage, feature, check)


def test_every_feature_is_checked() -> None:
    """No claim without a check, no check without a claim."""
    assert [*SHARED, *FRESH, *TLS] == list(FEATURES)


def test_every_no_has_its_source() -> None:
    """A document, a source file, an issue, or what was seen here."""
    for balancer in BALANCERS.values():
        features = balancer.features
        for reasons in (features.reasons, *features.on.values()):
            for no in reasons.values():
                assert no.reason
                assert "https://" in no.source or no.source.startswith("seen here: ")


@pytest.mark.parametrize(
    ("name", "feature", "first"),
    [
        ("nginx", "pool", "1.29.7"),
        ("nginx", "keep-alive", "1.29.7"),
        ("nginx", "http11", "1.29.7"),
        ("haproxy", "h2", "2.8"),
    ],
)
def test_a_version_is_asked_not_a_name(name: str, feature: str, first: str) -> None:
    """What its tutorial's configuration gives since a version, it gives whoever ships it.

    The contract above holds both sides: Debian's build and the wheel's are of either side here.
    """
    kin = [one for one in BALANCERS.values() if one.deploy == name]
    assert len(kin) == 2
    for features in (one.features for one in kin):
        assert features.why_not(feature, "default", "1.22.1")
        assert features.why_not(feature, "default", first) == ""
        assert features.why_not(feature, "best", "1.22.1") == ""
