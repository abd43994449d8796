"""Finding events: filters over the log's columns and references, in the order of the log.

Time grows with the index, so a time range becomes an index range. An action's prefix becomes one ordered query per
action, merged: each needs no more rows than a page has, however long the log is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.event import format_time
from frs.store.schema import audit_event, audit_reference
from frs.store.vault import Vault

_event = audit_event.c
_KINDS = ("watchlist", "subject", "deployment", "alert", "search", "job")


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

    def fingerprint(self) -> str:
        """Return text that tells filters apart, for page tokens."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return "\n".join(
            f"{name}={format_time(value) if isinstance(value, datetime) else value!r}"
            for name, value in values
            if value is not None
        )


def find(
    connection: sa.Connection, wanted: EventFilter, vault: Vault, after: int | None, count: int, newest_first: bool
) -> list[int]:
    """Return the indexes of the first ``count`` events beyond ``after``, in order."""
    span = _span(connection, wanted, after, newest_first)
    if span is None:
        return []
    conditions = [_event.seq >= span[0], _event.seq <= span[1], *_references(wanted, vault)]
    if wanted.actor is not None:
        conditions.append(_event.actor == vault.pseudonym("actor", wanted.actor))
    queries = [
        sa.select(_event.seq)
        .where(*conditions, *of_action)
        .order_by(_event.seq.desc() if newest_first else _event.seq.asc())
        .limit(count)
        for of_action in _by_action(wanted.action)
    ]
    found = [int(row.seq) for query in queries for row in connection.execute(query)]
    return sorted(found, reverse=newest_first)[:count]


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


def _by_action(prefix: str | None) -> list[list[sa.ColumnElement[bool]]]:
    """Return the conditions of each query: one for every action that the prefix names."""
    if prefix is None:
        return [[]]
    name = prefix.rstrip(".")
    return [[_event.action == str(a)] for a in Action if a == name or a.startswith(f"{name}.")]


def _references(wanted: EventFilter, vault: Vault) -> Iterator[sa.ColumnElement[bool]]:
    for kind in _KINDS:
        value: str | None = getattr(wanted, kind)
        if value is not None:
            reference = audit_reference.alias(f"by_{kind}").c
            key = vault.pseudonym("subject", value) if kind == "subject" else value
            yield reference.kind == kind
            yield reference.value == key
            yield reference.seq == _event.seq
