"""What the log holds on one person: every event that refers to their pseudonym.

Within an act the events count that were appended in the same commit and are in no table yet: a payload that names a
person who is being erased must not slip by.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import sqlalchemy as sa

from frs.audit.event import Record
from frs.audit.log import AuditLog
from frs.store.schema import audit_event, audit_reference

_event, _reference = audit_event.c, audit_reference.c


@dataclass(slots=True)
class Concerning:
    """The events on a person."""

    actions: dict[int, str] = field(default_factory=dict)
    """The action of each event, by index, in order."""
    others: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """What else those events refer to, by kind: ``alert``, ``search``, ``job``, ``deployment``, ``watchlist``."""


def concerning(connection: sa.Connection, pseudonym: str) -> Concerning:
    """Return the events on a person, as the connection sees the log."""
    found = Concerning()
    theirs = sa.and_(_reference.kind == "subject", _reference.value == pseudonym)
    events = sa.select(_event.seq, _event.action).join(audit_reference, _reference.seq == _event.seq).where(theirs)
    for seq, action in connection.execute(events.order_by(_event.seq)):
        found.actions[seq] = action
    beside = audit_reference.alias("beside")
    others = (
        sa.select(beside.c.kind, beside.c.value)
        .join(audit_reference, _reference.seq == beside.c.seq)
        .where(theirs, beside.c.kind != "subject")
        .distinct()
    )
    for kind, value in connection.execute(others):
        found.others[kind].add(value)
    return found


def concerning_within(connection: sa.Connection, audit: AuditLog, pseudonym: str) -> Concerning:
    """As :func:`concerning`, within an act: those that its commit is about to write included."""
    found = concerning(connection, pseudonym)
    for record in audit.unwritten():
        if ("subject", pseudonym) in record.references:
            _add(found, record)
    return found


def _add(found: Concerning, record: Record) -> None:
    found.actions[record.seq] = record.action
    for kind, value in record.references:
        if kind != "subject":
            found.others[kind].add(value)
