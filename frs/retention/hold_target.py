"""What a hold can be placed on: resource names, whether the thing is there, and what the log is told that it concerns.

Names: ``alerts/ID``, ``uploads/ID``, ``jobs/ID``, ``searches/ID``, ``watchlists/ID``, ``events/INDEX`` and
``nominals/NOMINAL``, which is a person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.match.upload_records import UploadState
from frs.retention import hold_scope
from frs.store.schema import (
    alert,
    audit_event,
    audit_payload,
    audit_reference,
    job,
    operator_search,
    subject,
    upload,
    watchlist,
)
from frs.store.vault import Vault
from frs.types import ListVersion, References


@dataclass(frozen=True, slots=True)
class Thing:
    """One kind of thing that a hold can name, and how a hold is recognised as keeping it."""

    collection: str
    """First part of its resource name."""
    key: sa.ColumnElement[Any]
    left: sa.ColumnElement[bool]
    """Whether something of it is left to keep."""
    scope: Callable[[], sa.ColumnElement[bool]]
    missing: Reason
    table: sa.FromClause


@dataclass(frozen=True, slots=True)
class Target:
    """What a hold is placed on."""

    kind: str
    id: str
    references: References
    """What its events in the log concern."""


THINGS: dict[str, Thing] = {
    hold_scope.ALERT: Thing(
        "alerts", alert.c.id, alert.c.erased_at.is_(None), hold_scope.on_alert, Reason.ALERT_NOT_FOUND, alert
    ),
    hold_scope.UPLOAD: Thing(
        "uploads",
        upload.c.id,
        upload.c.state != UploadState.DESTROYED,
        hold_scope.on_upload,
        Reason.UPLOAD_NOT_FOUND,
        upload,
    ),
    hold_scope.JOB: Thing("jobs", job.c.id, job.c.erased_at.is_(None), hold_scope.on_job, Reason.JOB_NOT_FOUND, job),
    hold_scope.SEARCH: Thing(
        "searches",
        operator_search.c.id,
        operator_search.c.erased_at.is_(None),
        hold_scope.on_search,
        Reason.SEARCH_NOT_FOUND,
        operator_search,
    ),
    hold_scope.WATCHLIST: Thing(
        "watchlists", watchlist.c.id, sa.true(), hold_scope.on_watchlist, Reason.WATCHLIST_NOT_FOUND, watchlist
    ),
    hold_scope.EVENT: Thing(
        "events",
        audit_event.c.seq,
        sa.select(audit_payload.c.seq).where(audit_payload.c.seq == audit_event.c.seq).exists(),
        hold_scope.on_event,
        Reason.EVENT_NOT_FOUND,
        audit_event,
    ),
}
"""By ``hold.kind``; a person is not a row of any table."""
PERSON = "nominals"
ENTRY = "subject"
_KINDS = {thing.collection: kind for kind, thing in THINGS.items()}
_LONGEST_INDEX = 18
_FORMS = ", ".join(f"{collection}/..." for collection in (*_KINDS, PERSON))


def target_name(kind: str, key: str) -> str:
    """Return the resource name of what is held."""
    return f"{PERSON if kind == hold_scope.NOMINAL else THINGS[kind].collection}/{key}"


def find_target(connection: sa.Connection, name: str, vault: Vault) -> Target:
    """Find what a name means.

    FrsError: INVALID_FIELD for another form; the thing's own NOT_FOUND, for a person SUBJECT_NOT_FOUND when nothing was
    ever held or logged on them; ERASED when nothing is left of it.
    """
    collection, _, key = name.partition("/")
    key = key.strip()
    if not key or collection not in {*_KINDS, PERSON}:
        raise FrsError(Reason.INVALID_FIELD, f"target: what is held is named {_FORMS}", field="target")
    if collection == PERSON:
        _require_known(connection, key, vault)
        return Target(hold_scope.NOMINAL, key, References(subjects=(key,)))
    kind = _KINDS[collection]
    thing = THINGS[kind]
    left = connection.scalar(sa.select(thing.left).select_from(thing.table).where(thing.key == _key(kind, key)))
    if left is None:
        raise FrsError(thing.missing, f"There is no {name}.", target=name)
    if not left:
        raise FrsError(Reason.ERASED, f"Nothing is left of {name} to be held.", target=name)
    return Target(kind, key, references(connection, kind, key))


def references(connection: sa.Connection, kind: str, key: str) -> References:
    """Return what an event on a hold concerns, so that it is found by the thing and by the person whom it concerns."""
    if kind == hold_scope.NOMINAL:
        return References(subjects=(key,))
    if kind == hold_scope.ALERT:
        query = sa.select(alert.c.nominal).where(alert.c.id == key, alert.c.erased_at.is_(None))
        return References(alert=key, subjects=tuple(connection.scalars(query)))
    if kind == hold_scope.WATCHLIST:
        versions = connection.scalars(sa.select(watchlist.c.version).where(watchlist.c.id == key))
        return References(watchlists=tuple(ListVersion(key, version) for version in versions))
    if kind == hold_scope.JOB:
        return References(job=key)
    return References(search=key) if kind == hold_scope.SEARCH else References()


def _key(kind: str, key: str) -> str | int:
    if kind != hold_scope.EVENT:
        return key
    return int(key) if key.isascii() and key.isdecimal() and len(key) <= _LONGEST_INDEX else -1


def _require_known(connection: sa.Connection, nominal: str, vault: Vault) -> None:
    """Refuse a person on whom nothing is held or logged: a name that was mistyped would hold nothing."""
    listed = sa.select(subject.c.id).where(subject.c.nominal == nominal).limit(1)
    pseudonym = vault.pseudonym("subject", nominal)
    logged = (
        sa.select(audit_reference.c.seq)
        .where(audit_reference.c.kind == "subject", audit_reference.c.value == pseudonym)
        .limit(1)
    )
    if connection.scalar(listed) is None and connection.scalar(logged) is None:
        raise FrsError(Reason.SUBJECT_NOT_FOUND, "Nothing is held or logged on the person of that nominal.")
