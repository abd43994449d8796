"""Where the tree's nodes are stored: the table ``audit_node``, read for roots and proofs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import sqlalchemy as sa

from frs.audit.tree import NodeId, NodeReader
from frs.errors import FrsError, Reason
from frs.store.schema import audit_node

_BATCH = 64  # a proof over 2**60 events needs no more
_node = audit_node.c


def node_reader(connection: sa.Connection) -> NodeReader:
    """Return a reader over a connection. It raises FrsError(LOG_INCONSISTENT) when a node is not there."""

    def read(wanted: Sequence[NodeId]) -> dict[NodeId, bytes]:
        found: dict[NodeId, bytes] = {}
        for start in range(0, len(wanted), _BATCH):
            found.update(_select(connection, wanted[start : start + _BATCH]))
        for level, number in wanted:
            if (level, number) not in found:
                first, last = number << level, ((number + 1) << level) - 1
                message = f"The log's hash over events {first} to {last} is missing."
                raise FrsError(Reason.LOG_INCONSISTENT, message, first=str(first), last=str(last))
        return found

    return read


def _select(connection: sa.Connection, wanted: Sequence[NodeId]) -> Iterable[tuple[NodeId, bytes]]:
    given = {f"level{i}": level for i, (level, _) in enumerate(wanted)}
    given |= {f"number{i}": number for i, (_, number) in enumerate(wanted)}
    rows = connection.execute(_statement(len(wanted)), given)
    return [((row.level, row.number), row.hash) for row in rows]


@cache
def _statement(count: int) -> sa.Select[tuple[int, int, bytes]]:
    """Build the query for as many nodes once: building costs ten times what running it does.

    Not ``(level, number) IN (...)``: SQLite would read the whole table for it.
    """
    clauses = (
        sa.and_(_node.level == sa.bindparam(f"level{i}"), _node.number == sa.bindparam(f"number{i}"))
        for i in range(count)
    )
    return sa.select(_node.level, _node.number, _node.hash).where(sa.or_(*clauses))
