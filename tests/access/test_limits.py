"""Limits of one identity: rates with bursts, what is under way, bytes, and refusals."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frs.access.limits import APART, MOST_IDENTITIES, Bucket, Quotas
from frs.access.methods import METHODS
from frs.errors import FrsError, Reason
from frs.settings import AccessSettings

MIB = 1024 * 1024
METHOD = "/frs.v1.WatchlistService/GetWatchlist"


class Seconds:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def quotas(seconds: Seconds) -> Quotas:
    limits = AccessSettings(
        requests_per_second=2,
        request_burst=5,
        concurrent_requests=2,
        concurrent_streams=1,
        mib_per_second=1,
        refusals_per_minute=3,
    )
    return Quotas(limits, seconds)


def limited(quotas: Quotas, name: str = "ana", method: str = METHOD, *, stream: bool = False) -> FrsError | None:
    """Make a call that ends at once; return the refusal, if it is refused."""
    try:
        quotas.open(name, method, stream=stream).close()
    except FrsError as error:
        return error
    return None


def test_a_burst_passes_and_then_the_rate_holds(quotas: Quotas, seconds: Seconds) -> None:
    """Whoever waits for the seconds that are named gets in."""
    assert [limited(quotas) is None for _ in range(7)] == [True] * 5 + [False] * 2
    error = limited(quotas)
    assert error is not None
    assert error.reason is Reason.RATE_LIMITED
    seconds.at += float(error.metadata["retry_seconds"])
    assert limited(quotas) is None
    assert limited(quotas) is not None


def test_one_identity_does_not_hinder_another(quotas: Quotas) -> None:
    """Buckets are kept by name."""
    while limited(quotas) is None:
        pass
    assert limited(quotas, "ben") is None


def test_what_is_under_way_is_bounded(quotas: Quotas) -> None:
    """Requests and streams apart; what ended makes room, once."""
    first = quotas.open("ana", METHOD, stream=False)
    quotas.open("ana", METHOD, stream=False)
    assert limited(quotas) is not None
    stream = quotas.open("ana", METHOD, stream=True)
    assert limited(quotas, stream=True) is not None
    first.close()
    first.close()
    assert limited(quotas) is None
    quotas.open("ana", METHOD, stream=False)
    assert limited(quotas) is not None
    stream.close()


def test_bytes_refuse_requests_and_slow_streams(quotas: Quotas, seconds: Seconds) -> None:
    """One message may overdraw, so that any message gets through; the next waits for it."""
    stream = quotas.open("ana", METHOD, stream=True)
    assert stream.sent(MIB) == 0
    assert stream.sent(2 * MIB) == pytest.approx(2)
    request = quotas.open("ana", METHOD, stream=False)
    with pytest.raises(FrsError) as caught:
        request.sent(10)
    assert caught.value.metadata["retry_seconds"] == "2.0"
    seconds.at += 2
    assert request.sent(10) == pytest.approx(0, abs=1e-4)


def test_refusals_are_counted_and_end_the_looking(quotas: Quotas, seconds: Seconds) -> None:
    """Whoever was refused too often is not looked at until the minute gives some back."""
    for _ in range(3):
        quota = quotas.open("ana", METHOD, stream=False)
        quota.refused()
        quota.close()
    error = limited(quotas)
    assert error is not None
    assert "refused" in error.message
    assert limited(quotas, "ben") is None
    seconds.at += 20
    assert limited(quotas) is None


def test_what_takes_power_away_is_counted_apart(quotas: Quotas) -> None:
    """A flood of other calls does not hold up a stop, nor health; a flood of stops is limited too."""
    while limited(quotas) is None:
        pass
    assert set(METHODS) >= APART
    for method in (*sorted(APART)[:1], "/grpc.health.v1.Health/Check"):
        assert [limited(quotas, method=method) is None for _ in range(6)] == [True] * 5 + [False]


def test_what_is_remembered_is_bounded(quotas: Quotas) -> None:
    """However many names an issuer makes up; a call that outlives its entry still ends well."""
    first = quotas.open("first", METHOD, stream=False)
    for number in range(MOST_IDENTITIES + 50):
        quotas.open(f"name-{number}", METHOD, stream=False).close()
    assert len(quotas._uses) == MOST_IDENTITIES
    first.sent(5)
    first.close()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 3)), max_size=40))
def test_a_bucket_never_gives_more_than_its_burst_and_rate(steps: list[tuple[float, float]]) -> None:
    """Over any time: capacity, rate, and one overdrawing."""
    bucket, now, taken, most = Bucket(2, 4, 0), 0.0, 0.0, 0.0
    for pause, amount in steps:
        now += pause
        if bucket.wait(now) == 0:
            bucket.take(amount, now)
            taken, most = taken + amount, max(most, amount)
        assert taken <= 4 + 2 * now + most + 1e-6
