"""Tokens on the event loop: an issuer that hangs holds up nobody whose key is known, and is asked once for all."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from frs.access.issuer_keys import FLOOR_SECONDS
from frs.access.tokens import TokenVerifier
from frs.errors import FrsError, Reason
from frs.server.bearers import Bearers
from frs.settings import AccessSettings
from tests.issuer import Issuer
from tests.manual_clock import ManualClock

NOW = ManualClock().now()


class Seconds:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.close()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def bearers(issuer: Issuer, seconds: Seconds) -> Iterator[Bearers]:
    made = Bearers(TokenVerifier(AccessSettings(issuer=issuer.issuer, issuer_timeout_seconds=0.4), seconds), 0.8)
    yield made
    made.close()


async def reason(bearers: Bearers, token: str) -> Reason | None:
    try:
        await bearers.identify(token, NOW, None)
    except FrsError as error:
        return error.reason
    return None


def test_however_many_come_at_once_the_issuer_is_asked_once(issuer: Issuer, bearers: Bearers) -> None:
    """They share the answer."""

    async def story() -> None:
        found = await asyncio.gather(*(reason(bearers, issuer.token(NOW)) for _ in range(50)))
        assert set(found) == {None}
        assert issuer.asked == 1

    asyncio.run(story())


def test_a_hanging_issuer_holds_up_nobody_whose_key_is_known(
    issuer: Issuer, bearers: Bearers, seconds: Seconds
) -> None:
    """Callers with an unknown key wait for it, for the timeout; the others are recognised meanwhile, at once."""

    async def story() -> None:
        known, unknown = issuer.token(NOW), issuer.token(NOW, {"kid": "new"})
        assert await reason(bearers, known) is None
        issuer.mode = "hang"
        seconds.at += FLOOR_SECONDS
        waiting = [asyncio.create_task(reason(bearers, unknown)) for _ in range(10)]
        await asyncio.sleep(0.02)
        began = time.monotonic()
        for _ in range(20):
            assert await reason(bearers, known) is None
        assert time.monotonic() - began < 0.2
        assert set(await asyncio.gather(*waiting)) == {Reason.ISSUER_UNAVAILABLE}
        assert bearers.failure is not None
        seconds.at += 400  # due, and known to be down: asked in the background
        began = time.monotonic()
        assert await reason(bearers, known) is None
        assert time.monotonic() - began < 0.2

    asyncio.run(story())


def test_a_withdrawn_key_is_not_accepted_for_having_been_idle(
    issuer: Issuer, bearers: Bearers, seconds: Seconds
) -> None:
    """When keys are due the next caller waits for them."""

    async def story() -> None:
        old = issuer.token(NOW)
        assert await reason(bearers, old) is None
        issuer.rotate(forget=True)
        seconds.at += 1000
        assert await reason(bearers, old) is Reason.TOKEN_INVALID
        assert await reason(bearers, issuer.token(NOW)) is None
        assert issuer.asked == 2

    asyncio.run(story())


def test_what_no_timeout_ends_is_not_waited_for(issuer: Issuer, bearers: Bearers, seconds: Seconds) -> None:
    """A resolver that hangs, say: one patience for the first, none for those after, and known keys go on."""
    release = threading.Event()

    async def story() -> None:
        known = issuer.token(NOW)
        assert await reason(bearers, known) is None
        keys = bearers._verifier.keys
        ask = keys._ask

        def hang() -> list[dict[str, Any]]:
            release.wait(20)
            return ask()

        keys._ask = hang
        seconds.at += 400
        began = time.monotonic()
        assert await reason(bearers, known) is None
        assert 0.7 < time.monotonic() - began < 2
        began = time.monotonic()
        for _ in range(10):
            assert await reason(bearers, known) is None
            assert await reason(bearers, issuer.token(NOW, {"kid": "new"})) is Reason.ISSUER_UNAVAILABLE
        assert time.monotonic() - began < 0.5
        assert bearers.failure is not None
        release.set()
        until = time.monotonic() + 5
        while bearers.failure and time.monotonic() < until:
            await asyncio.sleep(0.01)
        assert await reason(bearers, known) is None

    try:
        asyncio.run(story())
    finally:
        release.set()
