"""The plan: what will be destroyed and when, soonest first, and what a hold keeps back.

A page is merged from the walks of all kinds, each limited to a page: memory does not grow with what is due. Counts are
of everything due by the same instant. A page shows the database as it is when it is asked for; what goes or comes
between two pages repeats and skips nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.retention.due import SOURCES, Key, Source
from frs.retention.periods import Kind, Period, periods
from frs.settings import RetentionSettings
from frs.store.database import Database
from frs.store.paging import page_token_decode, page_token_encode
from frs.types import Json, Page

LARGEST_PAGE = 1000
_COLLECTIONS = {
    Kind.ALERT_PICTURES: "alerts",
    Kind.ALERT: "alerts",
    Kind.UPLOAD: "uploads",
    Kind.JOB: "jobs",
    Kind.SEARCH: "searches",
    Kind.WATCHLIST: "watchlists",
    Kind.WITHDRAWN_SUBJECT: "subjects",
    Kind.HOLD: "holds",
    Kind.PAYLOAD: "events",
}
_RANK = {kind: rank for rank, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that falls due."""

    kind: Kind
    name: str
    """Resource name, for example ``alerts/7f...`` or ``watchlists/night/subjects/9a...``."""
    due: datetime
    hold: str | None
    """Id of a hold that keeps it; None when it will go."""
    id: Key

    @property
    def place(self) -> tuple[datetime, int, Key]:
        """Where it stands in the plan."""
        return self.due, _RANK[self.kind], self.id


@dataclass(frozen=True, slots=True)
class Count:
    """How many of a kind are due, and how many of them a hold keeps."""

    kind: Kind
    due: int
    held: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One page of the plan, and the counts of all of it."""

    until: datetime
    page: Page[Item]
    counts: tuple[Count, ...]
    """Of every kind that is kept at all, also where nothing is due."""


class Planning:
    """Reads the plan; thread-safe."""

    def __init__(self, database: Database, settings: RetentionSettings, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._periods = {period.kind: period for period in periods(settings) if period.kind in SOURCES}

    def plan(self, until: datetime | None, page_size: int, page_token: str) -> Plan:
        """Return what is due at ``until``; now when None. FrsError INVALID_PAGE_TOKEN."""
        now = self._clock.now()
        given = until
        size = max(1, min(page_size, LARGEST_PAGE))
        fingerprint = f"retention {'now' if given is None else given.isoformat()}"
        last = _read_place(page_token, fingerprint)
        if given is None:
            # The pages of one listing are of one instant, which the token carries: the list has an end.
            until = now if last is None else last[0]
        assert until is not None
        with self._database.read() as connection:
            walks = [self._items(connection, period, until, now, last, size) for period in self._periods.values()]
            found = list(_first(heapq.merge(*walks, key=lambda item: item.place), size + 1))
            counts = tuple(_count(connection, period, until, now) for period in self._periods.values())
        items = tuple(found[:size])
        token = _write_place(fingerprint, until, items[-1]) if len(found) > size else ""
        return Plan(until, Page(items, token, sum(count.due for count in counts)), counts)

    def _items(
        self,
        connection: sa.Connection,
        period: Period,
        until: datetime,
        now: datetime,
        last: tuple[datetime, datetime, Kind, Key] | None,
        size: int,
    ) -> Iterator[Item]:
        source = SOURCES[period.kind]
        query = source.walk(period.cutoff(until), source.holder(now).label("hold"))
        if last is not None:
            query = query.where(_beyond(source, period, last[1:]))
        for row in connection.execute(query.limit(size + 1)):
            name = f"{_COLLECTIONS[period.kind]}/{row.id}"
            if row.parent is not None:
                name = f"watchlists/{row.parent}/{name}"
            yield Item(period.kind, name, period.due(row.start), row.hold, row.id)


def _count(connection: sa.Connection, period: Period, until: datetime, now: datetime) -> Count:
    source = SOURCES[period.kind]
    inner = source.select(period.cutoff(until), source.holder(now).label("hold")).subquery()
    due, held = connection.execute(sa.select(sa.func.count(), sa.func.count(inner.c.hold))).one()
    return Count(period.kind, due, held)


def _beyond(source: Source, period: Period, last: tuple[datetime, Kind, Key]) -> sa.ColumnElement[bool]:
    """Return whether a row of the source stands behind the last item of the page before."""
    due, kind, key = last
    start = period.cutoff(due)
    if kind is period.kind:
        return source.after(start, key)
    return source.at_or_after(start) if _RANK[period.kind] > _RANK[kind] else source.after(start, None)


def _first(items: Iterator[Item], count: int) -> Iterator[Item]:
    for _, item in zip(range(count), items, strict=False):
        yield item


def _write_place(fingerprint: str, until: datetime, item: Item) -> str:
    place: list[Json] = [until.isoformat(), item.due.isoformat(), str(item.kind), str(item.id)]
    return page_token_encode(fingerprint, place)


def _read_place(token: str, fingerprint: str) -> tuple[datetime, datetime, Kind, Key] | None:
    last = page_token_decode(token, fingerprint, (str, str, str, str))
    if last is None:
        return None
    until, due, kind, key = (str(value) for value in last)
    try:
        known = Kind(kind)
        place = (_instant(until), _instant(due), known, _index(key) if SOURCES[known].numbered else key)
    except (ValueError, KeyError, OverflowError) as error:
        raise FrsError(Reason.INVALID_PAGE_TOKEN, "The page token does not hold a place in the plan.") from error
    return place


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _index(text: str) -> int:
    index = int(text)
    if not 0 <= index < 2**63:
        raise ValueError("no event has this index")
    return index
