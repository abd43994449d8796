"""What falls due, kind by kind, as SQL: where a thing lies, from when its period runs, what is still there of it.

Each kind is walked in the order in which it falls due, by keyset on (start, id), and every walk is bounded; the
indexes ``ix_*_due`` give the order. Payloads are walked by the index of their event, which is the order of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import sqlalchemy as sa

from frs.match.upload_records import UploadState
from frs.retention.hold_scope import SCOPES, holder, in_force, on_entry, on_watchlist, unheld
from frs.retention.periods import Kind
from frs.store.schema import (
    alert,
    audit_event,
    audit_payload,
    hold,
    job,
    job_item,
    operator_search,
    subject,
    upload,
    watchlist,
)

Condition: TypeAlias = "sa.ColumnElement[bool]"
Key: TypeAlias = "str | int"


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of thing in the database."""

    kind: Kind
    table: sa.FromClause
    """What is selected from; payloads join their events."""
    rows: tuple[sa.FromClause, ...]
    """The tables whose rows a hold is asked about."""
    start: sa.ColumnElement[Any]
    """The instant from which the period runs."""
    id: sa.ColumnElement[Any]
    there: Condition
    """Whether there is anything left to destroy."""
    parent: sa.ColumnElement[Any] | None = None
    """The watchlist of an entry, for its name."""
    numbered: bool = False
    """Whether ``id`` is a number that grows with ``start``, and the walk follows it alone."""

    def holder(self, now: datetime) -> sa.ColumnElement[Any]:
        """Return the id of a hold that keeps the row; NULL when it will go."""
        if self.kind is Kind.WATCHLIST:
            return _list_holder(now)
        scope = SCOPES.get(self.kind)
        return sa.null() if scope is None else holder(scope(), now, *self.rows)

    def unheld(self, now: datetime) -> Condition:
        """Return whether the row will go."""
        if self.kind is Kind.WATCHLIST:
            return _list_holder(now).is_(None)
        scope = SCOPES.get(self.kind)
        return sa.true() if scope is None else unheld(scope(), now, *self.rows)

    def began(self, cutoff: datetime) -> Condition:
        """Return whether the period began at ``cutoff`` or before."""
        return self.id <= _last_event(cutoff) if self.numbered else self.start <= cutoff

    def after(self, start: datetime, key: Key | None) -> Condition:
        """Return whether a row comes after (start, key) in the walk; after every row of ``start`` without a key."""
        if self.numbered:
            return self.id > (key if key is not None else sa.func.coalesce(_last_event(start), -1))
        if key is None:
            return self.start > start
        return sa.or_(self.start > start, sa.and_(self.start == start, self.id > key))

    def at_or_after(self, start: datetime) -> Condition:
        """Return whether a row began at ``start`` or later."""
        return audit_event.c.time >= start if self.numbered else self.start >= start

    def select(self, cutoff: datetime, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Return what began by ``cutoff`` and is there, unordered."""
        return sa.select(*columns).select_from(self.table).where(self.there, self.began(cutoff))

    def walk(self, cutoff: datetime, *more: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Return id, start, parent (NULL for most) and ``more`` of what is due, in the order of the walk."""
        parent = sa.null() if self.parent is None else self.parent
        columns = (self.id.label("id"), self.start.label("start"), parent.label("parent"), *more)
        order = (self.id,) if self.numbered else (self.start, self.id)
        return self.select(cutoff, *columns).order_by(*order)


def _earlier(first: sa.ColumnElement[Any], second: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return the earlier of two instants, the first of which may be missing."""
    return sa.case((first < second, first), else_=second)


def _last_event(cutoff: datetime) -> sa.ScalarSelect[Any]:
    """Return the index of the last event at or before an instant: times never fall from one event to the next."""
    event = audit_event.alias("last_event")
    order = (event.c.time.desc(), event.c.seq.desc())
    return sa.select(event.c.seq).where(event.c.time <= cutoff).order_by(*order).limit(1).scalar_subquery()


_LEFT = ("enrolled", "withdrawn")


def entries_due(list_id: str, now: datetime) -> sa.Select[Any]:
    """Return the ids of a list's entries of which something is left and that nothing holds."""
    left = sa.select(subject.c.id).where(subject.c.watchlist_id == list_id, subject.c.state.in_(_LEFT))
    return left.where(unheld(on_entry(), now, subject)).order_by(subject.c.id)


def entries_left() -> sa.Select[Any]:
    """Return the ids of a list's entries of which something is left, for the list of the enclosing query's row."""
    left = subject.c.state.in_(_LEFT)
    return sa.select(subject.c.id).where(subject.c.watchlist_id == watchlist.c.id, left)


def _list_holder(now: datetime) -> sa.ColumnElement[Any]:
    """Return what keeps a list: a hold on it, or one on a person where nobody else is left on it."""
    free = entries_left().where(unheld(on_entry(), now, subject)).correlate(watchlist)
    person = (
        sa.select(sa.func.min(hold.c.id))
        .select_from(subject.join(hold, on_entry()))
        .where(subject.c.watchlist_id == watchlist.c.id, subject.c.state.in_(_LEFT), in_force(now))
        .correlate(watchlist)
        .scalar_subquery()
    )
    whole = holder(on_watchlist(), now, watchlist)
    going = sa.or_(watchlist.c.state != "retired", free.exists())
    return sa.case((whole.is_not(None), whole), (going, sa.null()), else_=person)


def _in_use() -> Condition:
    """Return whether a job that has not finished needs the upload of the row."""
    items = sa.select(job_item.c.job_id).join(job, job.c.id == job_item.c.job_id)
    waiting = items.where(job.c.state.in_(["queued", "running"]), job_item.c.upload_id == upload.c.id)
    return waiting.correlate(upload).exists()


SOURCES: dict[Kind, Source] = {
    source.kind: source
    for source in (
        Source(
            Kind.ALERT_PICTURES, alert, (alert,), alert.c.created_at, alert.c.id, alert.c.pictures_erased_at.is_(None)
        ),
        Source(Kind.ALERT, alert, (alert,), alert.c.created_at, alert.c.id, alert.c.erased_at.is_(None)),
        Source(
            Kind.UPLOAD,
            upload,
            (upload,),
            upload.c.created_at,
            upload.c.id,
            sa.and_(upload.c.state.in_([UploadState.RECEIVING, UploadState.COMPLETE]), ~_in_use()),
        ),
        Source(
            Kind.JOB,
            job,
            (job,),
            job.c.finished_at,
            job.c.id,
            sa.and_(job.c.erased_at.is_(None), job.c.finished_at.is_not(None)),
        ),
        Source(
            Kind.SEARCH,
            operator_search,
            (operator_search,),
            operator_search.c.created_at,
            operator_search.c.id,
            operator_search.c.erased_at.is_(None),
        ),
        Source(
            Kind.WATCHLIST,
            watchlist,
            (watchlist,),
            _earlier(watchlist.c.retired_at, watchlist.c.expires_at),
            watchlist.c.id,
            sa.or_(watchlist.c.state != "retired", entries_left().correlate(watchlist).exists()),
        ),
        Source(
            Kind.WITHDRAWN_SUBJECT,
            subject,
            (subject,),
            subject.c.withdrawn_at,
            subject.c.id,
            subject.c.state == "withdrawn",
            parent=subject.c.watchlist_id,
        ),
        Source(
            Kind.HOLD,
            hold,
            (),
            _earlier(hold.c.released_at, hold.c.ends_at),
            hold.c.id,
            sa.or_(hold.c.reason != "", hold.c.release_reason.is_not(None)),
        ),
        Source(
            Kind.PAYLOAD,
            audit_payload.join(audit_event, audit_event.c.seq == audit_payload.c.seq),
            (audit_event,),
            audit_event.c.time,
            audit_payload.c.seq,
            sa.true(),
            numbered=True,
        ),
    )
}
"""Every kind that is ever due; faces that match nobody are never kept."""
