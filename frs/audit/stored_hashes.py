"""Checks of the stored hashes of the tree: each leaf against its own, each inner hash against its two children.

A leaf that was altered is named. When leaf and hash were altered together, the hash above names the two it covers, and
so on: whoever rewrites all of them is left with a root that was never signed.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from frs.audit.report import Problem
from frs.audit.tree import node_hash
from frs.store.schema import audit_node

_node = audit_node.c


def read_hashes(connection: sa.Connection, level: int, first: int, stop: int) -> dict[int, bytes]:
    """Return the stored hashes of a level, by number, from ``first`` up to but not including ``stop``."""
    query = sa.select(_node.number, _node.hash).where(_node.level == level, _node.number >= first, _node.number < stop)
    return {row.number: row.hash for row in connection.execute(query)}


def check_leaf_hash(seq: int, digest: bytes, stored: bytes | None) -> Problem | None:
    """Compare a leaf's hash with the one stored when it was appended."""
    if stored is None:
        return Problem(f"The hash of event {seq} is missing.", seq)
    if stored != digest:
        return Problem(f"Event {seq} was altered after it was appended.", seq)
    return None


def check_inner_hashes(connection: sa.Connection, first: int, stop: int) -> Iterator[Problem]:
    """Check every subtree that is complete with the leaves from ``first`` up to but not including ``stop``."""
    level = 1
    stored = read_hashes(connection, 0, first, stop)
    while (low := first >> level) < (high := stop >> level):
        children = stored if first == low << level else read_hashes(connection, level - 1, 2 * low, 2 * high)
        stored = read_hashes(connection, level, low, high)
        for number in range(low, high):
            span = f"events {number << level} to {((number + 1) << level) - 1}"
            if number not in stored:
                yield Problem(f"The hash over {span} is missing.")
                continue
            pair = [children[child] for child in (2 * number, 2 * number + 1) if child in children]
            if len(pair) == 2 and stored[number] != node_hash(*pair):
                yield Problem(f"One of the {span}, or a hash over them, was altered.")
        level += 1


def check_no_more(connection: sa.Connection, size: int) -> Iterator[Problem]:
    """Check that no hash of an event beyond the log's end is left over."""
    last: int | None = connection.scalar(sa.select(sa.func.max(_node.number)).where(_node.level == 0))
    if last is not None and last >= size:
        message = f"The log ends before event {size}, but events up to {last} were appended: they are missing."
        yield Problem(message, size)
