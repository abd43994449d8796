"""Finding events: filters over the log's columns and references, in the order of the log.

Time grows with the index, so a time range becomes an index range. The rarest condition, as far as a short probe tells,
is gone through in order, in blocks, and the others are asked about each block: so a page costs little however long the
log is, and does not depend on what a database's planner makes of the statistics it has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.conditions import Anything, ByAction, ByActor, ByReference, Condition
from frs.audit.event import format_time
from frs.store.schema import audit_event
from frs.store.vault import Vault
from frs.types import Json

_event = audit_event.c
_KINDS = ("watchlist", "subject", "deployment", "alert", "search", "job")
_PROBE = 2000
_BLOCK = 5000


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events to list; all that is given must hold."""

    since: datetime | None = None
    """The first instant, inclusive."""
    until: datetime | None = None
    """The last instant, exclusive."""
    actor: str | None = None
    """The actor's name."""
    action: str | None = None
    """A dotted name or its first parts: ``watchlist`` finds ``watchlist.created``."""
    watchlist: str | None = None
    subject: str | None = None
    """The nominal reference."""
    deployment: str | None = None
    alert: str | None = None
    search: str | None = None
    job: str | None = None

    def given(self) -> dict[str, Json]:
        """Return what is asked for as JSON, for the event that logs the question."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in values.items()
            if value is not None
        }

    def fingerprint(self) -> str:
        """Return text that tells filters apart, for page tokens."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return "\n".join(
            f"{name}={format_time(value) if isinstance(value, datetime) else value!r}"
            for name, value in values
            if value is not None
        )


def conditions_of(wanted: EventFilter, vault: Vault) -> Iterator[Condition]:
    """Yield what must hold besides the time range; people become pseudonyms."""
    for kind in _KINDS:
        value: str | None = getattr(wanted, kind)
        if value is not None:
            yield ByReference(kind, vault.pseudonym("subject", value) if kind == "subject" else value)
    if wanted.actor is not None:
        yield ByActor(vault.pseudonym("actor", wanted.actor))
    if wanted.action is not None:
        name = wanted.action.rstrip(".")
        yield ByAction(tuple(str(a) for a in Action if a == name or a.startswith(f"{name}.")))


def find(
    connection: sa.Connection, wanted: EventFilter, vault: Vault, after: int | None, count: int, newest_first: bool
) -> list[int]:
    """Return the indexes of the first ``count`` events beyond ``after``, in order."""
    whole = _span(connection, wanted, after, newest_first)
    if whole is None:
        return []
    span = whole
    conditions = [*conditions_of(wanted, vault)] or [Anything()]
    if len(conditions) > 1:
        conditions.sort(key=lambda condition: _density(condition.first(connection, whole, _PROBE, newest_first)))
    rarest, *others = conditions
    found: list[int] = []
    block = count
    while span[0] <= span[1]:
        candidates = rarest.first(connection, span, block, newest_first)
        kept = set(candidates)
        for condition in others:
            kept &= condition.among(connection, kept)
        found += [seq for seq in candidates if seq in kept]
        if len(found) >= count or len(candidates) < block:
            break
        span = (span[0], candidates[-1] - 1) if newest_first else (candidates[-1] + 1, span[1])
        block = min(2 * block, _BLOCK)
    return found[:count]


def _density(probe: list[int]) -> float:
    """Return how many events a condition finds for each index that it passes."""
    return len(probe) / (abs(probe[-1] - probe[0]) + 1) if len(probe) == _PROBE else len(probe) / 2**63


def _span(
    connection: sa.Connection, wanted: EventFilter, after: int | None, newest_first: bool
) -> tuple[int, int] | None:
    """Return the first and last index that may match, or None when none can."""
    last = connection.scalar(sa.select(sa.func.max(_event.seq)))
    if last is None:
        return None
    low, high = 0, int(last)
    if wanted.since is not None:
        first = _edge(connection, _event.time >= wanted.since, _event.time.asc(), _event.seq.asc())
        if first is None:
            return None
        low = first
    if wanted.until is not None:
        final = _edge(connection, _event.time < wanted.until, _event.time.desc(), _event.seq.desc())
        if final is None:
            return None
        high = final
    if after is not None:
        low, high = (low, min(high, after - 1)) if newest_first else (max(low, after + 1), high)
    return (low, high) if low <= high else None


def _edge(connection: sa.Connection, condition: sa.ColumnElement[bool], *order: sa.ColumnElement[object]) -> int | None:
    seq: int | None = connection.scalar(sa.select(_event.seq).where(condition).order_by(*order).limit(1))
    return seq
