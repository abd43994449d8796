"""Giving the log to somebody outside: proven events of one signed tree, and the record that they were given.

An export is a disclosure. Its event names recipient, reason, filter and tree, and is committed together with the row
that tells erasure certificates of the copy, before the first event leaves. The tree is fixed when the export begins,
so that every proof leads to one checkpoint however long the export takes and however often it is resumed.

Nothing is held between two batches but O(log n) hashes: no connection, no cursor, no list of indexes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.batch_proofs import TreeProofs
from frs.audit.bundle import best_note
from frs.audit.event import StoredEvent, open_payload
from frs.audit.log import AuditLog, EventFilter
from frs.audit.query import find
from frs.audit.reading import read_events
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.store.database import Database, Transaction
from frs.store.schema import audit_head, audit_payload, outside_copy
from frs.store.vault import Vault
from frs.types import Actor, Event, Json, References, new_id

BATCH = 500
"""Most events of a batch."""
BATCH_BYTES = 1 << 20
"""A batch ends after the event that reaches this size: leaves, proofs and payloads together."""
COPY_KIND = "log-export"

_SIZE = sa.select(audit_head.c.size).where(audit_head.c.id == 1)

MayOpen = Callable[[Actor, str], bool]
"""Whether an actor may open the payloads of an action (:func:`frs.access.payloads.may_open`)."""


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What is asked for, by whom it will be read, and why."""

    wanted: EventFilter
    recipient: str
    reason: str
    with_payloads: bool = False
    first_index: int = 0
    """To resume: the index after the last event received."""
    tree_size: int = 0
    """To resume: the tree that the export began with; 0 signs the log as it is."""


@dataclass(frozen=True, slots=True)
class ExportedEvent:
    """An event, its proof, and its payload where it was opened."""

    event: StoredEvent
    proof: list[bytes]
    payload: bytes = b""
    """Canonical JSON exactly as the leaf commits to it; empty when not opened."""
    nonce: bytes = b""


@dataclass(frozen=True, slots=True)
class Export:
    """An export that has begun and been logged."""

    actor: Actor
    asked: ExportRequest
    note: str
    """The signed checkpoint, cosigned where the witness has done so."""
    proofs: TreeProofs


