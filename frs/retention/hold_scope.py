"""Which hold keeps a thing, as SQL: one expression for each kind, to be asked with the thing's own row.

A hold is in force while it is neither released nor past its end. It keeps the thing that it names, and what belongs
to it:

- a person (``nominal``): every alert, search, job, entry of a watchlist and payload that concerns the person;
- an alert: its pictures, its record, and the payloads of the events on it;
- a search or a job: its record and candidates, its media, and the payloads of the events on it;
- a watchlist: everyone on it, and the payloads of the events on it;
- an upload or an event: that alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias

import sqlalchemy as sa

from frs.retention.periods import Kind
from frs.store.schema import (
    alert,
    audit_event,
    audit_reference,
    hold,
    job,
    job_candidate,
    job_item,
    operator_search,
    subject,
    upload,
    watchlist,
)

Condition: TypeAlias = "sa.ColumnElement[bool]"

ALERT, UPLOAD, JOB, SEARCH = "alert", "upload", "job", "search"
WATCHLIST, EVENT, NOMINAL = "watchlist", "event", "nominal"
"""What a hold can name: ``hold.kind``."""


def in_force(now: datetime) -> Condition:
    """Return whether a hold keeps anything at ``now``."""
    return sa.and_(hold.c.released_at.is_(None), hold.c.ends_at > now)


def _names(kind: str, target: sa.ColumnElement[Any]) -> Condition:
    return sa.and_(hold.c.kind == kind, hold.c.target == target)


def on_alert() -> Condition:
    """Return whether a hold keeps the alert of the enclosing query's row."""
    return sa.or_(_names(ALERT, alert.c.id), _names(NOMINAL, alert.c.nominal))


def on_upload() -> Condition:
    """Return whether a hold keeps the upload of the row: itself, or a job that searched it."""
    items = sa.select(job_item.c.job_id).where(job_item.c.job_id == hold.c.target, job_item.c.upload_id == upload.c.id)
    return sa.or_(_names(UPLOAD, upload.c.id), sa.and_(hold.c.kind == JOB, items.correlate(hold, upload).exists()))


def on_job() -> Condition:
    """Return whether a hold keeps the job of the row: itself, or a person among its candidates."""
    found = sa.select(job_candidate.c.job_id).where(
        job_candidate.c.job_id == job.c.id, job_candidate.c.nominal == hold.c.target
    )
    return sa.or_(_names(JOB, job.c.id), sa.and_(hold.c.kind == NOMINAL, found.correlate(hold, job).exists()))


def on_search() -> Condition:
    """Return whether a hold keeps the operator search of the row: itself, or a person whom its event names."""
    event, person = audit_reference.alias("search_event"), audit_reference.alias("search_person")
    named = (
        sa.select(event.c.seq)
        .join(person, person.c.seq == event.c.seq)
        .where(
            event.c.kind == "search",
            event.c.value == operator_search.c.id,
            person.c.kind == "subject",
            person.c.value == hold.c.subject,
        )
    )
    return sa.or_(
        _names(SEARCH, operator_search.c.id),
        sa.and_(hold.c.kind == NOMINAL, named.correlate(hold, operator_search).exists()),
    )


def on_watchlist() -> Condition:
    """Return whether a hold keeps the whole watchlist of the row."""
    return _names(WATCHLIST, watchlist.c.id)


def on_entry() -> Condition:
    """Return whether a hold keeps the entry (subject) of the row: the person, or the whole list."""
    return sa.or_(_names(NOMINAL, subject.c.nominal), _names(WATCHLIST, subject.c.watchlist_id))


def on_event() -> Condition:
    """Return whether a hold keeps the payload of the event of the row: itself, or what the event concerns."""
    concerned = sa.select(audit_reference.c.seq).where(
        sa.or_(
            sa.and_(
                hold.c.kind.in_([ALERT, JOB, SEARCH, WATCHLIST]),
                audit_reference.c.kind == hold.c.kind,
                audit_reference.c.value == hold.c.target,
            ),
            sa.and_(
                hold.c.kind == NOMINAL, audit_reference.c.kind == "subject", audit_reference.c.value == hold.c.subject
            ),
        ),
        audit_reference.c.seq == audit_event.c.seq,
    )
    return sa.or_(_names(EVENT, sa.cast(audit_event.c.seq, sa.Text)), concerned.correlate(hold, audit_event).exists())


SCOPES: dict[Kind, Callable[[], Condition]] = {
    Kind.ALERT_PICTURES: on_alert,
    Kind.ALERT: on_alert,
    Kind.UPLOAD: on_upload,
    Kind.JOB: on_job,
    Kind.SEARCH: on_search,
    Kind.WATCHLIST: on_watchlist,
    Kind.WITHDRAWN_SUBJECT: on_entry,
    Kind.PAYLOAD: on_event,
}
"""What keeps a thing of each kind. A hold's own record is kept by no hold."""


def holder(scope: Condition, now: datetime, *tables: sa.FromClause) -> sa.ScalarSelect[Any]:
    """Return the id of one hold in force within ``scope`` for a row of ``tables``; NULL when nothing holds it."""
    return sa.select(sa.func.min(hold.c.id)).where(in_force(now), scope).correlate(*tables).scalar_subquery()


def unheld(scope: Condition, now: datetime, *tables: sa.FromClause) -> Condition:
    """Return whether nothing holds a row of ``tables``."""
    return ~sa.select(hold.c.id).where(in_force(now), scope).correlate(*tables).exists()
