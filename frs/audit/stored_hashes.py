"""Checks of the stored hashes of the tree: each leaf against its own, each inner hash against its two children."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from frs.audit.report import Problem
from frs.audit.tree import node_hash
from frs.store.schema import audit_node

_node = audit_node.c


def check_hashes(connection: sa.Connection, first: int, leaf_hashes: list[bytes]) -> Iterator[Problem]:
    """Check the leaves from ``first`` on, whose hashes are given, and every subtree that is complete with them.

    A leaf that was altered is named. When leaf and hash were altered together, the hash above names the two it covers,
    and so on: whoever rewrites all of them is left with a root that was never signed.
    """
    stop = first + len(leaf_hashes)
    stored = _read(connection, 0, first, stop)
    for seq, digest in enumerate(leaf_hashes, first):
        if seq not in stored:
            yield Problem(f"The hash of event {seq} is missing.", seq)
        elif stored[seq] != digest:
            yield Problem(f"Event {seq} was altered after it was appended.", seq)
    level = 1
    while (low := first >> level) < (high := stop >> level):
        children = stored if first == low << level else _read(connection, level - 1, 2 * low, 2 * high)
        stored = _read(connection, level, low, high)
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
        yield Problem(
            f"The log ends before event {size}, but events up to {last} were appended: they are missing.", size
        )


def _read(connection: sa.Connection, level: int, low: int, high: int) -> dict[int, bytes]:
    query = sa.select(_node.number, _node.hash).where(_node.level == level, _node.number >= low, _node.number < high)
    return {row.number: row.hash for row in connection.execute(query)}
