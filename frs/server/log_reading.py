"""Reading the log is itself an event: written before what was read is given out.

The event names the filters or the index that was asked for, never what was found; where a payload was opened it refers
to the people that the opened event is about, as the pseudonyms of its leaf.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from frs.access.payloads import may_open
from frs.audit import tree
from frs.audit.actions import Action
from frs.audit.bundle import best_note
from frs.audit.checkpoints import Checkpoint
from frs.audit.export import note_copy
from frs.audit.log import AuditLog, EventFilter, StoredEvent
from frs.audit.nodes import node_reader
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.server.consultations import REFERENCES_AT_ONCE
from frs.server.journal import Journal
from frs.store.database import Database, Transaction
from frs.types import Actor, Event, Json, Page, References


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint and the note that carries it."""

    checkpoint: Checkpoint
    note: str
    vkey: str


@dataclass(frozen=True, slots=True)
class Proven:
    """An event with its proof of inclusion in a signed tree."""

    event: StoredEvent
    proof: list[bytes]
    signed: Signed


@dataclass(frozen=True, slots=True)
class Consistency:
    """Proof that one tree begins another, with both roots."""

    proof: list[bytes]
    old_root: bytes
    new_root: bytes


def whom(wanted: EventFilter) -> References:
    """Return the person that a question to the log is about: their nominal finds who asked, and erases that too."""
    return References(subjects=() if wanted.subject is None else (wanted.subject,))


class LogReading:
    """What oversight may ask, each question logged. Thread-safe."""

    def __init__(self, database: Database, audit: AuditLog, journal: Journal, clock: Clock) -> None:
        self._clock = clock
        self._database = database
        self._audit = audit
        self._journal = journal

    def events(
        self, actor: Actor, wanted: EventFilter, page_size: int, page_token: str, newest_first: bool
    ) -> Page[StoredEvent]:
        """Return a page of events without payloads. FrsError INVALID_FIELD for a period that ends before it begins."""
        if wanted.since is not None and wanted.until is not None and wanted.since > wanted.until:
            raise FrsError(Reason.INVALID_FIELD, "since must not be after until", field="since")
        page = self._audit.list(wanted, page_size, page_token, newest_first)
        said: dict[str, Json] = {"filter": wanted.given(), "events": len(page.items)}
        self._journal.record(actor, Action.LOG_READ, said, whom(wanted))
        return page

    def get(self, actor: Actor, seq: int) -> Proven:
        """Return one event, with its payload where the actor may open it, and prove that it is in the log."""
        event = self._audit.get(seq, open_payload=False)
        if may_open(actor, event.action):
            event = self._audit.get(seq, open_payload=True)
        opened = event.payload is not None
        # Who opens what is said of a person consults it: the nominal finds that too. Pseudonyms stay what they are.
        people = json.loads(event.leaf)["refs"]["subjects"][:REFERENCES_AT_ONCE] if opened else ()
        said: dict[str, Json] = {"event": seq, "payload_opened": opened}
        self._journal.record(actor, Action.LOG_EVENT_READ, said, References(subjects=tuple(people)))
        signed = self._latest(seq + 1)
        return Proven(event, self._audit.inclusion_proof(seq, signed.checkpoint.size), signed)

    def checkpoint(self, actor: Actor) -> Signed:
        """Sign the log as it is."""
        self._journal.record(actor, Action.LOG_PROOF_READ, {"asked": "checkpoint"})
        return self._signed(self._audit.checkpoint())

    def consistency(self, actor: Actor, old: int, new: int) -> Consistency:
        """Return the proof that the tree of ``old`` events begins that of ``new``, and both roots."""
        if old > new:
            raise FrsError(Reason.INVALID_FIELD, "old_size must not be above new_size", field="old_size")
        proof = self._audit.consistency_proof(old, new)
        self._journal.record(actor, Action.LOG_PROOF_READ, {"asked": "consistency", "old": old, "new": new})
        with self._database.read() as connection:
            read = node_reader(connection)
            return Consistency(proof, tree.root(old, read), tree.root(new, read))

    def leaves(self, actor: Actor, first: int, end: int) -> tuple[int, int]:
        """Log that leaves are disclosed to the caller; return the range, ``end`` 0 being the latest checkpoint's size.

        A verifier keeps them or not: the log cannot know, so they count as a copy outside.
        """
        if end and first > end:
            raise FrsError(Reason.INVALID_FIELD, "first_index must not be above end_index", field="first_index")
        last = end or self._latest(1).checkpoint.size
        size = self._audit.size()
        if not first <= last <= size:
            raise FrsError(Reason.EVENT_NOT_FOUND, f"The log has {size} events.", size=str(size))
        said: dict[str, Json] = {"recipient": actor.name, "first": first, "end": last, "payloads": False}

        def act(tx: Transaction) -> None:
            self._audit.append(tx, Event(Action.LOG_EXPORTED, actor, References(), said))
            note_copy(tx, actor, actor.name, self._clock.now())

        self._database.write(act)
        return first, last

    def _latest(self, least: int) -> Signed:
        """Return the best checkpoint of ``least`` events or more, or a new one where there is none."""
        with self._database.read() as connection:
            note = best_note(connection, least)
        return self._signed(note if note is not None else self._audit.checkpoint())

    def _signed(self, note: str) -> Signed:
        checkpoint = self._audit.read(note)
        return Signed(checkpoint, note, self._audit.vkey_of(checkpoint.origin))
