"""Reading stored events back, and opening their payloads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

import sqlalchemy as sa

from frs.audit.event import StoredEvent, open_payload, parse_payload, parse_time
from frs.audit.origins import Origins
from frs.errors import FrsError, Reason
from frs.store.database import Database
from frs.store.schema import audit_event, audit_payload
from frs.store.vault import Vault

_LEAVES_AT_ONCE = 1000


def read_events(connection: sa.Connection, wanted: Sequence[int]) -> tuple[StoredEvent, ...]:
    """Return events by index, in the order asked for, payloads unopened."""
    if not wanted:
        return ()
    rows = connection.execute(sa.select(audit_event.c.seq, audit_event.c.leaf).where(audit_event.c.seq.in_(wanted)))
    found = {seq: _event(seq, leaf) for seq, leaf in rows}
    return tuple(found[seq] for seq in wanted)


def read_event(connection: sa.Connection, seq: int, vault: Vault | None, origins: Origins) -> StoredEvent:
    """Return one event; with a vault its payload is opened, unless it has been erased.

    Raises FrsError: EVENT_NOT_FOUND; LOG_INCONSISTENT when the event was altered; KEY_MISSING when its key
    was lost without having been destroyed.
    """
    leaf: bytes | None = connection.scalar(sa.select(audit_event.c.leaf).where(audit_event.c.seq == seq))
    if leaf is None:
        raise FrsError(Reason.EVENT_NOT_FOUND, f"The log holds no event {seq}.", seq=str(seq))
    event = _event(seq, leaf)
    if vault is None:
        return event
    owner = origins.payload_owner(seq)
    if vault.destroyed(owner):
        return replace(event, erased=True)
    sealed: bytes | None = connection.scalar(sa.select(audit_payload.c.sealed).where(audit_payload.c.seq == seq))
    if sealed is None:
        raise FrsError(Reason.LOG_INCONSISTENT, f"The payload of event {seq} is missing, but was never erased.")
    nonce, payload = open_payload(seq, leaf, sealed, owner, vault)
    return replace(event, payload=parse_payload(payload), nonce=nonce)


def read_leaves(database: Database, start: int, stop: int) -> Iterator[bytes]:
    """Yield the leaves from ``start`` up to but not including ``stop``, as far as the log goes."""
    for first in range(start, stop, _LEAVES_AT_ONCE):
        query = (
            sa.select(audit_event.c.leaf)
            .where(audit_event.c.seq >= first, audit_event.c.seq < min(first + _LEAVES_AT_ONCE, stop))
            .order_by(audit_event.c.seq)
        )
        with database.read() as connection:
            found = connection.scalars(query).all()
        if not found:
            return
        yield from found


def _event(seq: int, leaf: bytes) -> StoredEvent:
    """Read what the leaf says: the columns beside it are for finding it."""
    try:
        fields = json.loads(leaf)
        time, action, operation = parse_time(fields["time"]), str(fields["action"]), str(fields["operation"])
    except (ValueError, KeyError, TypeError) as error:
        raise FrsError(Reason.LOG_INCONSISTENT, f"Event {seq} cannot be read: it was altered.", seq=str(seq)) from error
    return StoredEvent(seq, time, action, operation, leaf, None, None)
