"""Appending events: many acts' events reach the database together, in the commit that holds the acts.

Within a group commit, events take their places one after the other in memory and are written in a few statements just
before COMMIT, in the same transaction as the acts: an act that fails takes its events back, a group that fails takes
all. The first event of a group reads and locks the head row, so that no other writer can take the same index.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from frs.audit import tree
from frs.audit.event import PAYLOAD_CONTEXT, Record, build_record
from frs.audit.nodes import node_reader
from frs.audit.origins import Origins
from frs.audit.tree import NodeId
from frs.errors import FrsError, Reason
from frs.store.schema import audit_event, audit_head, audit_node, audit_payload, audit_reference
from frs.store.transaction import CommitParticipant, Transaction
from frs.store.vault import Vault
from frs.types import Event

_HEAD = sa.select(audit_head.c.size, audit_head.c.last_time).where(audit_head.c.id == 1).with_for_update()
_MOVE_HEAD = (
    sa.update(audit_head)
    .where(audit_head.c.id == 1, audit_head.c.size == sa.bindparam("before"))
    .values(size=sa.bindparam("after"), last_time=sa.bindparam("time"))
)
_INSERT_EVENT = sa.insert(audit_event)
_INSERT_PAYLOAD = sa.insert(audit_payload)
_INSERT_REFERENCE = sa.insert(audit_reference)
_INSERT_NODE = sa.insert(audit_node)


class _Group:
    """The events appended since the group began, and the nodes they complete."""

    def __init__(self, connection: sa.Connection) -> None:
        head = connection.execute(_HEAD).one_or_none()
        if head is None:
            raise FrsError(Reason.LOG_INCONSISTENT, "The log's head is missing.")
        self.connection = connection
        self.start: int = head.size
        self.time: datetime = head.last_time
        self.records: list[tuple[Record, bytes]] = []
        self.nodes: list[tuple[int, int, bytes]] = []
        self._known: dict[NodeId, bytes] = dict(node_reader(connection)(tree.peaks(self.start)))

    @property
    def size(self) -> int:
        return self.start + len(self.records)

    def add(self, record: Record, sealed: bytes) -> None:
        nodes = tree.append(record.seq, record.leaf, self._read)
        self.records.append((record, sealed))
        self.nodes += nodes
        self._known.update({(level, number): digest for level, number, digest in nodes})
        self.time = record.time

    def cut(self, records: int, nodes: int, time: datetime) -> None:
        for level, number, _ in self.nodes[nodes:]:
            del self._known[level, number]
        del self.records[records:], self.nodes[nodes:]
        self.time = time

    def _read(self, wanted: Sequence[NodeId]) -> dict[NodeId, bytes]:
        return {node: self._known[node] for node in wanted}  # a sibling is a peak of the old tree or new in the group

    def write(self) -> None:
        """Write everything into the open transaction."""
        events = [
            {"seq": r.seq, "time": r.time, "action": r.action, "actor": r.actor, "leaf": r.leaf}
            for r, _ in self.records
        ]
        payloads = [{"seq": record.seq, "sealed": sealed} for record, sealed in self.records]
        references = [
            {"kind": kind, "value": value, "seq": record.seq}
            for record, _ in self.records
            for kind, value in record.references
        ]
        nodes = [{"level": level, "number": number, "hash": digest} for level, number, digest in self.nodes]
        move = {"before": self.start, "after": self.size, "time": self.time}
        if self.connection.execute(_MOVE_HEAD, move).rowcount != 1:
            raise FrsError(Reason.LOG_INCONSISTENT, "Another writer moved the log's head.")
        self.connection.execute(_INSERT_EVENT, events)
        self.connection.execute(_INSERT_PAYLOAD, payloads)
        if references:
            self.connection.execute(_INSERT_REFERENCE, references)
        self.connection.execute(_INSERT_NODE, nodes)


class Appender(CommitParticipant):
    """Takes events during acts and writes them with the group. All calls come from the writer thread."""

    def __init__(self, vault: Vault, origins: Origins) -> None:
        self.policy = 0
        """Version of the policy that acts are done under; 0 before the first is recorded."""
        self.news = False
        """Whether a group with events was written since somebody looked."""
        self._vault = vault
        self._origins = origins
        self._group: _Group | None = None
        self._mark: tuple[int, int, datetime] | None = None

    def append(self, tx: Transaction, event: Event, now: datetime) -> int:
        """Give an event its place and return its index. Its time is ``now``, or the last event's when that is later.

        Raises ValueError or TypeError when the event cannot be written as JSON or its action is unknown, and what the
        database and the vault raise.
        """
        if self._group is None:
            self._group = _Group(tx.connection)
            self._mark = (0, 0, self._group.time)
        group = self._group
        record = build_record(event, group.size, max(now, group.time), self._vault, self.policy)
        owner = self._origins.payload_owner(record.seq)
        group.add(record, self._vault.seal(owner, record.payload, PAYLOAD_CONTEXT))
        return record.seq

    def unwritten(self) -> tuple[Record, ...]:
        """Return the events of the open group, which are in no table yet. For acts, on the writer thread."""
        return () if self._group is None else tuple(record for record, _ in self._group.records)

    def begin_act(self, tx: Transaction) -> None:  # noqa: ARG002  # every act begins where the last left off
        """Note what to go back to if the act fails."""
        if self._group is not None:
            self._mark = (len(self._group.records), len(self._group.nodes), self._group.time)

    def undo_act(self) -> None:
        """Take back the act's events."""
        if self._group is not None and self._mark is not None:
            self._group.cut(*self._mark)

    def prepare(self) -> None:
        """Write the group's events into its transaction. Raises what the database raises."""
        group, self._group = self._group, None
        if group is not None and group.records:
            group.write()
            self.news = True

    def rolled_back(self) -> None:
        """Forget the group's events."""
        self._group = None
