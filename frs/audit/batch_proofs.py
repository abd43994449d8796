"""Inclusion proofs of many events of one signed tree: the hashes that they share are read once.

The sibling at level L of event ``i`` is node ``(i >> L) ^ 1`` of that level. To the left it is always complete; to the
right it may be complete and stored, or the ragged end of the tree, of which a tree has one for each level, or beyond
the end, and then the proof has no hash for that level. So a proof needs no recursion and no hashing at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import sqlalchemy as sa

from frs.audit import tree
from frs.audit.nodes import node_reader
from frs.audit.tree import NodeId, node_hash
from frs.errors import FrsError, Reason
from frs.store.schema import audit_node

_MOST_PARAMETERS = 500
_node = audit_node.c


class TreeProofs:
    """Makes proofs that lead to the root of one tree, on any connection to the log's database."""

    def __init__(self, connection: sa.Connection, size: int) -> None:
        """Read the right edge of the tree of ``size`` events. Raises FrsError(LOG_INCONSISTENT) when it is not there.

        O(log size) hashes are kept; nothing of the connection is.
        """
        self.size = size
        self._levels = max(size - 1, 0).bit_length()
        self._edges = _right_edges(size, node_reader(connection)(tree.peaks(size)) if size else {})

    def prove(self, connection: sa.Connection, events: Sequence[int]) -> list[list[bytes]]:
        """Return PATH(event, D[size]) of RFC 6962, 2.1.1, for each event, from the leaf upwards.

        Raises ValueError for an event beyond the tree, FrsError(LOG_INCONSISTENT) when a hash is missing.
        """
        for event in events:
            if not 0 <= event < self.size:
                raise ValueError(f"no event {event} in a tree of {self.size}")
        paths = [list(self._path(event)) for event in events]
        stored = _read(connection, {node for path in paths for node in path if self._complete(node)})
        return [[stored[node] if node in stored else self._edges[node[0]] for node in path] for path in paths]

    def _path(self, event: int) -> Iterator[NodeId]:
        for level in range(self._levels):
            sibling = (event >> level) ^ 1
            if sibling << level < self.size:
                yield level, sibling

    def _complete(self, node: NodeId) -> bool:
        level, number = node
        return (number + 1) << level <= self.size


def _right_edges(size: int, peaks: Mapping[NodeId, bytes]) -> dict[int, bytes]:
    """Return, by level, the hash over the last ``size % 2**level`` events, where there are any."""
    edges: dict[int, bytes] = {}
    edge: bytes | None = None
    for level in range(size.bit_length()):
        if edge is not None:
            edges[level] = edge
        if size >> level & 1:
            peak = peaks[level, (size >> level) - 1]
            edge = peak if edge is None else node_hash(peak, edge)
    return edges


def _read(connection: sa.Connection, wanted: Iterable[NodeId]) -> dict[NodeId, bytes]:
    by_level: dict[int, list[int]] = {}
    for level, number in wanted:
        by_level.setdefault(level, []).append(number)
    found: dict[NodeId, bytes] = {}
    for level, numbers in by_level.items():
        numbers.sort()
        for start in range(0, len(numbers), _MOST_PARAMETERS):
            part = numbers[start : start + _MOST_PARAMETERS]
            query = sa.select(_node.number, _node.hash).where(_node.level == level, _node.number.in_(part))
            found.update({(level, row.number): row.hash for row in connection.execute(query)})
        for number in numbers:
            if (level, number) not in found:
                first, last = number << level, ((number + 1) << level) - 1
                message = f"The log's hash over events {first} to {last} is missing."
                raise FrsError(Reason.LOG_INCONSISTENT, message, first=str(first), last=str(last))
    return found
