"""Verification without the service: leaves, a signed checkpoint and the public key are enough.

Reads nothing but what it is given, so that an export can be verified on another machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from frs.audit.checkpoints import read_any_origin
from frs.audit.event import NONCE_BYTES, commitment
from frs.audit.inspection import verify_database
from frs.audit.leaves import LeafChecker, LeafFields
from frs.audit.report import Problem, VerificationReport
from frs.audit.tree import Accumulator
from frs.errors import FrsError

__all__ = ["Problem", "VerificationReport", "verify_database", "verify_leaves"]


def verify_leaves(
    leaves: Iterable[bytes],
    note: str,
    vkey: str,
    payloads: Mapping[int, bytes] | None = None,
    hashes: Mapping[int, bytes] | None = None,
) -> VerificationReport:
    """Check that these leaves, from event 0 on, are the log that the note was signed for.

    Leaves beyond the note's size are checked for themselves but not covered by it; that is no problem. ``payloads``
    are opened ones, each a nonce of 32 bytes followed by canonical JSON, by event. ``hashes`` are leaf hashes kept
    since the events were appended: with them an altered event is named; without, only that one was altered is known.
    """
    problems: list[Problem] = []
    checker, tree = LeafChecker(), Accumulator()
    signed = None
    try:
        signed = read_any_origin(note, vkey)
    except FrsError as error:
        problems.append(Problem(error.message))
    signed_root = tree.root() if signed is not None and signed.size == 0 else None
    opened = 0
    for leaf in leaves:
        seq = tree.size
        digest = tree.add(leaf)
        if hashes is not None and hashes.get(seq, digest) != digest:
            problems.append(Problem(f"Event {seq} was altered after it was appended.", seq))
            checker.skip()
        else:
            fields, found = checker.check(leaf)
            problems += found
            if payloads is not None and seq in payloads and fields is not None:
                problem = _check_payload(seq, fields, payloads[seq])
                problems += problem
                opened += not problem
        if signed is not None and tree.size == signed.size:
            signed_root = tree.root()
    if signed is not None and signed_root is None:
        problems.append(Problem(f"There are {tree.size} events, but {signed.size} were signed.", tree.size))
    elif signed is not None and signed_root != signed.root:
        problems.append(Problem(f"The first {signed.size} events are not the ones that were signed."))
    return VerificationReport(tree.size, tree.root(), int(signed is not None), opened, 0, tuple(problems))


def _check_payload(seq: int, fields: LeafFields, payload: bytes) -> list[Problem]:
    if commitment(payload[:NONCE_BYTES], payload[NONCE_BYTES:]) == fields.payload:
        return []
    return [Problem(f"The payload of event {seq} is not the one its leaf commits to.", seq)]
