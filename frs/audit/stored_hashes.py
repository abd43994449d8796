"""Checks of the stored hashes of the tree: each leaf against its own, each inner hash against its two children.

A leaf that was altered is named. When leaf and hash were altered together, the hash above names the two it covers, and
so on: whoever rewrites all of them is left with a root that was never signed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from frs.audit.report import Problem
from frs.audit.tree import node_hash
from frs.store.schema import audit_node

_node = audit_node.c


def check_hashes(
    connection: sa.Connection, first: int, levels: Sequence[Sequence[bytes]], altered: set[int]
) -> Iterator[Problem]:
    """Compare the stored hashes over a chunk of leaves with those computed from the leaves.

    ``levels`` holds the computed hashes of the complete subtrees, the leaves' first; ``first`` is the chunk's first
    event, a multiple of all its subtrees. Events whose leaf differs from its stored hash are added to ``altered``.
    """
    stored: dict[int, bytes] = {}
    for level, computed in enumerate(levels):
        low = first >> level
        children, stored = stored, _read_hashes(connection, level, low, low + len(computed))
        if len(stored) == len(computed) and list(stored.values()) == computed:
            continue
        if level == 0:
            yield from _check_leaves(first, computed, stored, altered)
        else:
            yield from _check_inner(level, low, low + len(computed), children, stored)


def check_upper_hashes(connection: sa.Connection, level: int, first: int, stop: int) -> Iterator[Problem]:
    """Check the subtrees above ``level`` that the leaves from ``first`` up to but not including ``stop`` complete."""
    while (low := first >> (level + 1)) < (high := stop >> (level + 1)):
        children = _read_hashes(connection, level, 2 * low, 2 * high)
        level += 1
        yield from _check_inner(level, low, high, children, _read_hashes(connection, level, low, high))


def _read_hashes(connection: sa.Connection, level: int, low: int, high: int) -> dict[int, bytes]:
    """Return the stored hashes of a level by number, in order, from ``low`` up to but not including ``high``."""
    query = (
        sa.select(_node.number, _node.hash)
        .where(_node.level == level, _node.number >= low, _node.number < high)
        .order_by(_node.number)
    )
    return dict(connection.execute(query).all())


def _check_leaves(
    first: int, computed: Sequence[bytes], stored: dict[int, bytes], altered: set[int]
) -> Iterator[Problem]:
    for seq, digest in enumerate(computed, first):
        if seq not in stored:
            altered.add(seq)
            yield Problem(f"The hash of event {seq} is missing.", seq)
        elif stored[seq] != digest:
            altered.add(seq)
            yield Problem(f"Event {seq} was altered after it was appended.", seq)


def _check_inner(
    level: int, low: int, high: int, children: dict[int, bytes], stored: dict[int, bytes]
) -> Iterator[Problem]:
    """Compare stored hashes with those of their stored children, so that only the place that differs is named."""
    for number in range(low, high):
        span = f"events {number << level} to {((number + 1) << level) - 1}"
        if number not in stored:
            yield Problem(f"The hash over {span} is missing.")
            continue
        below = (children.get(2 * number), children.get(2 * number + 1))
        pair = [child for child in below if isinstance(child, bytes)]  # others have been named at their level
        if len(pair) == 2 and stored[number] != node_hash(*pair):
            yield Problem(f"One of the {span}, or a hash over them, was altered.")


def check_no_more(connection: sa.Connection, size: int) -> Iterator[Problem]:
    """Check that no hash of an event beyond the log's end is left over."""
    last: int | None = connection.scalar(sa.select(sa.func.max(_node.number)).where(_node.level == 0))
    if last is not None and last >= size:
        message = f"The log ends before event {size}, but events up to {last} were appended: they are missing."
        yield Problem(message, size)