class LogExports:
    """Begins exports and reads their batches. Thread-safe."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: AuditLog,
        clock: Clock,
        may_open: MayOpen,
        have_witnessed: Callable[[], None] = lambda: None,
    ) -> None:
        """``have_witnessed`` takes what is signed to the witness, where there is one, before an export begins."""
        self._have_witnessed = have_witnessed
        self._database = database
        self._vault = vault
        self._audit = audit
        self._clock = clock
        self._may_open = may_open

    def begin(self, actor: Actor, asked: ExportRequest) -> Export:
        """Fix the tree and log the disclosure; durable when this returns.

        Raises FrsError: INVALID_FIELD for a period that ends before it begins, CHECKPOINT_NOT_FOUND for a tree that was
        never signed, EVENT_NOT_FOUND for a first index beyond it, WITNESS_CONFLICT, and what signing and logging raise.
        A witness that is down does not hold an export up: its cosignature is missing then.
        """
        wanted = asked.wanted
        if wanted.since is not None and wanted.until is not None and wanted.since > wanted.until:
            raise FrsError(Reason.INVALID_FIELD, "since must not be after until", field="filter.since")
        note = self._audit.checkpoint_at(asked.tree_size) if asked.tree_size else self._sign()
        size = self._audit.read(note).size
        if asked.first_index > size:
            message = f"The signed log has {size} events; there is none from {asked.first_index} on."
            raise FrsError(Reason.EVENT_NOT_FOUND, message, size=str(size))
        with self._database.read() as connection:
            proofs = TreeProofs(connection, size)
        self._database.write(lambda tx: self._record(tx, actor, asked, size))
        return Export(actor, asked, note, proofs)

    def _sign(self) -> str:
        """Sign the log as it is, have that witnessed, and return the note of this tree or of a later one."""
        note = self._audit.checkpoint()
        try:
            self._have_witnessed()
        except FrsError as error:
            if error.reason not in {Reason.WITNESS_UNAVAILABLE, Reason.WITNESS_UNTRUSTED}:
                raise
        with self._database.read() as connection:
            return best_note(connection, self._audit.read(note).size) or note

    def batches(self, export: Export) -> Iterator[tuple[ExportedEvent, ...]]:
        """Yield the events in the order of the log, a bounded number at a time.

        Raises FrsError(LOG_INCONSISTENT) that names an event that was altered, KEY_MISSING when the key of a payload
        was lost without having been destroyed.
        """
        position = export.asked.first_index
        while batch := self.batch(export, position):
            yield batch
            position = batch[-1].event.seq + 1

    def batch(self, export: Export, position: int) -> tuple[ExportedEvent, ...]:
        """Return the next events from an index on; none when there are no more. Raises as :meth:`batches` does."""
        with self._database.read() as connection:
            found = find(connection, export.asked.wanted, self._vault, position - 1, BATCH, False)
            events = read_events(connection, [seq for seq in found if seq < export.proofs.size])
            sealed = self._sealed(connection, export, events)
            opened: list[tuple[bytes, bytes]] = []
            used = 0
            for event in events:
                nonce, payload = self._open(event, sealed[event.seq]) if event.seq in sealed else (b"", b"")
                opened.append((nonce, payload))
                used += len(event.leaf) + len(payload) + 1024  # about what a proof takes
                if used >= BATCH_BYTES:
                    break
            events = events[: len(opened)]
            proofs = export.proofs.prove(connection, [event.seq for event in events])
        return tuple(
            ExportedEvent(event, proof, payload, nonce)
            for event, proof, (nonce, payload) in zip(events, proofs, opened, strict=True)
        )

    def following(self, wanted: EventFilter, position: int, count: int) -> tuple[tuple[StoredEvent, ...], int]:
        """Return the next events from an index on, payloads unopened, and the index to look from next time."""
        with self._database.read() as connection:
            found = find(connection, wanted, self._vault, position - 1, count, False)
            events = read_events(connection, found)
            if len(events) == count:
                return events, events[-1].seq + 1
            return events, max(position, connection.execute(_SIZE).scalar_one())  # of the same snapshot

    def _sealed(
        self, connection: sa.Connection, export: Export, events: tuple[StoredEvent, ...]
    ) -> dict[int, bytes | None]:
        """Return the sealed payloads that the actor may open and that are not erased."""
        if not export.asked.with_payloads:
            return {}
        owner = self._audit.origins.payload_owner
        wanted = [
            event.seq
            for event in events
            if self._may_open(export.actor, event.action) and not self._vault.destroyed(owner(event.seq))
        ]
        query = sa.select(audit_payload.c.seq, audit_payload.c.sealed).where(audit_payload.c.seq.in_(wanted))
        held = {row.seq: row.sealed for row in connection.execute(query)}
        return {seq: held.get(seq) for seq in wanted}

    def _open(self, event: StoredEvent, sealed: bytes | None) -> tuple[bytes, bytes]:
        owner = self._audit.origins.payload_owner(event.seq)
        if sealed is None:
            if self._vault.destroyed(owner):  # erased since it was looked at
                return b"", b""
            message = f"The payload of event {event.seq} is missing, but was never erased."
            raise FrsError(Reason.LOG_INCONSISTENT, message, seq=str(event.seq))
        try:
            return open_payload(event.seq, event.leaf, sealed, owner, self._vault)
        except FrsError as error:
            if error.reason is Reason.KEY_MISSING and self._vault.destroyed(owner):
                return b"", b""
            raise

    def _record(self, tx: Transaction, actor: Actor, asked: ExportRequest, size: int) -> None:
        wanted = asked.wanted
        references = References(
            subjects=(wanted.subject,) if wanted.subject is not None else (),
            deployment=wanted.deployment,
            alert=wanted.alert,
            search=wanted.search,
            job=wanted.job,
        )
        said: dict[str, Json] = {
            "recipient": asked.recipient,
            "reason": asked.reason,
            "filter": wanted.given(),
            "first": asked.first_index,
            "tree_size": size,
            "payloads": asked.with_payloads,
        }
        self._audit.append(tx, Event(Action.LOG_EXPORTED, actor, references, said))
        subject = self._vault.pseudonym("subject", wanted.subject) if wanted.subject is not None else None
        note_copy(tx, actor, asked.recipient, self._clock.now(), subject)


def note_copy(tx: Transaction, actor: Actor, recipient: str, now: datetime, subject: str | None = None) -> None:
    """Note in the act that logs a disclosure that events have left the system, for erasure certificates.

    ``subject`` is the pseudonym of the only person they are about, if so.
    """
    copy = {
        "id": new_id(),
        "kind": COPY_KIND,
        "made_at": now,
        "made_by": actor.name,
        "place": recipient,
        "subject": subject,
    }
    tx.connection.execute(sa.insert(outside_copy), copy)
