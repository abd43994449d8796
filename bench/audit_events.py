"""A year of a force's events, always the same: what the log's benchmark is made of.

Half of the events are a camera's minute, written by a few adapters; officers raise, view and adjudicate alerts on
20,000 nominals; administrators' acts are rare. Fifty deployments follow one another; two watchlists are in most.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from frs.types import Actor, Event, ListVersion, References, Role

START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=30)
NOMINALS = 20_000
OFFICERS = 200
ADAPTERS = 4
DEPLOYMENTS = 50
_LISTS = (ListVersion("wanted", 3), ListVersion("missing", 7))
_KINDS = ("live.minute", "alert.raised", "alert.viewed", "alert.adjudicated", "operator.search", "watchlist.read")
_WEIGHTS = (50, 15, 15, 10, 9, 1)
RARE = "policy.changed"
RARE_EVERY = 10_000


class SteppingClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        """Return the instant that it was moved to."""
        return self.time


def officer(number: int) -> Actor:
    """Return one of the officers."""
    return Actor(f"officer-{number}", frozenset({Role.OFFICER, Role.REVIEWER}), f"certificate:{number:04x}")


def adapter(number: int) -> Actor:
    """Return one of the cameras' adapters."""
    return Actor(f"camera-{number}", frozenset({Role.FEED}), f"certificate:f{number:03x}")


def events(count: int, seed: int = 1) -> Iterator[Event]:
    """Yield the first ``count`` events."""
    choose = random.Random(seed)  # the same in every run
    for number in range(count):
        deployment = f"d{number * DEPLOYMENTS // count}"
        if number % RARE_EVERY == 0:
            yield Event(RARE, Actor.system(), References(), {"version": number // RARE_EVERY})
            continue
        (action,) = choose.choices(_KINDS, _WEIGHTS)
        if action == "live.minute":
            minute = {"frames": 1500, "faces": choose.randrange(90)}
            references = References(watchlists=_LISTS, deployment=deployment)
            yield Event(action, adapter(number % ADAPTERS), references, minute)
            continue
        nominal = f"N{int(NOMINALS * choose.random() ** 2)}"  # some are met far more often than others
        references = References(
            watchlists=_LISTS[:1],
            subjects=(nominal,),
            deployment=deployment if action.startswith("alert") else None,
            alert=f"a{number - number % 3}" if action.startswith("alert") else None,
            search=f"q{number}" if action.startswith("operator") else None,
        )
        yield Event(action, officer(choose.randrange(OFFICERS)), references, {"score": 0.71, "reason": "as asked"})
