"""Verification of Merkle proofs (RFC 9162, sections 2.1.3.2 and 2.1.4.2). Needs nothing but the proof.

Every function returns when the proof holds and raises FrsError(LOG_INCONSISTENT) when it does not.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from frs.audit.tree import EMPTY_ROOT, HASH_BYTES, node_hash
from frs.errors import FrsError, Reason


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf with hash ``leaf`` is number ``index`` of the tree of ``size`` leaves with this root."""
    if not 0 <= index < size:
        raise _failed(f"event {index} is not in a log of {size}")
    _check_lengths(proof)
    number, last, current = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise _failed("the proof is too long")
        if number & 1 or number == last:
            current = node_hash(sibling, current)
            while not number & 1 and number:
                number >>= 1
                last >>= 1
        else:
            current = node_hash(current, sibling)
        number >>= 1
        last >>= 1
    if last != 0:
        raise _failed("the proof is too short")
    _check_root(current, root, f"event {index} is not in the log of {size} that was signed")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of ``new`` leaves begins with the tree of ``old`` leaves."""
    if not 0 <= old <= new:
        raise _failed(f"a log of {new} cannot contain one of {old}")
    _check_lengths(proof)
    what = f"the log of {new} does not begin with the log of {old} that was signed"
    if old in {0, new}:  # nothing needs proving
        if proof:
            raise _failed("the proof is too long")
        _check_root(old_root, new_root if old == new else EMPTY_ROOT, what)
        _check_root(new_root, EMPTY_ROOT if new == 0 else new_root, what)
        return
    complete = old & (old - 1) == 0  # then the old tree is one subtree of the new, whose hash the verifier has
    path = [old_root, *proof] if complete else list(proof)
    if not path:
        raise _failed("the proof is too short")
    first, second = _climb(old, new, path)
    _check_root(first, old_root, what)
    _check_root(second, new_root, what)


def _climb(old: int, new: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the roots of both trees that a consistency path leads to."""
    number, last = old - 1, new - 1
    while number & 1:
        number >>= 1
        last >>= 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise _failed("the proof is too long")
        if number & 1 or number == last:
            first = node_hash(sibling, first)
            second = node_hash(sibling, second)
            while not number & 1 and number:
                number >>= 1
                last >>= 1
        else:
            second = node_hash(second, sibling)
        number >>= 1
        last >>= 1
    if last != 0:
        raise _failed("the proof is too short")
    return first, second


def _check_lengths(proof: Sequence[bytes]) -> None:
    if any(len(node) != HASH_BYTES for node in proof):
        raise _failed("a hash of the proof has the wrong length")


def _check_root(computed: bytes, given: bytes, message: str) -> None:
    if not hmac.compare_digest(computed, given):
        raise _failed(message)


def _failed(message: str) -> FrsError:
    return FrsError(Reason.LOG_INCONSISTENT, f"The proof fails: {message}.")
