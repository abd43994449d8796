"""Finding events: filters over the log's columns and references, in the order of the log.

Time grows with the index, so a time range becomes an index range, which narrows to where every condition has events at
all. The rarest condition there is gone through in order and the others are asked of each of its events, all within the
database: so a page costs little however long the log is, and does not depend on what a planner makes of its statistics.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.conditions import Anything, ByAction, ByActor, ByReference, Condition, Part, Span, holds
from frs.audit.event import format_time
from frs.store.schema import audit_event
from frs.store.vault import Vault
from frs.types import Json

_event = audit_event.c
_KINDS = ("watchlist", "subject", "deployment", "alert", "search", "job")
_PROBE = 5000
_MANY = 20_000
_LOOKUP_COST = 8


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
    actor = vault.pseudonym("actor", wanted.actor) if wanted.actor is not None else None
    if wanted.action is not None:
        name = wanted.action.rstrip(".")
        yield ByAction(tuple(str(a) for a in Action if a == name or a.startswith(f"{name}.")), actor)
    elif actor is not None:
        yield ByActor(actor)


def find(
    connection: sa.Connection, wanted: EventFilter, vault: Vault, after: int | None, count: int, newest_first: bool
) -> list[int]:
    """Return the indexes of the first ``count`` events beyond ``after``, in order."""
    span = _span(connection, wanted, after, newest_first)
    conditions = [*conditions_of(wanted, vault)] or [Anything()]
    if len(conditions) > 1:
        for condition in conditions:
            span = span and _narrowed(connection, condition, span)
    if span is None:
        return []
    weights = [_weight(connection, condition, span) if len(conditions) > 1 else 0.0 for condition in conditions]
    (_, rarest), *others = sorted(zip(weights, conditions, strict=True), key=lambda weighed: weighed[0])
    found: list[int] = []
    for part in rarest.parts():
        weight = _part_weight(connection, part, span) if others else 0.0
        query = _search(part, weight, others, span)
        order: sa.ColumnElement[Any] = sa.column("seq").desc() if newest_first else sa.column("seq").asc()
        found += connection.scalars(query.order_by(order).limit(count))
    return sorted(found, reverse=newest_first)[:count]


def _search(
    part: Part, weight: float, others: Sequence[tuple[float, Condition]], span: Span
) -> sa.Select[Any] | sa.CompoundSelect[Any]:
    """Select the events of a part that meet the other conditions, given how many events each has.

    Looking an event up costs some ten times what reading on in an index does: where the part holds many events, it and
    the rarest other condition are read side by side, and events found in both are kept.
    """
    beside = [*others[0][1].parts()] if others else []
    if len(beside) != 1 or weight < _MANY or weight * _LOOKUP_COST < others[0][0]:
        return part.select(span, *(holds(other, part.seq) for _, other in others))
    query = part.select(span, *(holds(other, part.seq) for _, other in others[1:]))
    return sa.intersect(query, beside[0].select(span))


def _order(part: Part, newest_first: bool) -> sa.ColumnElement[int]:
    return part.seq.desc() if newest_first else part.seq.asc()


def _narrowed(connection: sa.Connection, condition: Condition, span: Span) -> Span | None:
    """Return the span from the first to the last event of it that meets a condition, or None when none does."""
    edges: list[int] = []
    for part in condition.parts():
        for newest_first in (False, True):
            edges += connection.scalars(part.select(span).order_by(_order(part, newest_first)).limit(1))
    return (min(edges), max(edges)) if edges else None


def _weight(connection: sa.Connection, condition: Condition, span: Span) -> float:
    """Return how many events of the span meet a condition, nearly."""
    return sum(_part_weight(connection, part, span) for part in condition.parts())


def _part_weight(connection: sa.Connection, part: Part, span: Span) -> float:
    """Return how many events of the span are in a part; a guess from the first many where there are many."""
    far: int | None = connection.scalar(part.select(span).order_by(part.seq).limit(1).offset(_PROBE))
    if far is None:
        count = sa.select(sa.func.count()).select_from(part.select(span).subquery())
        return float(connection.execute(count).scalar_one())
    return _PROBE + _PROBE * (span[1] - far) / (far - span[0] + 1)


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
