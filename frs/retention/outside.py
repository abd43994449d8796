"""Copies of what was erased that lie outside this system's control: whoever erases must be told of them.

Imported files are where the pictures came from (the source that was stated at enrolment, in the database while the
entry stands and in the log's payloads after). Backups, exports of the log and packages of subject access are recorded
when they are made (``outside_copy``); those count that were made since the person was first known here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.concerning import Concerning
from frs.audit.event import format_time
from frs.audit.log import AuditLog
from frs.audit.reading import read_event
from frs.errors import FrsError, Reason
from frs.store.schema import audit_event, outside_copy, reference_image, subject
from frs.store.vault import Vault
from frs.types import Json

_WITH_SOURCES = {str(Action.SUBJECT_ENROLLED), str(Action.SUBJECT_IMAGE_ADDED)}


@dataclass(frozen=True, slots=True)
class Outside:
    """What lies outside."""

    imported: dict[str, int]
    """How many pictures were taken from each source."""
    copies: tuple[dict[str, Json], ...]
    """``id``, ``kind``, ``made_at``, ``made_by``, ``place``, ``expires_at``."""

    def as_json(self) -> dict[str, Json]:
        """Return it as certificates have it."""
        sources: list[Json] = [{"source": name, "images": count} for name, count in sorted(self.imported.items())]
        return {"imported": sources, "copies": [*self.copies]}


def find_outside(
    connection: sa.Connection, audit: AuditLog, vault: Vault, nominal: str, logged: Concerning, now: datetime
) -> Outside:
    """Find the copies of what is held or logged on a person; before anything of it is destroyed."""
    pseudonym = vault.pseudonym("subject", nominal)
    known = [connection.scalar(sa.select(sa.func.min(subject.c.created_at)).where(subject.c.nominal == nominal))]
    if logged.actions:
        first = sa.select(audit_event.c.time).where(audit_event.c.seq == min(logged.actions))
        known.append(connection.scalar(first))
    since = min((instant for instant in known if instant is not None), default=now)
    return Outside(
        _imported(connection, audit, vault, nominal, logged), copies_since(connection, pseudonym, since, now)
    )


def copies_since(
    connection: sa.Connection, pseudonym: str, since: datetime, now: datetime
) -> tuple[dict[str, Json], ...]:
    """Return the copies made since an instant that may hold something on a person and have not expired."""
    table = outside_copy.c
    theirs = sa.or_(table.subject.is_(None), table.subject == pseudonym)
    alive = sa.or_(table.expires_at.is_(None), table.expires_at > now)
    query = sa.select(outside_copy).where(theirs, alive, table.made_at >= since).order_by(table.made_at, table.id)
    return tuple(
        {
            "id": row.id,
            "kind": row.kind,
            "made_at": format_time(row.made_at),
            "made_by": row.made_by,
            "place": row.place,
            "expires_at": None if row.expires_at is None else format_time(row.expires_at),
        }
        for row in connection.execute(query)
    )


def _imported(
    connection: sa.Connection, audit: AuditLog, vault: Vault, nominal: str, logged: Concerning
) -> dict[str, int]:
    sources: dict[str, str] = {}  # by image, so that none counts twice
    theirs = sa.select(subject.c.id).where(subject.c.nominal == nominal)
    for row in connection.execute(
        sa.select(reference_image.c.id, reference_image.c.source).where(reference_image.c.subject_id.in_(theirs))
    ):
        sources[row.id] = row.source
    for seq, action in logged.actions.items():
        if action in _WITH_SOURCES:
            for image in _images(connection, audit, vault, seq):
                sources.setdefault(str(image.get("image") or image.get("id")), str(image.get("source", "")))
    return dict(Counter(sources.values()))


def _images(connection: sa.Connection, audit: AuditLog, vault: Vault, seq: int) -> list[dict[str, Any]]:
    """Return what an enrolment's payload says of its pictures; nothing when it is erased or was appended just now."""
    try:
        event = read_event(connection, seq, vault, audit.origins)
    except FrsError as error:
        if error.reason not in {Reason.EVENT_NOT_FOUND, Reason.KEY_MISSING}:
            raise
        return []
    details: Any = (event.payload or {}).get("details")
    images = details.get("images", []) if isinstance(details, dict) else []
    return [image for image in images if isinstance(image, dict)]
