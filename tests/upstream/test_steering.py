"""What a query may ask of the stub."""

import random
import statistics

import pytest

from bench.upstream.steering import BadSteering, Delay, Pause, Steering, parse_delay, parse_steering


@pytest.mark.parametrize(
    ("query", "wished"),
    [
        ("", Steering()),
        ("q=annual+report&page=2", Steering()),
        ("size=1024", Steering(size=1024)),
        ("status=503&chunked=1", Steering(status=503, chunked=True)),
        ("break=0", Steering(break_after=0)),
        ("redirect=1&auth=1", Steering(redirect=True, auth=True)),
        ("cookies=2&headers=3", Steering(cookies=2, headers=3)),
        ("delay=20", Steering(delay=Delay(20))),
    ],
)
def test_known_parameters_are_wishes_and_others_are_not_read(query: str, wished: Steering) -> None:
    """The API's own parameters pass unread; the stub's are typed."""
    assert parse_steering(query) == wished


@pytest.mark.parametrize(
    "query",
    [
        "size=big",
        "size=-1",
        "size=",
        "size=" + "9" * 5000,
        "status=99",
        "status=600",
        "chunked=yes",
        "break=1.5",
        "headers=100001",
        "delay=",
        "delay=-1",
        "delay=nan",
        "delay=lognormal:20",
        "delay=bimodal:1:50:2",
        "delay=uniform:1:2",
    ],
)
def test_a_wish_without_sense_is_named(query: str) -> None:
    """A typing error is never taken for a wish that was not made."""
    with pytest.raises(BadSteering, match=query.partition("=")[0]):
        parse_steering(query)


def test_a_fixed_delay_is_always_the_same() -> None:
    """Milliseconds in, seconds out."""
    assert {parse_delay("20").draw(random.Random(i)) for i in range(9)} == {0.020}


def test_a_lognormal_delay_has_its_median_and_its_spread() -> None:
    """Half of the draws lie below the median; the logarithm's deviation is sigma."""
    rng = random.Random(1)
    drawn = sorted(parse_delay("lognormal:20:0.3").draw(rng) for _ in range(20_000))
    assert statistics.median(drawn) == pytest.approx(0.020, rel=0.02)
    # the 84th percentile of a normal distribution is one deviation above its median
    assert drawn[16_827] == pytest.approx(0.020 * 2.718281828**0.3, rel=0.02)


def test_a_bimodal_delay_takes_the_second_value_in_its_share() -> None:
    """One in a hundred takes 50 ms, the others 1 ms, nothing between."""
    rng = random.Random(1)
    drawn = [parse_delay("bimodal:1:50:0.01").draw(rng) for _ in range(20_000)]
    assert set(drawn) == {0.001, 0.050}
    assert drawn.count(0.050) / len(drawn) == pytest.approx(0.01, rel=0.25)


def test_a_pause_has_a_place_and_a_length() -> None:
    """`pause=BYTES:MILLISECONDS`; anything else is named."""
    assert parse_steering("pause=1000:250").pause == Pause(1000, 0.25)
    for text in ("1000", "1000:", ":5", "-1:5", "1:2:3"):
        with pytest.raises(BadSteering, match="pause"):
            parse_steering(f"pause={text}")
